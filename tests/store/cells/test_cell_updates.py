"""Cells are kept as episodes and judgements are committed, on both databases, and made again after
changes by hand."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from sqlalchemy import delete, select, text, update

from simworld.core.errors import InputError
from store import Cells, Store
from store.cells.cell_rebuild import rebuild_all
from store.cells.cell_records import (
    encode_cast,
    encode_scores,
    first_64_bits,
    insert_attempt,
    insert_record,
)
from store.connection import open_engine
from store.database_address import parse_address
from store.tables import (
    CellCastRow,
    CellScoreRow,
    EpisodeRow,
    JudgementRow,
    JudgeRow,
    RunRow,
    VerdictRow,
    table,
)
from tests.factories.stored import add, judged, played
from tests.store.histories import BROKEN, SCENARIOS, WORKS, begin

TICKETS = [(scenario, work) for scenario, work in WORKS if scenario.name == "ticket"]
SHARES = {("seller", "goal"): 0.7, ("buyer", "goal"): 0.25, ("buyer", "tone"): 0.5}


def play(store: Store, number: int, *, attempt: int = 1, fails: bool = False) -> str:
    scenario, work = TICKETS[number]
    episode = played(work, "x", failure=BROKEN if fails else None)
    assert add(store, work, episode, attempt, scenario_name=scenario.name, family=scenario.family)
    return work.episode_id(attempt)


def judge(
    store: Store,
    id_: str,
    shares: Mapping[tuple[str, str], float] = SHARES,
    *,
    by: str = "j1",
    sample: int = 0,
) -> None:
    scores = {key: 10 * share - 5 for key, share in shares.items()}
    assert store.add_judgement(judged(id_, scores, judge=by, sample=sample), shares)


def cells(store: Store, by: str = "j1") -> Cells:
    (found,) = store.cells("cup", [by], {SCENARIOS[0].id})
    return found


def values(store: Store, id_: str, by: str = "j1") -> list[list[float | None]]:
    """Of an episode, seat by seat: overall, sotopia_mean, goal, tone; None where there is none."""
    found = cells(store, by)
    (place,) = np.flatnonzero(found.episode == first_64_bits(id_))
    return [
        [None if np.isnan(x) else round(float(x), 9) for x in seat]
        for seat in found.scores[by][place]
    ]


def tables(url: str) -> list[list[Any]]:
    """Everything in the tables of cells."""
    engine = open_engine(parse_address(url), create=False)
    with engine.connect() as connection:
        found = [
            [
                tuple(row)
                for row in connection.execute(select(table(of)).order_by(*table(of).primary_key))
            ]
            for of in (CellCastRow, CellScoreRow)
        ]
    engine.dispose()
    return found


def by_hand(url: str, *statements: Any) -> None:
    engine = open_engine(parse_address(url), create=False)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(statement)
    engine.dispose()


@pytest.fixture
def store(store: Store) -> Store:
    begin(store)
    return store


def test_what_is_committed_is_kept(store: Store) -> None:
    first, second = play(store, 0), play(store, 1)
    judge(store, first)
    found = cells(store)
    assert found.agent_names == ("rival", "smol")
    assert found.blocks == (("f", SCENARIOS[0].id, 0),)
    assert {tuple(found.agent_names[a] for a in cast) for cast in found.agent_index.tolist()} == {
        ("smol", "smol"),
        ("smol", "rival"),
    }
    assert not found.failed.any()
    # goal weighs 3 and tone 1; the seller has no tone, so neither overall nor the mean.
    assert values(store, first) == [
        [None, None, 0.7, None],
        [round((3 * 0.25 + 0.5) / 4, 9), -1.25, 0.25, 0.5],
    ]
    assert values(store, second) == [[None] * 4] * 2
    assert store.scoring_judge_ids("cup") == ["j1"]
    assert store.scoring_judge_ids("other") == []


def test_samples_are_averaged_and_their_deviations_kept(store: Store) -> None:
    id_ = play(store, 0)
    judge(store, id_, {("seller", "goal"): 0.5})
    judge(store, id_, {("seller", "goal"): 0.8}, sample=1)
    assert values(store, id_)[0] == [None, None, 0.65, None]
    sums = store.retest_sums("cup", "j1")[SCENARIOS[0].id]
    assert sums.tolist() == [[0, 0], [0, 0], [pytest.approx(2 * 0.15**2), 1], [0, 0]]


def test_the_last_attempt_counts(store: Store) -> None:
    first = play(store, 0)
    judge(store, first)
    second = play(store, 0, attempt=2, fails=True)
    found = cells(store)
    assert (found.episode.tolist(), found.failed.tolist()) == ([first_64_bits(second)], [True])
    assert np.isnan(found.scores["j1"]).all()
    third = play(store, 0, attempt=3)
    judge(store, third)
    judge(store, first, by="j2")  # too late
    assert values(store, third)[0][2] == 0.7
    assert np.isnan(cells(store, "j2").scores["j2"]).all()


def test_the_order_of_commits_leaves_no_trace(store: Store, made_url: str) -> None:
    found = []
    for seed in range(3):
        by_hand(made_url, delete(RunRow), delete(JudgeRow))
        begin(store)
        chance = random.Random(seed)
        numbers = list(range(len(TICKETS)))
        chance.shuffle(numbers)
        episodes = [play(store, number) for number in numbers]
        left = [(id_, by, sample) for id_ in episodes for by in ("j1", "j2") for sample in (0, 1)]
        chance.shuffle(left)
        for id_, by, sample in left:
            judge(
                store,
                id_,
                {("seller", "goal"): first_64_bits(id_) % 7 / 7, ("buyer", "goal"): sample / 3},
                by=by,
                sample=sample,
            )
        found.append(tables(made_url))
    assert found[0] == found[1] == found[2]
    assert [len(rows) for rows in found[0]] == [2, 4]  # two repeats, and two judges of each


@pytest.mark.parametrize("change", ["score", "verdict", "judgement", "episode"])
def test_changes_by_hand_are_noticed(store: Store, made_url: str, change: str) -> None:
    first, second = play(store, 0), play(store, 1)
    for id_ in (first, second):
        judge(store, id_)
        judge(store, id_, by="j2")
    of_first = JudgementRow.episode_id == first, JudgementRow.judge_id == "j1"
    of_judgement = (
        VerdictRow.judgement_id == select(JudgementRow.id).where(*of_first).scalar_subquery()
    )
    statements = {
        "score": update(VerdictRow)
        .where(of_judgement, VerdictRow.seat == "seller")
        .values(score=5.0, rescaled=1.0),
        "verdict": delete(VerdictRow).where(of_judgement, VerdictRow.seat == "seller"),
        "judgement": delete(JudgementRow).where(*of_first),
        "episode": delete(EpisodeRow).where(EpisodeRow.id == first),
    }
    by_hand(made_url, statements[change])
    stale = [row for rows in tables(made_url) for row in rows if True in row]
    assert len(stale) == (3 if change == "episode" else 1)

    def now() -> None:
        if change == "episode":
            assert first_64_bits(first) not in cells(store).episode
        else:
            seller = {"score": 1.0, "verdict": None, "judgement": None}[change]
            assert values(store, first)[0][2] == seller
            assert values(store, first)[1][2] == (None if change == "judgement" else 0.25)
        assert values(store, second)[0][2] == values(store, second, "j2")[0][2] == 0.7

    now()  # made again for whoever reads
    third = play(store, 2)
    judge(store, third)  # and in the database by whoever writes next
    now()
    assert values(store, third)[0][2] == 0.7
    engine = open_engine(parse_address(made_url), create=False)
    before = tables(made_url)
    with engine.begin() as connection:
        connection.execute(update(CellCastRow).values(stale=True))
        connection.execute(update(CellScoreRow).values(stale=True))
        rebuild_all(connection)
    engine.dispose()
    fresh = tables(made_url)
    assert [row for row in fresh[1] if row[4] == "j1"] == [
        row for row in before[1] if row[4] == "j1"
    ]
    assert fresh[0] == before[0]
    now()


def test_a_score_that_is_no_number_is_named(store: Store, made_url: str) -> None:
    id_ = play(store, 0)
    judge(store, id_)
    broken = (
        update(VerdictRow)
        .where(VerdictRow.seat == "buyer", VerdictRow.dimension == "goal")
        .values(score=float("inf"))
    )
    by_hand(made_url, broken)
    with pytest.raises(
        InputError, match=rf"episode {id_}: goal of seat 'buyer' by j1 is inf, which is not finite"
    ):
        cells(store)
    judge(store, play(store, 1))  # others go on
    by_hand(made_url, delete(JudgementRow).where(JudgementRow.episode_id == id_))
    assert values(store, id_) == [[None] * 4] * 2


def test_a_judge_without_a_rubric_is_not_kept(store: Store) -> None:
    store.add_judge("j3", "judge", {})
    id_ = play(store, 0)
    judge(store, id_, by="j3")
    assert store.scoring_judge_ids("cup") == []
    assert cells(store, "j3").scores == {}


def test_a_run_that_is_deleted_takes_its_cells_along(store: Store, made_url: str) -> None:
    judge(store, play(store, 0))
    by_hand(made_url, text("DELETE FROM runs"))
    assert tables(made_url) == [[], []]


def test_records_are_sorted_and_replaced() -> None:
    seats = ["smol", "rival"]
    one, two = (encode_cast(f"{n:032x}", f"{n:020x}", 1, False, seats) for n in (2**100, 2**101))
    blob = insert_attempt(insert_attempt(b"", two), one)
    assert blob == one.tobytes() + two.tobytes()
    again = encode_cast(f"{2**100:032x}", f"{7 * 2**70:020x}", 2, True, seats)
    assert insert_attempt(blob, again) == again.tobytes() + two.tobytes()
    assert insert_attempt(insert_attempt(blob, again), one) == again.tobytes() + two.tobytes()
    none = encode_scores("ab" * 10, [{}, None], ["goal"])
    assert (np.isnan(none["values"][0, 0, 0]), none["values"][0, 1, 0]) == (True, np.inf)
    assert insert_record(b"", none[:0], "episode") == b""
