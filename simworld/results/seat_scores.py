"""The scores of a run by cell, from what the store keeps for standings; memory holds some hundred
scenarios and repeats.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from simworld.core.arrays import Bools, Floats, Ints
from simworld.core.errors import StoreDamaged
from simworld.core.measures import (
    OVERALL,
    SOTOPIA_MEAN,
    measure_names,
    measures_of,
    sotopia_scale,
)
from simworld.results.cells import SeatScores, unique_rows
from store import Cells, Store

# Scenario id, agent by seat → the seats in which agents are compared
ComparedSeats = Callable[[str, Mapping[str, str]], Collection[str]]
KnownSeats = dict[
    tuple[Any, ...], Sequence[bool]
]  # scenario id and cast → by seat, whether it counts


@dataclass(slots=True, kw_only=True)
class SeatCount:
    """What became of the seats that an agent has played. A seat counts once for each work item."""

    played: int = 0
    failed: int = 0  # the episode's last attempt failed
    unscored: int = 0  # the episode ended, but this judge has no score of the seat


@dataclass(slots=True, kw_only=True)
class ScoreCounts:
    """Scores as they are read; the counts are complete once all are."""

    counts: dict[str, SeatCount] = field(default_factory=lambda: defaultdict(SeatCount))  # by agent
    judged: int = 0  # episodes with a score


def measure_scales(store: Store, judge_ids: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Measure → the ends of its scale, for every measure that these judges give; dimensions last,
    in their rubric's order.
    """
    rubrics = _rubrics(store, judge_ids)
    names = dict.fromkeys(name for columns in measure_names(rubrics).values() for name in columns)
    found = {OVERALL: (0.0, 1.0)} | dict.fromkeys(names, (0.0, 1.0))
    for rubric in rubrics.values():
        if SOTOPIA_MEAN in measures_of(rubric):
            found[SOTOPIA_MEAN] = sotopia_scale(rubric)
    first = {name: found[name] for name in (OVERALL, SOTOPIA_MEAN) if name in found}
    return first | found


def retest_deviations(
    store: Store, run: str, judge_ids: Sequence[str], scenarios: Collection[str]
) -> dict[str, float]:
    """Measure → the standard deviation of the difference of two samples of one judge; without those
    never judged twice.
    """
    sums: dict[str, Floats] = defaultdict(lambda: np.zeros(2))
    for judge, names in measure_names(_rubrics(store, judge_ids)).items():
        for scenario, of_scenario in sorted(store.retest_sums(run, judge).items()):
            if scenario in scenarios:
                for name, found in zip(names, of_scenario, strict=True):
                    sums[name] += found
    return {
        name: math.sqrt(2 * squares / freedom)
        for name, (squares, freedom) in sums.items()
        if freedom
    }


def read_scores(
    store: Store,
    run: str,
    judge_ids: Sequence[str],
    scenarios: Mapping[str, Sequence[str]],
    *,
    agents: Sequence[str],
    compared: ComparedSeats = lambda scenario, cast: cast.keys(),
    reading: ScoreCounts | None = None,
) -> Iterator[SeatScores]:
    """Every score of a run: dimensions and `overall` as shares of their range in [0, 1],
    `sotopia_mean` raw; samples averaged.

    Args:
        store: where it was played.
        run: its name.
        judge_ids: of one judge: an id for each rubric. With several rubrics their names stand
            before those of dimensions.
        scenarios: id → names of the seats.
        agents: whose scores are wanted, by name.
        compared: which seats of an episode count.
        reading: counts what is read.

    Raises:
        InputError: a score is not finite.
    """
    reader = _ScoreReader(
        measure_names(_rubrics(store, judge_ids)),
        tuple(agents),
        scenarios,
        compared,
        reading or ScoreCounts(),
    )
    for cells in store.cells(run, judge_ids, scenarios):
        yield from reader.read(cells)


class _ScoreReader:
    """Turns cells into scores of the agents and seats that count."""

    def __init__(
        self,
        columns: Mapping[str, Sequence[str]],
        agents: tuple[str, ...],
        scenarios: Mapping[str, Sequence[str]],
        compared: ComparedSeats,
        reading: ScoreCounts,
    ) -> None:
        self._columns, self._agents, self._scenarios = columns, agents, scenarios
        self._compared, self._reading = compared, reading
        self._measures = tuple(dict.fromkeys(name for names in columns.values() for name in names))
        self._counting: KnownSeats = {}
        self._partners: dict[tuple[int, ...], int] = {}

    def read(self, cells: Cells) -> Iterator[SeatScores]:
        """The scores in a part of the cells, if there are any."""
        if not len(cells.block_index):
            return
        values = seat_values(cells, self._columns, self._measures)
        scored = _there(values)
        column = np.array(
            [self._agents.index(name) if name in self._agents else -1 for name in cells.agent_names]
        )
        agents = column[cells.agent_index]
        counts = compared_mask(cells, self._scenarios, self._compared, self._counting)
        wanted = counts & (agents >= 0)
        self._reading.judged += int(scored.any(axis=1).sum())
        scored &= wanted & ~cells.failed[:, None]
        self._tally(agents, wanted, wanted & cells.failed[:, None], scored)
        item, seat = np.nonzero(scored)
        if not len(item):
            return
        yield SeatScores(
            agents=self._agents,
            measures=self._measures,
            places=cells.blocks,
            place=cells.block_index[item],
            seat=seat,
            partners=self._beside(cells.agent_index)[item, seat],
            seats=cells.agent_index.shape[1],
            episode=cells.episode[item],
            agent=agents[item, seat],
            values=values[item, seat],
        )

    def _beside(self, agents: Ints) -> Ints:
        """(n, S) a number for each combination of agents in the other seats, the same in all
        parts.
        """
        seats = agents.shape[1]
        if seats == 2:
            return agents[:, ::-1]
        others = np.stack(
            [np.delete(agents, seat, axis=1) for seat in range(seats)], axis=1
        ).reshape(-1, seats - 1)
        first, place = unique_rows(*others.T)
        numbers = [
            self._partners.setdefault(tuple(beside), len(self._partners))
            for beside in others[first].tolist()
        ]
        return np.array(numbers)[place].reshape(agents.shape)

    def _tally(self, agents: Ints, played: Bools, failed: Bools, scored: Bools) -> None:
        counts = [
            np.bincount(agents[mask], minlength=len(self._agents))
            for mask in (played, failed, scored)
        ]
        for name, in_all, lost, with_score in zip(self._agents, *counts, strict=True):
            if in_all:
                count = self._reading.counts[name]
                count.played += int(in_all)
                count.failed += int(lost)
                count.unscored += int(in_all - lost - with_score)


def seat_values(
    cells: Cells, names: Mapping[str, Sequence[str]], measures: Sequence[str]
) -> Floats:
    """(n, S, M) what seats have of these measures, of all rubrics of one judge together.

    Args:
        cells: a part of them.
        names: judge id → the names of its measures, in the order of the store's.
        measures: which are wanted.
    """
    found = np.full((*cells.agent_index.shape, len(measures)), np.nan)
    for judge, values in cells.scores.items():
        there = _there(values)
        for column, name in enumerate(measures):
            if name in names[judge]:
                found[there, column] = values[there, names[judge].index(name)]
    return found


def compared_mask(
    cells: Cells, scenarios: Mapping[str, Sequence[str]], compared: ComparedSeats, known: KnownSeats
) -> Bools:
    """(n, S) whether agents are compared in a seat; asked once for each cast of a scenario.

    Args:
        cells: a part of them.
        scenarios: id → names of the seats.
        compared: which seats of an episode count.
        known: what is known from parts before, and is added to.
    """
    ids = [id_ for _, id_, _ in cells.blocks]
    numbers = {id_: number for number, id_ in enumerate(dict.fromkeys(ids))}
    scenario = np.array([numbers[id_] for id_ in ids])[cells.block_index]
    first, cast = unique_rows(scenario, *cells.agent_index.T)
    found = []
    for block, agents in zip(
        cells.block_index[first].tolist(), cells.agent_index[first].tolist(), strict=True
    ):
        key = (ids[block], *agents)
        if key not in known:
            seated = {
                seat: cells.agent_names[agent]
                for seat, agent in zip(scenarios[ids[block]], agents, strict=True)
            }
            wanted = compared(ids[block], seated)
            known[key] = [seat in wanted for seat in seated]
        found.append(known[key])
    return np.array(found, dtype=np.bool_)[cast]


def _rubrics(store: Store, judge_ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for record in store.judges():
        if record.id in judge_ids:
            rubric = record.spec.get("rubric")
            if not isinstance(rubric, dict) or not {"id", "name", "dimensions"} <= rubric.keys():
                what = "expected the judge's rubric with id, name and dimensions"
                raise StoreDamaged(
                    f"judges, id {record.id!r}: spec: {what}; the database is damaged, restore a"
                    " copy"
                )
            found[record.id] = rubric
    return found


def _there(values: Floats) -> Bools:
    """(n, S) whether a seat has a value."""
    return np.asarray(~np.isnan(values).all(axis=2))
