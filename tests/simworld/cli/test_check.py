"""`simworld check`: each file of a folder by its kind, and what is nothing of ours left alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from simworld.cli import cli
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
            "1 scenario, 1 persona, 1 rubric, 2 agents, 1 prompt, 1 judge, 1 tournament, 1 pairs:"
            " ok; 5 other YAML files left out\nnext: simworld tournament run cup.yaml\n"
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


def test_a_file_that_is_named_must_be_of_ours(folder: Path) -> None:
    code, _, error = check("compose.yaml", "gone.yaml")
    assert code == 2
    assert "compose.yaml: its keys tell none of our kinds of files" in error
    assert "gone.yaml: no such file or folder" in error
    code, _, error = check("deploy")
    assert (code, error.startswith("no file of ours is here; 1 other YAML file left out")) == (
        2,
        True,
    )


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
