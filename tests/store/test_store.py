"""The promises of the store, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simworld.core.episode import Act, Action, ActionKind, Ending, Turn
from simworld.core.errors import Failure, InputError, ResumeRefused
from simworld.core.scenario import Persona, Seat
from store import AgentRecord, ItemState, RunRecord, Store, open_store
from tests.store.samples import (
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
    same,
    unjudgeable,
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


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
    assert store.finished("first") == {
        first.key: ItemState(attempts=1, ending=Ending.turn_limit),
        second.key: ItemState(attempts=2, ending=Ending.turn_limit),
    }
    assert {planned.item.key for planned in store.planned("first")} == {first.key, second.key, third.key}
    assert store.finished("never begun") == {}


def test_a_failure_is_kept_with_its_boundary(store: Store) -> None:
    (work, *_) = begin(store)
    add(store, work, played(work, "one", failure=TIMEOUT))
    stored = store.episode(work.episode_id(1))
    assert stored.episode.failure == TIMEOUT
    assert [act.action.text for act in stored.episode.acts] == ["one"]


def test_the_run_is_summarised(store: Store) -> None:
    first, second, _ = begin(store)
    add(store, first, played(first, "fine"))
    add(store, second, played(second, failure=TIMEOUT))
    store.add_judge("j1", "judge", {})
    store.add_judgement(judged(first.episode_id(1), {("seller", "goal"): 5.0}), {("seller", "goal"): 0.5})
    (summary,) = store.runs()
    assert summary.run.seed == 7
    assert summary.run.created == NOON
    assert summary.run.settings == {"repeats": 3}
    counts = (summary.planned, summary.done, summary.failed, summary.episodes, summary.judged)
    assert counts == (3, 1, 1, 2, 1)
    add(store, second, played(second, "better"), attempt=2)
    (summary,) = store.runs()
    assert (summary.done, summary.failed, summary.episodes) == (2, 0, 3)


def test_each_command_adds_to_the_profile(store: Store) -> None:
    begin(store)
    store.add_profile("first", {"seconds": 1.5})
    store.add_profile("first", {"seconds": 2.5})
    assert store.runs()[0].run.profile == {"commands": [{"seconds": 1.5}, {"seconds": 2.5}]}


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


def test_a_run_may_be_begun_again_with_more_repeats(store: Store) -> None:
    begin(store, repeats=2)
    begin(store, repeats=4)
    assert len(store.planned("first")) == 4
    assert len(store.runs()) == 1


def test_another_seed_is_refused(store: Store) -> None:
    begin(store, seed=7)
    with pytest.raises(ResumeRefused, match=r"seed was 7, now it is 8.*--name"):
        begin(store, seed=8)


def test_changed_scenario_is_refused_and_nothing_is_stored(store: Store) -> None:
    begin(store)
    changed = replace(TICKET, setting="Two spare tickets.")
    with pytest.raises(ResumeRefused, match=f"scenario 'ticket' was {TICKET.id[:15]}, now it is {changed.id[:15]}"):
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
        store.begin_run(RUN, [plan(item()), plan(item(scenario=other), other)], [TICKET, other], AGENTS)


def test_an_agent_keeps_the_name_it_has_in_each_run(store: Store) -> None:
    begin(store)
    work = item("second")
    renamed = [replace(AGENTS[0], name="tiny"), AGENTS[1]]
    store.begin_run(replace(RUN, name="second"), [plan(work)], [TICKET], renamed)
    add(store, work, played(work, "hello"))
    assert store.episode(work.episode_id(1)).summary.seats[0].agent_name == "tiny"


# Reading


def test_episodes_stream_by_id_in_batches_and_filter(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.facade_episodes.BATCH", 2)
    items = begin(store, repeats=5)
    for work in items:
        add(store, work, played(work, "x", failure=TIMEOUT if work.repeat == 4 else None))
    ids = sorted(work.episode_id(1) for work in items)
    assert [stored.id for stored in store.episodes()] == ids
    assert [stored.id for stored in store.episodes(limit=3)] == ids[:3]
    assert [stored.id for stored in store.episodes(limit=4)] == ids[:4]
    assert [stored.id for stored in store.episodes(ending=Ending.failed)] == [items[4].episode_id(1)]
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
    assert [summary.repeat for summary in store.summaries(limit=2)] == [2, 3]
    assert [summary.repeat for summary in store.summaries()] == [0, 1, 2, 3]


def test_summaries_page_by_the_last_id_seen(store: Store) -> None:
    works = begin(store, repeats=5)
    for work in works:
        together = NOON if work.repeat < 3 else NOON + timedelta(hours=1)  # several end at once
        add(store, work, played(work, "x"), started=together, ended=together)
    everything = [summary.id for summary in store.summaries()]
    pages: list[str] = []
    before = None
    while page := store.summaries(limit=2, before=before):
        pages = [*(summary.id for summary in page), *pages]
        before = page[0].id
    assert pages == everything
    assert store.summaries(before="0" * 20) == []


def test_without_vectors_plans_are_left_out(store: Store) -> None:
    (work, *_) = begin(store)
    add(store, work, played(work, "x"))
    (stored,) = store.episodes(vectors=False)
    assert stored.episode.acts[0].plan is None


def test_an_episode_is_found_by_the_beginning_of_its_id(store: Store) -> None:
    items = begin(store, repeats=20)  # by the pigeonhole principle two of 17 ids share their first digit
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


def judge_one(store: Store) -> str:
    (work, *_) = begin(store)
    add(store, work, played(work, "x"))
    store.add_judge("j1", "judge", {"model": "m"})
    return work.episode_id(1)


SCORES = {("seller", "goal"): 7.0, ("buyer", "goal"): 2.5}
SHARES = {("seller", "goal"): 0.7, ("buyer", "goal"): 0.25}


def test_a_judgement_comes_back_equal_and_only_once(store: Store) -> None:
    episode_id = judge_one(store)
    judgement = judged(episode_id, SCORES)
    assert store.add_judgement(judgement, SHARES)
    assert not store.add_judgement(judged(episode_id, {("seller", "goal"): 1.0}), SHARES)
    (stored,) = store.judgements(episode_id)
    assert stored.judgement == judgement
    assert (stored.judge_name, stored.attempt, stored.rescaled) == ("judge", 1, SHARES)


def test_raw_infinities_come_back(store: Store) -> None:
    episode_id = judge_one(store)
    judgement = judged(episode_id, SCORES)
    (first, *rest) = judgement.verdicts
    infinite = replace(judgement, verdicts=(replace(first, raw={"log_odds": float("-inf")}), *rest))
    store.add_judgement(infinite, SHARES)
    assert store.judgements(episode_id)[0].judgement == infinite


def test_a_failed_judgement_gives_way_only_to_a_retry(store: Store) -> None:
    episode_id = judge_one(store)
    good = judged(episode_id, SCORES)
    assert store.add_judgement(unjudgeable(episode_id), {})
    assert not store.add_judgement(good, SHARES)
    assert store.add_judgement(unjudgeable(episode_id, "refused"), {}, replace_failed=True)
    assert store.add_judgement(good, SHARES, replace_failed=True)
    assert not store.add_judgement(unjudgeable(episode_id), {}, replace_failed=True)
    (stored,) = store.judgements(episode_id)
    assert stored.judgement == good
    assert stored.attempt == 3
    assert [failure.kind for failure in stored.earlier_failures] == ["timeout", "refused"]


def test_unjudged_leaves_out_what_is_judged_and_what_failed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.facade_judgements.IDS", 2)
    items = begin(store, repeats=6)
    for work in items:
        add(store, work, played(work, "x", failure=TIMEOUT if work.repeat == 0 else None))
    ids = [work.episode_id(1) for work in items]
    store.add_judge("j1", "judge", {})
    store.add_judgement(judged(ids[1], SCORES), SHARES)
    store.add_judgement(unjudgeable(ids[2]), {})
    assert list(store.unjudged("j1", 0)) == sorted(ids[3:])
    assert list(store.unjudged("j1", 0, retry_failed=True)) == sorted(ids[2:])
    assert list(store.unjudged("j1", 1)) == sorted(ids[1:])
    assert list(store.unjudged("j2", 0)) == sorted(ids[1:])
    assert list(store.unjudged("j1", 0, run="other")) == []


def test_unjudged_may_be_judged_while_it_streams(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.facade_judgements.IDS", 2)
    items = begin(store, repeats=5)
    for work in items:
        add(store, work, played(work, "x"))
    store.add_judge("j1", "judge", {})
    for id_ in store.unjudged("j1", 0):
        store.add_judgement(judged(id_, SCORES), SHARES)
    assert len(list(store.scores())) == 10


def test_scores_carry_what_tables_group_by(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.facade_judgements.IDS", 1)
    episode_id = judge_one(store)
    store.add_judge("j2", "other", {})
    store.add_judgement(judged(episode_id, SCORES), SHARES)
    store.add_judgement(judged(episode_id, SCORES, judge="j2"), SHARES)
    rows = list(store.scores(judge_id="j1"))
    assert {(row.seat, row.agent_name, row.score, row.rescaled) for row in rows} == {
        ("seller", "smol", 7.0, 0.7),
        ("buyer", "rival", 2.5, 0.25),
    }
    assert {(row.judge_name, row.scenario_name, row.family, row.run, row.sample) for row in rows} == {
        ("judge", "ticket", "tickets", "first", 0)
    }
    assert len(list(store.scores())) == 4
    assert list(store.scores(run="other")) == []
    assert list(store.scores(dimension="secret")) == []
    assert [judge.name for judge in store.judges()] == ["judge", "other"]


@pytest.mark.parametrize("share", [-0.01, 1.01, None])
def test_a_score_outside_its_range_is_refused(store: Store, share: float | None) -> None:
    episode_id = judge_one(store)
    shares = {} if share is None else {("seller", "goal"): share}
    with pytest.raises(ValueError, match="rescaled"):
        store.add_judgement(judged(episode_id, {("seller", "goal"): 3.0}), shares)
    assert store.judgements(episode_id) == []


def test_everything_is_there_when_opened_again(url: str) -> None:
    with open_store(url, create=True) as store:
        (work, *_) = begin(store)
        add(store, work, played(work, "x"))
    with open_store(url) as store:
        assert store.episode(work.episode_id(1)).episode == played(work, "x")


def test_seats_are_in_the_order_of_the_scenario(store: Store) -> None:
    seats = tuple(Seat(name=name, persona=Persona(name=name.title()), goal="g") for name in ("zoe", "ann", "max"))
    three = replace(RENT, seats=seats)
    work = item("three", three, agents=("a1", "a1", "a2"))
    store.begin_run(replace(RUN, name="three"), [plan(work, three)], [three], AGENTS)
    add(store, work, played(work, "x"), scenario_name="rent", family="rent")
    assert [seat.seat for seat in store.episode(work.episode_id(1)).summary.seats] == ["zoe", "ann", "max"]
