"""`simworld episode branch`: the parent's beginning, another agent after it, and both in one
table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import store
from simworld.cli import cli
from simworld.core.errors import InputError
from store import StoredEpisode
from tests.factories.stored import judged

SCENE = """\
name: kitchen
setting: A kitchen in the evening.
seats:
  - {name: cook, persona: {name: Ann Lee}, goal: Get help with the dishes.}
  - {name: guest, persona: {name: Bo Ek}, goal: Leave early.}
limits: {turns: 4}
checks: [{name: price, kind: number, pattern: '(\\d+) euros', last: true}]
"""
LINES = {
    "polite": "[Good evening., 'Five euros?', Goodbye.]",
    "other": "[Hello., 'I must go.']",
    "rude": "['[leaves]']",
    "dear": "['Why?', 'I said 9 euros.']",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database with one episode of polite (cook) and other (guest)."""
    (tmp_path / "kitchen.yaml").write_text(SCENE)
    for name, lines in LINES.items():
        (tmp_path / f"{name}.yaml").write_text(f"name: {name}\nkind: scripted\nlines: {lines}\n")
    monkeypatch.chdir(tmp_path)
    call("run", "kitchen.yaml", "--agents", "polite,other", "--seed", "3", "--name", "dinner")
    return tmp_path


def call(*args: str, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, [*args, "--db", "x.db"])
    assert result.exit_code == code, result.output
    return result


def branch(*args: str, code: int = 0) -> Result:
    (parent,) = stored("dinner")
    return call("episode", "branch", parent.id[:12], *args, code=code)


def stored(run: str) -> list[StoredEpisode]:
    with store.open_store("x.db") as opened:
        return list(opened.episodes(run=run))


def said(episode: StoredEpisode) -> list[str]:
    return [act.action.text or act.action.kind.value for act in episode.episode.acts]


def test_a_branch_keeps_the_beginning_and_names_its_parent(folder: Path) -> None:
    (parent,) = stored("dinner")
    report = json.loads(branch("--at", "3", "--cast", "guest=dear", "--json").stdout)
    (made,) = stored(report["run"])
    assert said(parent) == ["Good evening.", "Hello.", "Five euros?", "I must go."]
    assert said(made) == ["Good evening.", "Hello.", "Five euros?", "I said 9 euros."]
    assert (made.summary.parent_id, made.episode.seed) == (parent.id, parent.episode.seed)
    assert [seat.agent_name for seat in made.summary.seats] == ["polite", "dear"]
    assert {name: report[name] for name in ("parent", "branch", "at", "played")} == {
        "parent": parent.id,
        "branch": made.id,
        "at": 3,
        "played": 1,
    }
    rows = {
        (row["what"], row["of"]): (row["parent"], row["branch"], row["difference"])
        for row in report["rows"]
    }
    assert rows["agent", "guest"] == ("other", "dear", None)
    assert rows["turns", ""] == (4, 4, 0)
    assert rows["check price", "found"] == (None, 9, None)


def test_the_same_command_again_plays_nothing_and_shows_new_scores(folder: Path) -> None:
    first = branch("--at", "1", "--cast", "guest=rude")
    assert "is not judged yet" in first.stderr
    assert "next: simworld judge run --run branch-" in first.stdout
    (parent,) = stored("dinner")
    with store.open_store("x.db") as opened:
        (made,) = (s for s in opened.episode_summaries() if s.parent_id == parent.id)
        opened.add_judge("j1", "judge", {})
        for episode, score in ((parent.id, 7.0), (made.id, 4.5)):
            key = ("cook", "goal")
            opened.add_judgement(judged(episode, {key: score}), {key: score / 10})
    again = branch("--at", "1", "--cast", "guest=rude")
    assert again.stderr == ""
    assert len(stored(made.run)) == 1
    lines = [line.split() for line in again.stdout.splitlines()]
    assert ["goal", "cook,", "j1", "7", "4.5", "-2.5"] in lines
    assert ["turns", "4", "2", "-2"] in lines
    assert ["ending", "turn_limit", "terminated", "(left)"] in lines


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            ["--at", "4", "--cast", "guest=rude"],
            "--at 4: episode {id} has 4 turns and ended: turn_limit; expected",
        ),
        (["--at", "-1", "--cast", "guest=rude"], "expected the number of turns to keep, 0 to 3"),
        (
            ["--at", "1", "--cast", "gest=rude"],
            "--cast: no seat 'gest' in scenario 'kitchen'; did you mean 'guest'?",
        ),
        (
            ["--at", "1", "--cast", "guest=rood"],
            "no agent 'rood': no such file, and no such name in the library",
        ),
        (
            ["--at", "1", "--cast", "guest=rude", "--name", " "],
            "--name ' ': expected a word or more",
        ),
        (["--at", "1", "--cast", "guest"], "--cast 'guest' is not understood"),
    ],
)
def test_what_does_not_fit_is_one_line(folder: Path, args: list[str], message: str) -> None:
    (parent,) = stored("dinner")
    result = branch(*args, code=1)
    assert isinstance(result.exception, InputError)
    assert message.format(id=parent.id) in str(result.exception)
    assert len(str(result.exception).splitlines()) == 1


def test_everything_wrong_is_said_at_once(folder: Path) -> None:
    result = branch("--at", "9", "--cast", "gest=rood", code=1)
    assert isinstance(result.exception, InputError)
    assert [word in str(result.exception) for word in ("--at 9", "'gest'")] == [True, True]


def test_an_agent_that_stays_must_be_the_one_that_played(folder: Path) -> None:
    (folder / "polite.yaml").write_text("name: polite\nkind: scripted\nlines: [Changed.]\n")
    result = branch("--at", "1", "--cast", "guest=rude", code=1)
    assert isinstance(result.exception, InputError)
    assert "seat 'cook' was played by 'polite' as a1-" in str(result.exception)
    (folder / "polite.yaml").unlink()
    result = branch("--at", "1", "--cast", "guest=rude", code=1)
    assert "or add --cast cook=FILE" in str(result.exception)
    branch("--at", "1", "--cast", "*=rude")


def test_a_name_that_another_run_has_is_refused(folder: Path) -> None:
    result = branch("--at", "1", "--cast", "guest=rude", "--name", "dinner", code=1)
    assert (
        str(result.exception) == "run 'dinner' exists and is not this branch; give another --name"
    )
