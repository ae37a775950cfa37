"""`simworld check`: each file of a folder by its kind, and what is nothing of ours left alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from simworld.cli import cli
from simworld.cli.files.file_kinds import file_kind
from simworld.core.errors import InputError

SCENARIO = """\
name: bar
setting: A bar.
seats:
  - {name: a, goal: g, persona: ann}
  - {name: b, goal: g, persona: {name: Bo}}
rubric: calm.yaml
"""
RUBRIC = "name: calm\ndimensions: [{name: calm, range: [0, 4], question: 'Is {name} calm?'}]\n"
FILES = {
    "bar.yaml": SCENARIO,
    "ann.yaml": "name: Ann Lee\nage: 40\n",
    "calm.yaml": RUBRIC,
    "says.yaml": "name: says\nkind: scripted\nlines: [Hello.]\n",
    "lm.yaml": "name: lm\nmodel: builtin:smollm2-135m-instruct\nprompt: short.yaml\n",
    "short.yaml": "style: script\ninstructions: You are {{name}}.\n",
    "strict.yaml": (
        "name: strict\nmodel: builtin:smollm2-135m-instruct\nmethod: answers\nrubric: calm.yaml\n"
    ),
    "cup.yaml": (
        "name: cup\nagents: [says.yaml, lm.yaml]\nscenarios: [bar.yaml]\njudges: [strict.yaml]\n"
    ),
    "pairs.yaml": (
        "- {setting: s, seat: Ann, dimension: goal, better: 'Ann: Yes.', worse: 'Ann: No.'}\n"
    ),
    # nothing of ours
    "compose.yaml": "services: {web: {image: nginx}}\nversion: '3'\n",
    "helm.yaml": "name: x\nvalues_file: {{ .Values.x }}\n",
    ".github/ci.yaml": "name: ci\non: push\njobs: {}\n",
    "deploy/k8s.yaml": "kind: Service\nmetadata: {name: x}\n---\nkind: Deployment\n",
    "list.yaml": "- a\n- b\n",
    "empty.yaml": "",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(cli, ["check", *arguments])
    error = result.exception if isinstance(result.exception, InputError) else None
    return (
        error.exit_code if error else result.exit_code,
        result.stdout,
        result.stderr + str(error or ""),
    )


def test_everything_in_a_folder_by_its_kind(folder: Path) -> None:
    assert check() == (
        0,
        (
            "1 scenario, 1 persona, 1 rubric, 2 agents, 1 prompt, 1 judge, 1 tournament, 1 pairs"
            " file: ok; 5 other YAML files left out\nnext: simworld tournament run cup.yaml\n"
        ),
        "",
    )
    assert check(".", "bar.yaml", "../" + folder.name) == check()
    assert check("ann.yaml", "calm.yaml") == (0, "1 persona, 1 rubric: ok\n", "")
    assert (
        check("bar.yaml")[1]
        == "1 scenario: ok\nnext: simworld run bar.yaml --cast '*=smol-script'\n"
    )


def test_all_problems_at_once_with_their_places(folder: Path) -> None:
    wrong = {
        "bar.yaml": ("setting:", "seting:"),
        "ann.yaml": ("age: 40", "age: old"),
        "calm.yaml": ("[0, 4]", "[4, 0]"),
        "says.yaml": ("lines", "lins"),
        "short.yaml": ("{{name}}", "{{nme}}"),
        "strict.yaml": ("answers", "answer"),
        "cup.yaml": ("cup", "Cup Final"),
        "pairs.yaml": ("seat: Ann, ", ""),
    }
    for name, (old, new) in wrong.items():
        (folder / name).write_text(FILES[name].replace(old, new), "utf-8")
    (folder / "list.yaml").write_text("- [a\n")  # broken, but nothing of ours
    # broken, and ours
    (folder / "says2.yaml").write_text("name: says2\nkind: scripted\nlines: [Hello.\n")
    code, out, error = check()
    assert (code, out) == (2, "")
    told = {line.split(":")[0] for line in error.splitlines()}
    assert wrong.keys() | {"says2.yaml"} <= told
    assert not told & {"compose.yaml", "helm.yaml", "list.yaml", "empty.yaml", "deploy/k8s.yaml"}
    assert "did you mean 'setting'?" in error
    assert error.splitlines()[-1].endswith("in 10 files; 5 other YAML files left out")


@pytest.mark.parametrize("model", ["builtin:nonsense", "hf:./gone", "openai:", "gpt-4"])
@pytest.mark.parametrize("name", ["lm.yaml", "strict.yaml"])
def test_a_model_that_no_spec_can_mean_is_a_problem(folder: Path, name: str, model: str) -> None:
    (folder / name).write_text(
        FILES[name].replace("builtin:smollm2-135m-instruct", f"'{model}'"), "utf-8"
    )
    code, out, error = check(name)
    assert (code, out) == (2, "")
    assert f"{name}:2:8: model: " in error


def test_a_file_that_is_named_must_be_of_ours(folder: Path) -> None:
    code, _, error = check("compose.yaml", "gone.yaml")
    assert code == 2
    assert "compose.yaml: its keys are those of no simworld file" in error
    assert "gone.yaml: no such file or folder" in error
    code, _, error = check("deploy")
    assert (code, error.startswith("no simworld file is here; 1 other YAML file left out")) == (
        2,
        True,
    )


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (FILES["cup.yaml"] + "seats: both\n", "tournament"),
        (FILES["cup.yaml"] + "dimensions: [calm]\n", "tournament"),
        ("name: cup\nagents: [a, b]\nseats: first\n", "tournament"),  # scenarios are missing
        ("name: cup\nagnts: [a, b]\nscenarios: [bar]\nseats: first\n", "tournament"),
        ("name: l\nagent: a\npartners: [b]\nreward: {}\nseats: first\n", "learn"),
        ("name: s\nseting: A bar.\nseats: []\n", "scenario"),
        (SCENARIO, "scenario"),
        (RUBRIC, "rubric"),
    ],
)
def test_seats_and_dimensions_are_not_of_scenarios_and_rubrics_alone(
    folder: Path, text: str, kind: str
) -> None:
    (folder / "it.yaml").write_text(text, "utf-8")
    assert file_kind(folder / "it.yaml") == kind


def test_the_name_of_the_folder_is_a_hint(folder: Path) -> None:
    (folder / "judges").mkdir()
    (folder / "judges" / "x.yaml").write_text("name: x\nmethd: answers\n")
    code, _, error = check("judges")
    assert code == 2
    assert "judges/x.yaml:2:1: methd: unknown field; did you mean 'method'?" in error


def test_scenario_check_and_run_look_at_scenarios_alone(folder: Path) -> None:
    result = CliRunner().invoke(cli, ["scenario", "check", "."], catch_exceptions=False)
    left = "; 12 other files left out (`simworld check` looks at all kinds)"
    assert result.stdout == f"1 scenario in 1 file and 1 persona: ok{left}\n"
    played = CliRunner().invoke(
        cli, ["run", ".", "--cast", "*=says", "--dry-run"], catch_exceptions=False
    )
    assert "1 to play, 0 already there, 1 planned" in played.stdout


def test_unedited_templates_are_said_to_be_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for kind, names in (("scenario", "xyz"), ("rubric", "rs"), ("judge", "jk"), ("agent", "ab")):
        CliRunner().invoke(cli, [kind, "new", *names], catch_exceptions=False)
    notes = {
        "scenario": (
            "Note: x.yaml, y.yaml and z.yaml hold the same scenario under 3 names; edit them, or"
            " keep one.\n"
        ),
        "rubric": (
            "Note: r.yaml and s.yaml hold the same rubric under 2 names; edit them, or keep one.\n"
        ),
        "judge": (
            "Note: j.yaml and k.yaml hold the same judge under 2 names; edit them, or keep one.\n"
        ),
    }
    code, _, error = check()
    assert (code, sorted(error.splitlines())) == (0, sorted("".join(notes.values()).splitlines()))
    for kind in ("scenario", "rubric"):
        result = CliRunner().invoke(cli, [kind, "check", "."], catch_exceptions=False)
        assert (result.exit_code, result.stderr) == (0, notes[kind])
    text = Path("y.yaml").read_text()
    Path("y.yaml").write_text(text.replace("at least 40", "at least 45"))  # what a seat reads
    # what none reads
    Path("z.yaml").write_text(text.replace("title: Y", "title: Z").replace("name: y", "name: z"))
    assert check("x.yaml", "y.yaml")[2] == ""
    assert (
        "x.yaml and z.yaml hold the same scenario under 2 names"
        in check("x.yaml", "y.yaml", "z.yaml")[2]
    )
    Path("a.yaml").write_text("name: a\nkind: human\n")
    Path("b.yaml").write_text("name: b\nkind: human\ndescription: Bo.\n")
    assert "a.yaml and b.yaml hold the same agent" in check("a.yaml", "b.yaml")[2]


@pytest.mark.parametrize(
    ("kind", "ok"),
    [
        ("agent", "2 agents: ok; 12 other files left out"),
        ("rubric", "1 rubric: ok; 13 other files left out"),
        ("persona", "1 persona: ok; 13 other files left out"),
    ],
)
def test_a_check_of_one_kind_leaves_the_others_out(kind: str, ok: str, folder: Path) -> None:
    result = CliRunner().invoke(cli, [kind, "check", "."], catch_exceptions=False)
    assert result.output == f"{ok} (`simworld check` looks at all kinds)\n"
    for name, text in FILES.items():  # the same problems with and without the other files
        (folder / name).write_text(
            text.replace("age:", "aeg:\n  ").replace("[0, 4]", "[4, 0]").replace("lines:", "lins:")
        )
    named = {"agent": "says.yaml", "rubric": "calm.yaml", "persona": "ann.yaml"}[kind]
    wrong = CliRunner().invoke(
        cli, [kind, "check", "."] if kind != "persona" else [kind, "check", named]
    )
    assert isinstance(wrong.exception, InputError)
    assert {problem.where.partition(":")[0] for problem in wrong.exception.problems} <= {named, ""}
    assert str(wrong.exception).startswith(f"{named}:")


def test_a_check_of_one_kind_where_there_is_none(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "bar.yaml").write_text(SCENARIO)
    result = CliRunner().invoke(cli, ["agent", "check", "sub"])
    assert (
        str(result.exception)
        == "sub: the folder holds no agent file; `simworld check` looks at files of all kinds"
    )
    # nothing tells its kind, so it may be meant
    (folder / "sub" / "ada.yaml").write_text("nam: ada\n")
    result = CliRunner().invoke(cli, ["agent", "check", "sub"])
    assert "sub/ada.yaml:1:1: nam: unknown field; did you mean 'name'?" in str(result.exception)
    assert str(result.exception).endswith(
        "1 file looked at; 1 other file left out (`simworld check` looks at all kinds)"
    )


def test_judge_check_measures_and_names_what_checks_files(folder: Path) -> None:
    result = CliRunner().invoke(cli, ["judge", "check", "strict.yaml"])
    assert result.exit_code == 2
    assert (
        "a judge is named with --judge: `simworld judge check --judge strict.yaml`; `simworld check"
        " strict.yaml` checks the file" in " ".join(result.stderr.split())
    )
