"""Judgements and scores: stored once, replaced on retry, listed where they are missing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simworld.core.errors import Failure
from store import Store
from tests.factories.stored import (
    add,
    begin,
    judged,
    played,
    unjudgeable,
)

TIMEOUT = Failure(boundary="model", kind="timeout", message="no answer in 60 s")


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


def test_unjudged_leaves_out_what_is_judged_and_what_failed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.episode_reading.ID_BATCH", 2)
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


def test_unjudged_may_be_judged_while_it_streams(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.episode_reading.ID_BATCH", 2)
    items = begin(store, repeats=5)
    for work in items:
        add(store, work, played(work, "x"))
    store.add_judge("j1", "judge", {})
    for id_ in store.unjudged("j1", 0):
        store.add_judgement(judged(id_, SCORES), SHARES)
    assert len(list(store.score_rows())) == 10


def test_scores_carry_what_tables_group_by(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.cells.score_rows.BATCH", 1)
    episode_id = judge_one(store)
    store.add_judge("j2", "other", {})
    store.add_judgement(judged(episode_id, SCORES), SHARES)
    store.add_judgement(judged(episode_id, SCORES, judge="j2"), SHARES)
    rows = list(store.score_rows(judge_id="j1"))
    assert {(row.seat, row.agent_name, row.score, row.rescaled) for row in rows} == {
        ("seller", "smol", 7.0, 0.7),
        ("buyer", "rival", 2.5, 0.25),
    }
    assert {
        (row.judge_name, row.scenario_name, row.family, row.run, row.sample) for row in rows
    } == {("judge", "ticket", "tickets", "first", 0)}
    assert len(list(store.score_rows())) == 4
    assert list(store.score_rows(run="other")) == []
    assert list(store.score_rows(dimension="secret")) == []
    assert [judge.name for judge in store.judges()] == ["judge", "other"]


@pytest.mark.parametrize("share", [-0.01, 1.01, None])
def test_a_score_outside_its_range_is_refused(store: Store, share: float | None) -> None:
    episode_id = judge_one(store)
    shares = {} if share is None else {("seller", "goal"): share}
    with pytest.raises(ValueError, match="rescaled"):
        store.add_judgement(judged(episode_id, {("seller", "goal"): 3.0}), shares)
    assert store.judgements(episode_id) == []
