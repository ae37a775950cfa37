"""`simworld.judge`: the command's job, for Python."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

import simworld
from simworld import InputError, JudgeSpec
from simworld.cli import cli
from tests.agents.lm.server.faults import FaultyServer


def test_a_run_is_judged_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    played = simworld.run("k*.yaml", ["polite.yaml", "rude.yaml"], db="other.db")
    done = simworld.judge(played, "j.yaml")  # in the database of the run
    assert capsys.readouterr() == ("", "")
    assert (done.scored, done.failed, done.already_judged, done.run) == (3, 0, 0, played.run)
    frame = done.frame()
    assert len(frame) == 12  # 3 episodes × 2 seats × 2 dimensions
    # the first is the judge for the default rubric, which no scenario here has
    assert set(frame["judge_id"]) == {done.judge_ids[1]}
    goals = frame[frame["dimension"] == "goal"]
    assert set(goals["score"]) == {8.0}
    assert set(goals["share"]) == {0.8}
    assert set(frame[frame["seat"] == "cook"]["agent"]) == {"polite"}
    again = simworld.judge(played.run, Path("j.yaml"), db="other.db")
    assert (again.scored, again.already_judged, again.judge_ids) == (0, 3, done.judge_ids)
    line = f"judge {', '.join(done.judge_ids)}: 3 scored, 0 failed, 0 already there"
    assert str(done).splitlines()[0] == line
    assert line in done._repr_html_()


def test_the_command_and_python_are_one_judge(folder: Path, server: FaultyServer) -> None:
    simworld.run("k*.yaml", ["polite.yaml", "rude.yaml"])
    done = CliRunner().invoke(cli, ["judge", "run", "--judge", "j.yaml"])
    assert done.stdout.startswith("3 scored, 0 failed, 0 already there\n")
    spec = JudgeSpec(name="j", model=f"openai:judge@{server.url}", method="server", retries=0)
    again = simworld.judge(None, spec)
    assert (again.scored, again.already_judged) == (0, 3)


def test_only_the_chosen_episodes_are_judged(folder: Path) -> None:
    ids = list(simworld.run("k*.yaml", ["polite.yaml", "rude.yaml"]).frame()["episode"])
    done = simworld.judge([ids[1], ids[1][:12]], "j.yaml")
    assert (done.scored, done.already_judged, done.episodes) == (1, 0, (ids[1],))
    assert set(done.frame()["episode"]) == {ids[1]}
    rest = simworld.judge(
        simworld.run("k*.yaml", ["polite.yaml", "rude.yaml"]).frame()["episode"], "j.yaml"
    )
    assert (rest.scored, rest.already_judged) == (2, 1)
    assert simworld.judge([], "j.yaml").tally.total == 0
    with pytest.raises(InputError, match="not an episode id: 'kitchen'"):
        simworld.judge(["kitchen"], "j.yaml")


def test_failures_are_counted_and_judged_again_when_asked(
    folder: Path, server: FaultyServer
) -> None:
    played = simworld.run("k0.yaml", ["polite.yaml", "rude.yaml"])
    rule, server.rule = server.rule, lambda body: (500, {"error": {"message": "over <there>"}})
    done = simworld.judge(played, "j.yaml")
    assert (done.scored, done.failed) == (0, 1)
    assert "1 judgement failed, the last: model: http-500" in str(done)
    assert len(done.frame()) == 0
    server.rule = rule
    assert simworld.judge(played, "j.yaml").scored == 0
    assert simworld.judge(played, "j.yaml", retry_failed=True).scored == 1


def test_what_is_not_there_is_refused(folder: Path) -> None:
    simworld.run("k0.yaml", "polite.yaml")
    with pytest.raises(InputError, match="no run 'nine' in this database"):
        simworld.judge("nine", "j.yaml")
    with pytest.raises(InputError, match=r"no judge file nine\.yaml"):
        simworld.judge(None, "nine.yaml")
    with pytest.raises(InputError, match="samples: expected a number from 1, found 0"):
        simworld.judge(None, "j.yaml", samples=0)
    with pytest.raises(InputError, match="swap: expected 'seats' or 'names', found 'sides'"):
        simworld.judge(None, "j.yaml", swap="sides")  # type: ignore[arg-type]
    local = JudgeSpec(name="j", model="builtin:smollm2-135m-instruct", method="server", retries=3)
    with pytest.raises(InputError, match="judge 'j': retries: only a server"):
        simworld.judge(None, local)


def test_the_budget_of_tokens_ends_it(folder: Path) -> None:
    simworld.run("k*.yaml", "polite.yaml")
    done = simworld.judge(None, "j.yaml", budget_tokens=150)  # 100 for each, the first alone
    assert done.budget_spent
    assert done.scored < 3
    assert "The budget of tokens is spent" in str(done)
    rest = simworld.judge(None, "j.yaml")
    assert done.scored + rest.scored == 3
