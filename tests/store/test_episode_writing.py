"""Scenarios, agents and episodes: what was stored comes back, filtered, paged and streamed."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simworld.core.episode import Act, Action, ActionKind, Ending, Turn
from simworld.core.errors import Failure, InputError
from simworld.core.scenario import Persona, Seat
from store import ItemState, RunRecord, Store, open_store
from tests.factories.stored import (
    AGENTS,
    NOON,
    RENT,
    TICKET,
    add,
    begin,
    item,
    plan,
    played,
    same,
)
from tests.store.strategies import episodes

TIMEOUT = Failure(boundary="model", kind="timeout", message="no answer in 60 s")
NUMBERS = itertools.count()
RUN = RunRecord(name="first", seed=7, code_version="0.1", created=NOON)


@pytest.mark.parametrize("scenario", [TICKET, RENT])
def test_a_scenario_comes_back_equal(store: Store, scenario: object) -> None:
    begin(store, scenario=scenario)  # type: ignore[arg-type]
    assert store.scenario(scenario.id) == scenario  # type: ignore[attr-defined]


def test_an_unknown_scenario_is_an_input_error(store: Store) -> None:
    with pytest.raises(InputError, match="no scenario s1-nothing"):
        store.scenario("s1-nothing")


def test_an_agent_comes_back_equal(store: Store) -> None:
    begin(store)
    assert store.agent("a2") == AGENTS[1]


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_episode_comes_back_equal(store: Store, data: st.DataObject) -> None:
    work = item("any", repeat=next(NUMBERS))
    store.begin_run(replace(RUN, name="any"), [plan(work)], [TICKET], AGENTS)
    episode = data.draw(episodes(work))
    assert add(store, work, episode)
    assert same(store.episode(work.episode_id(1)).episode, episode)


def test_what_no_database_can_hold_becomes_a_replacement_character(store: Store) -> None:
    (work, *_) = begin(store)
    add(store, work, played(work, "a\x00b\ud800c"))
    (act,) = store.episode(work.episode_id(1)).episode.acts
    assert act.action.text == "a\ufffdb\ufffdc"


def test_the_summary_tells_what_made_the_episode(store: Store) -> None:
    (work, *_) = begin(store)
    there = datetime(2026, 11, 23, 14, 30, tzinfo=timezone(timedelta(hours=2)))
    add(store, work, played(work, "one", "two"), started=there, ended=there + timedelta(seconds=1))
    summary = store.episode(work.episode_id(1)).summary
    assert summary.started == datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
    assert summary.started.tzinfo is UTC
    assert (summary.turns, summary.prompt_tokens, summary.new_tokens) == (2, 200, 14)
    assert (summary.code_version, summary.attempt, summary.parent_id) == ("0.1", 1, None)
    assert [(seat.seat, seat.agent_name, seat.persona) for seat in summary.seats] == [
        ("seller", "smol", "Nadia Brandt"),
        ("buyer", "rival", "Tomás Okafor 🎻"),
    ]


def test_adding_an_episode_again_changes_nothing(store: Store) -> None:
    (work, *_) = begin(store)
    assert add(store, work, played(work, "one"))
    assert not add(store, work, played(work, "another", "story"))
    assert [act.action.text for act in store.episode(work.episode_id(1)).episode.acts] == ["one"]
    assert len(list(store.episodes())) == 1


def test_finished_counts_attempts_and_keeps_the_last_ending(store: Store) -> None:
    first, second, third = begin(store)
    add(store, first, played(first, "fine"))
    add(store, second, played(second, failure=TIMEOUT))
    add(store, second, played(second, "better"), attempt=2)
    assert store.item_states("first") == {
        first.key: ItemState(attempts=1, ending=Ending.turn_limit),
        second.key: ItemState(attempts=2, ending=Ending.turn_limit),
    }
    assert {planned.item.key for planned in store.planned_items("first")} == {
        first.key,
        second.key,
        third.key,
    }
    assert store.item_states("never begun") == {}


def test_a_failure_is_kept_with_its_boundary(store: Store) -> None:
    (work, *_) = begin(store)
    add(store, work, played(work, "one", failure=TIMEOUT))
    stored = store.episode(work.episode_id(1))
    assert stored.episode.failure == TIMEOUT
    assert [act.action.text for act in stored.episode.acts] == ["one"]


def test_a_contradictory_episode_is_refused(store: Store) -> None:
    (work, *_) = begin(store)
    good = played(work, "one", "two")
    for bad in (
        replace(good, ending=Ending.failed),
        replace(good, failure=TIMEOUT),
        replace(good, scenario_id=RENT.id),
        replace(good, cast={"seller": "a2", "buyer": "a1"}),
        replace(good, turns=good.turns[1:]),
    ):
        with pytest.raises(ValueError):
            add(store, work, bad)
    with pytest.raises(ValueError, match="count from 1"):
        add(store, work, good, attempt=0)
    with pytest.raises(ValueError, match="zone"):
        add(store, work, good, started=datetime(2026, 1, 1))  # noqa: DTZ001
    assert list(store.episodes()) == []


# Resuming


def test_episodes_stream_by_id_in_batches_and_filter(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.episode_reading.BATCH", 2)
    items = begin(store, repeats=5)
    for work in items:
        add(store, work, played(work, "x", failure=TIMEOUT if work.repeat == 4 else None))
    ids = sorted(work.episode_id(1) for work in items)
    assert [stored.id for stored in store.episodes()] == ids
    for limit in (0, 2, 3, 4, 5, 9):
        assert [stored.id for stored in store.episodes(limit=limit)] == ids[:limit]
    assert [stored.id for stored in store.episodes(limit=4)] == ids[:4]
    assert [stored.id for stored in store.episodes(ending=Ending.failed)] == [
        items[4].episode_id(1)
    ]
    for fits in (
        store.episodes(run="first"),
        store.episodes(scenario="ticket"),
        store.episodes(scenario=TICKET.id),
        store.episodes(agent="smol"),
        store.episodes(agent="a2", family="tickets"),
    ):
        assert len(list(fits)) == 5
    for unfit in (
        store.episodes(run="x"),
        store.episodes(scenario="x"),
        store.episodes(agent="x"),
        store.episodes(family="ticket"),
    ):
        assert list(unfit) == []


def test_summaries_are_the_latest_in_time(store: Store) -> None:
    items = begin(store, repeats=4)
    for work in reversed(items):
        add(store, work, played(work, "x"))
    assert [summary.repeat for summary in store.episode_summaries(limit=2)] == [2, 3]
    assert [summary.repeat for summary in store.episode_summaries()] == [0, 1, 2, 3]


def test_summaries_page_by_the_last_id_seen(store: Store) -> None:
    works = begin(store, repeats=5)
    for work in works:
        together = NOON if work.repeat < 3 else NOON + timedelta(hours=1)  # several end at once
        add(store, work, played(work, "x"), started=together, ended=together)
    everything = [summary.id for summary in store.episode_summaries()]
    pages: list[str] = []
    before = None
    while page := store.episode_summaries(limit=2, before=before):
        pages = [*(summary.id for summary in page), *pages]
        before = page[0].id
    assert pages == everything
    assert store.episode_summaries(before="0" * 20) == []


def test_without_vectors_plans_are_left_out(store: Store) -> None:
    (work, *_) = begin(store)
    add(store, work, played(work, "x"))
    (stored,) = store.episodes(vectors=False)
    assert stored.episode.acts[0].plan is None


def test_an_episode_is_found_by_the_beginning_of_its_id(store: Store) -> None:
    # by the pigeonhole principle two of 17 ids share their first digit
    items = begin(store, repeats=20)
    for work in items:
        add(store, work, played(work, "x"))
    whole = items[0].episode_id(1)
    assert store.episode(whole[:12]).id == whole
    firsts = [work.episode_id(1)[0] for work in items]
    shared = next(digit for digit in firsts if firsts.count(digit) > 1)
    with pytest.raises(InputError, match="several episodes begin with"):
        store.episode(shared)
    for unknown in ("ffffffffffff", "", "%", "xyz"):
        with pytest.raises(InputError):
            store.episode(unknown)


def test_a_private_message_and_a_silent_turn_come_back(store: Store) -> None:
    (work, *_) = begin(store)
    whisper = Act(seat="seller", action=Action(kind=ActionKind.speak, text="psst", to=("buyer",)))
    turns = (Turn(index=0, acts=(whisper,)), Turn(index=1, acts=()))
    episode = replace(played(work), turns=turns)
    add(store, work, episode)
    assert store.episode(work.episode_id(1)).episode.turns == turns


# Judging


def test_everything_is_there_when_opened_again(url: str) -> None:
    with open_store(url, create=True) as store:
        (work, *_) = begin(store)
        add(store, work, played(work, "x"))
    with open_store(url) as store:
        assert store.episode(work.episode_id(1)).episode == played(work, "x")


def test_seats_are_in_the_order_of_the_scenario(store: Store) -> None:
    seats = tuple(
        Seat(name=name, persona=Persona(name=name.title()), goal="g")
        for name in ("zoe", "ann", "max")
    )
    three = replace(RENT, seats=seats)
    work = item("three", three, agents=("a1", "a1", "a2"))
    store.begin_run(replace(RUN, name="three"), [plan(work, three)], [three], AGENTS)
    add(store, work, played(work, "x"), scenario_name="rent", family="rent")
    assert [seat.seat for seat in store.episode(work.episode_id(1)).summary.seats] == [
        "zoe",
        "ann",
        "max",
    ]
