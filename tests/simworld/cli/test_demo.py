"""The demo from end to end, at its smallest."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from click.testing import CliRunner
from markupsafe import escape
from rich.console import Console

from agents import ScriptedAgent
from simworld.cli import cli
from simworld.cli.demo import demo_plan
from simworld.cli.demo_time import GFLOP_PER_CONVERSATION, STARTUP_S, estimate_seconds
from simworld.cli.output.followed_conversation import FollowedConversation
from simworld.core.episode import WorkItem
from simworld.core.errors import InputError
from simworld.runner import Job, play_jobs
from simworld.testing import example_scenario
from store import open_store


def test_each_scenario_is_played_by_the_steered_agent_and_by_the_plain_one() -> None:
    seatings = [tuple(cast.values()) for _, cast in demo_plan(6, 0).seatings()]
    assert seatings == [("smol-thanks", "smol-lively"), ("smol-script", "smol-lively")] * 6


def test_the_time_is_told_from_the_speed_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "simworld.cli.demo_time.measure_gflops", lambda threads: GFLOP_PER_CONVERSATION / 7
    )
    assert estimate_seconds(12, None) == pytest.approx(STARTUP_S + 84)


def test_one_conversation_is_printed_as_it_is_played_and_no_other() -> None:
    agents = {
        "plain": ScriptedAgent(agent_id="1", lines=("Good day.",), after=None),
        "warm": ScriptedAgent(agent_id="2", lines=("Thanks\x1b[2J.",), after=None),
    }
    scenario = example_scenario(turns=3)
    jobs = []
    for number, first in enumerate(("plain", "warm", "warm")):
        seated = dict(
            zip(
                ("host", "guest", "neighbour"),
                (agents[first], agents["plain"], agents["plain"]),
                strict=True,
            )
        )
        cast = {seat: agent.id for seat, agent in seated.items()}
        item = WorkItem(run="r", scenario_id=scenario.id, cast=cast, repeat=number)
        jobs.append(Job(item=item, attempt=1, scenario=scenario, agents=seated, seed=number))
    screen = Console(file=io.StringIO(), width=80)
    followed = FollowedConversation(
        screen, {name: agent.id for name, agent in agents.items()}, "warm"
    )
    assert not followed.has_printed
    assert len(list(play_jobs(jobs, {}, on_acts=followed.on_acts))) == 3
    assert followed.has_printed
    assert isinstance(screen.file, io.StringIO)
    assert screen.file.getvalue().splitlines() == [
        "One of the conversations, as it is played: cake",
        "Ann Lee by warm, Bo Ek by plain, Cleo Fox by plain",
        "  1 Ann Lee: Thanks.",
        "  2 Bo Ek: Good day.",
        "  3 Cleo Fox: Good day.",
    ]


def test_a_page_that_cannot_be_written_is_told_before_the_work(tmp_path: Path) -> None:
    db = tmp_path / "demo.db"
    done = CliRunner().invoke(
        cli, ["demo", "--db", f"sqlite:///{db}", "--out", str(tmp_path / "gone" / "page.html")]
    )
    assert isinstance(done.exception, InputError)
    assert "no folder" in str(done.exception)
    assert not db.exists()


@pytest.mark.model
def test_the_demo_plays_judges_and_shows_once(tmp_path: Path) -> None:
    db, out = f"sqlite:///{tmp_path / 'demo.db'}", tmp_path / "page.html"
    command = ["demo", "--scenarios", "1", "--db", db, "--out", str(out)]
    first = CliRunner().invoke(cli, command, catch_exceptions=False)
    assert first.exit_code == 0, first.output
    lines = first.stdout.splitlines()
    assert lines[0].startswith(
        f"The demo plays 2 conversations, judges them and writes {out}: about "
    )
    assert lines[1] == "One of the conversations, as it is played: The last ticket"
    assert lines[3].startswith("  1 ")
    assert "2 episodes played, 0 already there" in first.output
    assert "Scores by agent" in first.output
    assert lines[-1] == f"Look at it: {out.as_uri()}"
    page = out.read_text("utf-8")
    assert "smol-thanks" in page
    assert str(escape(lines[3].partition(": ")[2][:30])) in page
    again = CliRunner().invoke(cli, command, catch_exceptions=False)
    assert "all of it is done already, and only shown again" in again.stdout
    assert "0 episodes played, 2 already there" in again.output
    assert lines[3] in again.stdout.splitlines()
    with open_store(db) as store:
        steered = [
            act.plan
            for stored in store.episodes(run="demo-pairs-1-0", agent="smol-thanks")
            for act in stored.episode.acts
            if act.plan is not None
        ]
    assert len(steered) >= 3
    assert all(plan.action is not None and plan.planner_id for plan in steered)
