"""Runs: summed up, begun again, and refused where they are another than before."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simworld.core.errors import Failure, InputError, ResumeRefused
from store import AgentRecord, RunRecord, Store
from store.scenario_json import scenario_row
from tests.factories.stored import (
    AGENTS,
    NOON,
    RENT,
    TICKET,
    add,
    begin,
    item,
    judged,
    plan,
    played,
)

TIMEOUT = Failure(boundary="model", kind="timeout", message="no answer in 60 s")
RUN = RunRecord(name="first", seed=7, code_version="0.1", created=NOON)


def test_the_run_is_summarised(store: Store) -> None:
    first, second, _ = begin(store)
    add(store, first, played(first, "fine"))
    add(store, second, played(second, failure=TIMEOUT))
    store.add_judge("j1", "judge", {})
    store.add_judgement(
        judged(first.episode_id(1), {("seller", "goal"): 5.0}), {("seller", "goal"): 0.5}
    )
    (summary,) = store.run_summaries()
    assert summary.run.seed == 7
    assert summary.run.created == NOON
    assert summary.run.settings == {"repeats": 3}
    counts = (summary.planned, summary.done, summary.failed, summary.episodes, summary.judged)
    assert counts == (3, 1, 1, 2, 1)
    add(store, second, played(second, "better"), attempt=2)
    (summary,) = store.run_summaries()
    assert (summary.done, summary.failed, summary.episodes) == (2, 0, 3)


def test_each_command_adds_to_the_profile(store: Store) -> None:
    begin(store)
    store.add_profile("first", {"seconds": 1.5})
    store.add_profile("first", {"seconds": 2.5})
    assert store.run_summaries()[0].run.profile == {
        "commands": [{"seconds": 1.5}, {"seconds": 2.5}]
    }


def test_a_run_may_be_begun_again_with_more_repeats(store: Store) -> None:
    begin(store, repeats=2)
    begin(store, repeats=4)
    assert len(store.planned_items("first")) == 4
    assert len(store.run_summaries()) == 1


def test_another_seed_is_refused(store: Store) -> None:
    begin(store, seed=7)
    with pytest.raises(ResumeRefused, match=r"seed was 7, now it is 8.*--name"):
        begin(store, seed=8)


def test_a_scenario_keeps_its_language(store: Store) -> None:
    german = replace(TICKET, language="de")
    begin(store, scenario=german)
    assert store.scenario(german.id) == german
    assert "language" not in scenario_row(TICKET)["content"]  # as it was before there were others


def test_changed_scenario_is_refused_and_nothing_is_stored(store: Store) -> None:
    begin(store)
    changed = replace(TICKET, setting="Two spare tickets.")
    with pytest.raises(
        ResumeRefused, match=f"scenario 'ticket' was {TICKET.id[:15]}, now it is {changed.id[:15]}"
    ):
        begin(store, scenario=changed)
    with pytest.raises(InputError):
        store.scenario(changed.id)
    begin(store, run="second", scenario=changed)  # under another name it may be played


def test_a_changed_agent_is_refused(store: Store) -> None:
    begin(store)
    with pytest.raises(ResumeRefused, match="agent 'smol' was a1, now it is a3"):
        store.begin_run(RUN, [], [], [AgentRecord(id="a3", name="smol", spec={})])


def test_a_changed_judge_note_is_no_other_scenario(store: Store) -> None:
    begin(store)
    better = replace(TICKET, judge_note="Think of the view.")
    begin(store, scenario=better)
    assert store.scenario(TICKET.id) == better


def test_one_name_for_two_contents_is_refused(store: Store) -> None:
    other = replace(RENT, name="ticket")
    with pytest.raises(InputError, match="two different scenarios are called 'ticket'"):
        store.begin_run(
            RUN, [plan(item()), plan(item(scenario=other), other)], [TICKET, other], AGENTS
        )


def test_an_agent_keeps_the_name_it_has_in_each_run(store: Store) -> None:
    begin(store)
    work = item("second")
    renamed = [replace(AGENTS[0], name="tiny"), AGENTS[1]]
    store.begin_run(replace(RUN, name="second"), [plan(work)], [TICKET], renamed)
    add(store, work, played(work, "hello"))
    assert store.episode(work.episode_id(1)).summary.seats[0].agent_name == "tiny"


# Reading
