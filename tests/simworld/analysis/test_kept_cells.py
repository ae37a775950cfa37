"""Standings from the cells that the store keeps are those from the raw scores, whatever happened
and in whatever order."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simworld.results.games import GameCounts, count_games
from simworld.results.score_reading import ScoreTally, read_scores, retest_deviations
from simworld.results.seat_scores import SeatScore, SeatScores
from simworld.results.standings import make_standings
from store import Store, open_store
from tests.simworld.analysis.raw import raw_deviation, raw_samples, raw_scores
from tests.simworld.results.counted import count, games, sums
from tests.store.histories import SCENARIOS, Event, begin, hands, happen, judges, plays

AGENTS = ("rival", "smol")  # in the order of names, as the store numbers them
SEATS = {scenario.id: [seat.name for seat in scenario.seats] for scenario in SCENARIOS}
histories = st.lists(plays | judges, min_size=1, max_size=60)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the run and its judges, and nothing played."""
    path = tmp_path_factory.mktemp("template") / "x.db"
    with open_store(str(path), create=True) as store:
        begin(store)
    return path


@contextmanager
def after(template: Path, events: Sequence[Event]) -> Iterator[Store]:
    """A store in which these things happened."""
    with tempfile.TemporaryDirectory() as folder:
        path = shutil.copy(template, Path(folder) / "x.db")
        with open_store(str(path)) as store:
            happen(store, str(path), events)
            yield store


def plain(parts: Sequence[SeatScores]) -> dict[tuple[object, ...], dict[str, float]]:
    """Place, seat, partners and agent → values by measure."""
    found = {}
    for part in parts:
        columns = (part.block, part.seat, part.partners, part.agent, part.values)
        for place, seat, partners, agent, values in zip(
            *(column.tolist() for column in columns), strict=True
        ):
            where = part.blocks[place]
            beside = (AGENTS[partners],) if part.seat_count == 2 else partners
            key = (*where, SEATS[where[1]][seat], beside, part.agents[agent])
            assert key not in found
            found[key] = {
                name: value
                for name, value in zip(part.measures, values, strict=True)
                if value == value
            }
    return found


def key_of(score: SeatScore) -> tuple[object, ...]:
    return score.family, score.scenario, score.repeat, score.seat, score.partners, score.agent


def check(store: Store, judge: str) -> None:
    """Compares what is kept with what is computed from raw scores."""
    reading = ScoreTally()
    parts = list(read_scores(store, "cup", [judge], SEATS, agents=AGENTS, tally=reading))
    scores, counts, judged = raw_scores(store, "cup", judge)
    assert dict(reading.seat_counts) == counts
    assert reading.judged_episodes == judged
    kept = plain([part for part in parts if part.seat_count == 2])
    assert kept == {
        key_of(score): pytest.approx(score.values, rel=1e-12, abs=1e-12)
        for score in scores
        if len(score.partners) == 1
    }
    assert sum(len(part.agent) for part in parts) == len(scores)
    assert same(
        count_games(parts, {"goal": 0.25}),
        count(sorted(scores, key=lambda s: s.scenario), {"goal": 0.25}),
    )
    samples = raw_samples(store, "cup", judge)
    found = retest_deviations(store, "cup", [judge], SEATS)
    for measure in ("overall", "sotopia_mean", "goal", "tone"):
        expected = raw_deviation(
            [by_measure[measure] for by_measure in samples.values() if measure in by_measure]
        )
        assert found.get(measure) == (
            None if expected is None else pytest.approx(expected, abs=1e-12)
        )


def same(one: GameCounts, other: GameCounts) -> bool:
    """Equal counts, sums that differ by rounding at most, and so equal standings."""
    near: Any = {
        key: (pytest.approx(total, abs=1e-9), n) for key, (total, n) in sums(other).items()
    }
    tables = [make_standings(c, agents=AGENTS, rounds=20).tables for c in (one, other)]
    records = [
        {name: (table.games, table.ties, table.win_records) for name, table in t.items()}
        for t in tables
    ]
    return games(one) == games(other) and sums(one) == near and records[0] == records[1]


@settings(max_examples=30, deadline=None)
@given(events=histories)
def test_kept_cells_are_the_raw_scores(template: Path, events: list[Event]) -> None:
    with after(template, events) as store:
        for judge in ("j1", "j2"):
            check(store, judge)


@settings(max_examples=20, deadline=None)
@given(events=st.lists(plays | judges | hands, min_size=10, max_size=60))
def test_also_after_changes_by_hand(template: Path, events: list[Event]) -> None:
    with after(template, events) as store:
        for judge in ("j1", "j2"):
            check(store, judge)
