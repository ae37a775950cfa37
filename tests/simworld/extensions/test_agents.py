"""Agents of other packages: found by entry point, checked with places, played, and told apart."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner, Result

from agents import agent_content, agent_id_of, agent_json_schema, load_spec, make_agent
from simworld.cli.commands import cli
from simworld.core.errors import InputError
from simworld.testing import check_agent
from tests.factories.extensions import AGENTS, ECHO, Installation

ENTRY = {AGENTS: {"echo": "barter:echo"}}


def write(folder: Path, text: str, name: str = "a.yaml") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def simworld(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def problems(path: Path) -> list[str]:
    with pytest.raises(InputError) as raised:
        load_spec(path)
    return [str(problem) for problem in raised.value.problems]


def test_an_installed_kind_is_made_with_its_settings(
    installation: Installation, tmp_path: Path
) -> None:
    installation.add(ENTRY)
    loaded = load_spec(write(tmp_path, "name: a\nkind: echo\nsettings: {line: Yes?}\n"))
    agent = make_agent(loaded)
    check_agent(agent)
    assert agent.id == agent_id_of(loaded)
    content = agent_content(loaded)
    identity = content.pop("extension")
    assert content == {"kind": "echo", "settings": {"line": "Yes?", "volume": 1}}
    assert identity.startswith("barter 0.1.0 ")
    assert len(identity.split()[2]) == 16


def test_every_problem_of_the_settings_has_its_place(
    installation: Installation, tmp_path: Path
) -> None:
    installation.add(ENTRY)
    path = write(tmp_path, "name: a\nkind: echo\nsettings:\n  lime: Hm.\n  volume: 4\nmodell: x\n")
    assert problems(path) == [
        f"{path}:4:3: settings.lime: unknown field; did you mean 'line'?",
        f"{path}:5:11: settings.volume: expected at most 3, found the number 4",
        f"{path}:6:1: modell: unknown field; did you mean 'model'?",
    ]
    wrong = write(tmp_path, "name: a\nkind: echo\nsettings: {volume: loud}\n")
    assert problems(wrong) == [
        f"{wrong}:3:20: settings.volume: expected a whole number, found the text 'loud'"
    ]
    of_builtin = write(tmp_path, "name: a\nkind: human\nsettings: {line: x}\n")
    assert problems(of_builtin) == [f"{of_builtin}:3:1: settings: unknown field"]


def test_a_required_setting_that_is_missing_is_named(
    installation: Installation, tmp_path: Path
) -> None:
    installation.add(ENTRY, code=ECHO.replace('line: str = "Hm."', "line: str"))
    path = write(tmp_path, "name: a\nkind: echo\n")
    assert problems(path) == [
        f"{path}:1:1: settings: 'echo' needs some: line: required field is missing"
    ]


def test_an_unknown_kind_is_one_line_with_what_there_is(
    installation: Installation, tmp_path: Path
) -> None:
    installation.add(ENTRY)
    path = write(tmp_path, "name: a\nkind: ecco\n")
    assert problems(path) == [
        f"{path}:2:7: kind: expected lm, scripted, human or echo (of barter 0.1.0), found the text"
        " 'ecco'; did you mean 'echo'?"
    ]


def test_ids_change_with_code_version_distribution_and_settings(
    installation: Installation, tmp_path: Path
) -> None:
    path = write(tmp_path, "name: a\nkind: echo\n")

    def id_of(**what: str) -> str:
        installation.forget_code()
        for distribution in ("barter", "barters"):
            installation.remove(distribution)
        installation.add(ENTRY, **what)
        return agent_id_of(load_spec(path))

    first = id_of()
    assert id_of() == first
    others = {
        id_of(code=ECHO + "\n    # another line\n"),
        id_of(version="0.1.1"),
        id_of(distribution="barters"),
    }
    assert len(others | {first}) == 4
    write(tmp_path, "name: a\nkind: echo\nsettings: {volume: 2}\n")
    assert id_of() not in others | {first}


def test_a_pinned_extension_must_be_the_one_that_is_installed(
    installation: Installation, tmp_path: Path
) -> None:
    installation.add(ENTRY)
    installed = load_spec(write(tmp_path, "name: a\nkind: echo\n")).spec.extension  # type: ignore[union-attr]
    pinned = write(tmp_path, f"name: a\nkind: echo\nextension: {installed}\n")
    assert load_spec(pinned).spec.extension == installed  # type: ignore[union-attr]
    other = write(tmp_path, "name: a\nkind: echo\nextension: barter 0.0.9 abc\n")
    assert problems(other) == [
        f"{other}:3:12: extension: expected 'barter 0.0.9 abc', but '{installed}' is installed;"
        " install that one, or remove this"
    ]


def test_two_distributions_that_give_one_name_are_refused(
    installation: Installation, tmp_path: Path
) -> None:
    installation.add(ENTRY)
    installation.add({AGENTS: {"echo": "trade:echo"}}, distribution="trade", module="trade")
    path = write(tmp_path, "name: a\nkind: echo\n")
    assert problems(path) == [
        f"{path}:2:7: kind: agent kind 'echo' is given by two distributions, barter 0.1.0 and trade"
        " 0.1.0; uninstall one of them"
    ]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import no_such_package\n", "ModuleNotFoundError: No module named 'no_such_package'"),
        ("echo = 3\n", "TypeError: barter:echo is an int; expected an AgentKind"),
        ("class echo: pass\n", "TypeError: barter:echo is the class echo; expected an AgentKind"),
        ("def f(:\n", "SyntaxError: invalid syntax (barter.py, line 1)"),
        ("raise SystemExit(3)\n", "SystemExit: 3"),
        ("other = 3\n", "AttributeError: module 'barter' has no attribute 'echo'"),
    ],
)
def test_what_cannot_be_loaded_is_one_line(
    code: str, message: str, installation: Installation, tmp_path: Path
) -> None:
    installation.add(ENTRY, code=code)
    path = write(tmp_path, "name: a\nkind: echo\n")
    assert problems(path) == [
        f"{path}:2:7: kind: agent kind 'echo' of barter 0.1.0 cannot be loaded: {message}"
    ]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        ("lambda settings, parts: 1 / 0", "could not be made: ZeroDivisionError: division by zero"),
        (
            "lambda settings, parts: None",
            "could not be made: AttributeError: 'NoneType' object has no attribute 'id'",
        ),
        (
            "lambda settings, parts: type('A', (), {'id': 'mine', 'model': ''})()",
            "has the id 'mine'; expected that of its parts,",
        ),
    ],
)
def test_what_makes_no_agent_is_one_line(
    make: str, message: str, installation: Installation, tmp_path: Path
) -> None:
    installation.add(ENTRY, code=ECHO.replace("make=Echo", f"make={make}"))
    loaded = load_spec(write(tmp_path, "name: a\nkind: echo\n"))
    with pytest.raises(InputError, match=f"agent 'a': kind 'echo' of barter 0.1.0 {message}"):
        make_agent(loaded)


def test_a_path_to_code_is_imported_only_where_that_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    installation = Installation(tmp_path / "elsewhere", monkeypatch)
    installation.add({}, module="of_the_folder")
    (installation.folder / "of_the_folder.py").rename(tmp_path / "of_the_folder.py")
    path = write(tmp_path, "name: a\nkind: of_the_folder:echo\n")
    assert str(simworld("agent", "check", str(path)).exception) == (
        f"{path}:2:7: kind: 'of_the_folder:echo' is a path to code, which is not imported from a"
        " file; install it as an entry point of simworld.agents, or say --allow-import if you"
        " trust it"
    )
    assert "of_the_folder" not in sys.modules
    assert simworld("agent", "check", str(path), "--allow-import").exit_code == 0
    assert str(tmp_path) not in sys.path
    installation.forget_code("of_the_folder")


def test_the_json_schema_admits_names_of_extensions_and_checks_the_rest() -> None:
    schema = agent_json_schema()
    jsonschema.validate({"name": "a", "kind": "echo", "settings": {"line": "Hm."}}, schema)
    for wrong in (
        {"name": "a", "kind": "echo", "setings": {}},
        {"name": "a", "kind": "human", "settings": {}},
        {"name": "a", "kind": "echo", "settings": 3},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)


def test_reading_a_file_of_built_in_kinds_imports_no_extension(
    installation: Installation, tmp_path: Path
) -> None:
    installation.add(ENTRY)
    load_spec(write(tmp_path, "name: a\nkind: human\n"))
    problems(write(tmp_path, "name: a\nkind: humman\n"))
    assert "barter" not in sys.modules


def test_a_run_with_one_is_stored_and_one_that_breaks_is_a_failed_act(
    installation: Installation, tmp_path: Path
) -> None:
    installation.add(ENTRY)
    installation.add(
        {AGENTS: {"broken": "bazaar:echo"}},
        distribution="bazaar",
        module="bazaar",
        code=ECHO.replace("heard[-1] if heard else self._line", "heard[0]"),
    )
    good = write(tmp_path, "name: good\nkind: echo\n", "good.yaml")
    bad = write(tmp_path, "name: bad\nkind: broken\n", "bad.yaml")
    db = f"sqlite:///{tmp_path}/x.db"
    run = ("run", "last-concert-ticket", "--db", db, "--json")
    assert simworld(*run, "--name", "r1", "--agents", f"{good},{good}").exit_code == 0
    simworld(*run, "--name", "r2", "--agents", f"{bad},{good}")
    listed = json.loads(simworld("episode", "list", "--db", db, "--json").output)
    by_run = {each["run"]: each for each in listed}
    assert by_run["r1"]["ending"] == "turn_limit"
    assert by_run["r2"]["ending"] == "failed"
    installation.forget_code("bazaar")
    shown = simworld("episode", "show", by_run["r2"]["id"], "--db", db).output
    assert "agent: error: IndexError: list index out of range" in shown


def test_extension_list_shows_what_is_installed_and_what_is_wrong(
    installation: Installation,
) -> None:
    installation.add({AGENTS: {"echo": "barter:echo", "human": "barter:echo", "no": "barter:no"}})
    listed = json.loads(simworld("extension", "list", "--json").output)
    rows = {row["name"]: row for row in listed}
    assert rows["echo"] == {
        "group": AGENTS,
        "name": "echo",
        "distribution": "barter",
        "version": "0.1.0",
        "object": "barter:echo",
        "problem": "",
    }
    assert rows["human"]["problem"] == "'human' is a name of simworld's own; give it another"
    assert rows["no"]["problem"] == (
        "agent kind 'no' of barter 0.1.0 cannot be loaded: AttributeError: module 'barter' has no"
        " attribute 'no'"
    )
