"""`… new`: files to start from, and a study from nothing in eight commands, each named by the one
before."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from simworld.cli import cli
from simworld.core.errors import InputError
from simworld.testing import FakeBackend


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def simworld(*arguments: str) -> str:
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*arguments: str) -> str:
    result = CliRunner().invoke(cli, arguments)
    assert isinstance(result.exception, InputError)
    return str(result.exception)


@pytest.mark.parametrize("kind", ["scenario", "persona", "agent", "rubric", "judge", "tournament"])
@pytest.mark.parametrize("name", ["first", "12", "null-1"])
def test_a_template_passes_check_and_is_never_written_over_a_file(kind: str, name: str) -> None:
    shown = simworld(kind, "new", name)
    assert shown.startswith(f"Wrote {name}.yaml: edit it")
    assert shown.splitlines()[-1].startswith("next: simworld ")
    assert simworld("check").startswith(f"1 {kind}: ok")
    text = Path(f"{name}.yaml").read_text()
    assert (
        refused(kind, "new", "other", name)
        == f"{name}.yaml: exists already; choose another name or --out"
    )
    assert not Path("other.yaml").exists()  # all or none
    assert Path(f"{name}.yaml").read_text() == text
    assert f"cannot be a{'n' if kind == 'agent' else ''} {kind}'s name" in refused(
        kind, "new", "Not A Name"
    )
    assert refused(kind, "new", "x", "--out", "no/x.yaml") == "no/x.yaml: its folder does not exist"
    assert "--out names one file" in refused(kind, "new", "x", "y", "--out", "z.yaml")


@pytest.mark.parametrize("kind", ["scenario", "persona", "agent", "rubric", "judge", "tournament"])
def test_schemas_are_json(kind: str) -> None:
    assert json.loads(simworld(kind, "schema"))["title"] == f"simworld {kind}"


def test_what_a_judge_and_a_tournament_name_may_have_any_characters() -> None:
    Path("my rubrics, old").mkdir()
    simworld("rubric", "new", "calm", "--out", "my rubrics, old/calm #1.yaml")
    simworld("judge", "new", "strict", "--rubric", "my rubrics, old/calm #1.yaml")
    simworld("agent", "new", "a", "--out", "it's [a].yaml")
    simworld("tournament", "new", "cup")
    assert simworld("check").startswith("1 rubric, 1 agent, 1 judge, 1 tournament: ok")


def test_a_study_takes_eight_commands_each_named_by_the_one_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "simworld.runner.agent_pool.load_backend", lambda *args, **settings: FakeBackend()
    )
    commands = ["scenario new one two three"]
    while len(commands) < 8 and not commands[-1].startswith("report"):
        *_, last = simworld(*shlex.split(commands[-1])).splitlines()
        commands.append(last.removeprefix("next: simworld "))
        if commands[-1].startswith("agent"):  # what a person edits
            for i, name in enumerate(("one", "two", "three")):
                text = Path(f"{name}.yaml").read_text().replace("third time", f"{i + 2}. time")
                text = text.replace("turns: 12", "turns: 2").replace(
                    "rubric: sotopia", "rubric: my-rubric.yaml"
                )
                Path(f"{name}.yaml").write_text(text)
        if commands[-1].startswith("rubric"):
            for name in ("my-agent", "other-agent"):
                path = Path(f"{name}.yaml")
                text = path.read_text()
                lines = f"kind: scripted\nlines: ['I am {name}.']\n"
                path.write_text(text[: text.index("# builtin:")] + lines)
    assert [command.split(" my-")[0] for command in commands] == [
        "scenario new one two three",
        "agent new",
        "rubric new",
        "judge new",
        "tournament new",
        "check",
        "tournament run",
        "report",
    ]
    simworld(*shlex.split(commands[-1]))
    assert Path("my-tournament.html").stat().st_size > 1000
