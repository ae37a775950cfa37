"""Branches at the level of jobs: a seat that is taken over by the agent it had gives the same
episode again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from simworld.core.episode import Episode, WorkItem
from simworld.core.errors import Failure, InputError
from simworld.core.scenario import Check, CheckKind, Scenario, TurnOrder
from simworld.runner.branch import BranchAgent, branch_name, make_branch, max_kept_turns
from simworld.runner.conversations import Job, play_jobs
from simworld.testing import FakeBackend, example_scenario
from store import open_store
from tests.factories.lm_requests import MODEL, talking_agent
from tests.factories.stored import RENT, TICKET, add, begin, played

FAILED = Failure(boundary="model", kind="timeout", message="no answer in 60 s")


def play(
    scenario: Scenario, parent: Episode | None = None, at: int = 0, agent: str = "lm"
) -> Episode:
    cast = {seat.name: agent for seat in scenario.seats}
    turns = parent.turns[:at] if parent else ()
    agents = {
        seat: BranchAgent(
            successor=talking_agent(agent),
            stored_acts={
                turn.index: act for turn in turns for act in turn.acts if act.seat == seat
            },
        )
        for seat in cast
    }
    item = WorkItem(run="r", scenario_id=scenario.id, cast=cast, repeat=0)
    job = Job(item=item, attempt=1, scenario=scenario, agents=agents, seed=11)
    (ended,) = play_jobs([job], {MODEL: FakeBackend()})
    return ended.episode


@pytest.mark.parametrize("order", list(TurnOrder))
def test_the_same_agent_from_any_turn_on_plays_the_same_episode(order: TurnOrder) -> None:
    scenario = replace(example_scenario(), order=order)
    whole = play(scenario)
    assert len(whole.turns) > 2
    for at in range(len(whole.turns)):
        again = play(scenario, whole, at)
        assert [act.action for act in again.acts] == [act.action for act in whole.acts]
        assert (again.ending, again.checks) == (whole.ending, whole.checks)


def test_what_is_kept_is_the_stored_act_itself_and_asks_no_model() -> None:
    scenario = example_scenario()
    whole = play(scenario)
    again = play(scenario, whole, 2, agent="other")
    assert all(new is old for new, old in zip(again.acts[:2], whole.acts[:2], strict=True))
    assert set(again.cast.values()) == {"other"}


def test_names_of_branches_tell_parent_turn_and_cast_apart() -> None:
    names = {
        branch_name("a", 1, {"x": "p"}),
        branch_name("b", 1, {"x": "p"}),
        branch_name("a", 2, {"x": "p"}),
    }
    assert len(names | {branch_name("a", 1, {"y": "p"})}) == 4
    assert branch_name("a", 1, {"x": "p", "y": "q"}) == branch_name("a", 1, {"y": "q", "x": "p"})


@pytest.mark.parametrize(
    ("scenario", "failure", "most"),
    [(RENT, None, 1), (RENT, FAILED, 2), (TICKET, None, 1), (TICKET, FAILED, 1)],
    ids=["ended", "failed", "simultaneous", "failed in a turn that others may have begun"],
)
def test_how_much_can_be_kept(
    tmp_path: Path, scenario: Scenario, failure: Failure | None, most: int
) -> None:
    with open_store(str(tmp_path / "x.db"), create=True) as store:
        work = begin(store, scenario=scenario)[0]
        add(store, work, played(work, "Hello.", "Sixty?", failure=failure))
        assert max_kept_turns(store.episode(work.episode_id(1)), scenario) == most


def test_a_stored_pattern_that_would_fill_the_memory_is_refused_with_its_place(
    tmp_path: Path,
) -> None:
    bomb = replace(
        RENT, checks=(Check(name="c", kind=CheckKind.regex, pattern="((a{900}){900}){900}"),)
    )
    with open_store(str(tmp_path / "x.db"), create=True) as store:
        work = begin(store, scenario=bomb)[0]
        add(store, work, played(work, "Hello.", "Sixty?"))
        with pytest.raises(
            InputError, match=rf"scenario {RENT.name}: checks.c: the pattern is too large"
        ):
            make_branch(store.episode(work.episode_id(1)), bomb, 0, kept_turns=1, cast={})
