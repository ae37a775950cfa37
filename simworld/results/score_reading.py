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
    measure_names_by_judge,
    measures_of_rubric,
    sotopia_scale,
)
from simworld.results.seat_scores import SeatScores, unique_rows
from store import Cells, Store

# Scenario id, agent by seat → the seats in which agents are compared
ComparedSeats = Callable[[str, Mapping[str, str]], Collection[str]]
# Scenario id and cast → by seat, whether it counts
SeatMasks = dict[tuple[Any, ...], Sequence[bool]]


@dataclass(slots=True, kw_only=True)
class SeatCount:
    """What became of the seats that an agent has played. A seat counts once for each work item."""

    played: int = 0
    failed: int = 0  # the episode's last attempt failed
    unscored: int = 0  # the episode ended, but this judge has no score of the seat


@dataclass(slots=True, kw_only=True)
class ScoreTally:
    """Scores as they are read; the counts are complete once all are."""

    # by agent
    seat_counts: dict[str, SeatCount] = field(default_factory=lambda: defaultdict(SeatCount))
    judged_episodes: int = 0  # episodes with a score


def measure_scales(store: Store, judge_ids: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Measure → the ends of its scale, for every measure that these judges give; dimensions last,
    in their rubric's order.
    """
    rubrics = _judge_rubrics(store, judge_ids)
    measures = dict.fromkeys(
        name for columns in measure_names_by_judge(rubrics).values() for name in columns
    )
    scales = {OVERALL: (0.0, 1.0)} | dict.fromkeys(measures, (0.0, 1.0))
    for rubric in rubrics.values():
        if SOTOPIA_MEAN in measures_of_rubric(rubric):
            scales[SOTOPIA_MEAN] = sotopia_scale(rubric)
    main_scales = {name: scales[name] for name in (OVERALL, SOTOPIA_MEAN) if name in scales}
    return main_scales | scales


def retest_deviations(
    store: Store, run: str, judge_ids: Sequence[str], scenarios: Collection[str]
) -> dict[str, float]:
    """Measure → the standard deviation of the difference of two samples of one judge; without those
    never judged twice.
    """
    sums: dict[str, Floats] = defaultdict(lambda: np.zeros(2))
    for judge, measures in measure_names_by_judge(_judge_rubrics(store, judge_ids)).items():
        for scenario, retests in sorted(store.retest_sums(run, judge).items()):
            if scenario in scenarios:
                for name, squares_and_freedom in zip(measures, retests, strict=True):
                    sums[name] += squares_and_freedom
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
    tally: ScoreTally | None = None,
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
        tally: counts what is read.

    Raises:
        InputError: a score is not finite.
    """
    reader = _ScoreReader(
        measure_names_by_judge(_judge_rubrics(store, judge_ids)),
        tuple(agents),
        scenarios,
        compared,
        tally or ScoreTally(),
    )
    for cells in store.cells(run, judge_ids, scenarios):
        yield from reader.read(cells)


class _ScoreReader:
    """Turns cells into scores of the agents and seats that count."""

    def __init__(
        self,
        judge_measures: Mapping[str, Sequence[str]],
        agents: tuple[str, ...],
        scenarios: Mapping[str, Sequence[str]],
        compared: ComparedSeats,
        tally: ScoreTally,
    ) -> None:
        self._judge_measures, self._agents, self._scenarios = (judge_measures, agents, scenarios)
        self._compared, self._tally = compared, tally
        self._measures = tuple(
            dict.fromkeys(name for names in judge_measures.values() for name in names)
        )
        self._seat_masks: SeatMasks = {}
        self._partner_ids: dict[tuple[int, ...], int] = {}

    def read(self, cells: Cells) -> Iterator[SeatScores]:
        """The scores in a part of the cells, if there are any."""
        if not len(cells.block_index):
            return
        values = seat_values(cells, self._judge_measures, self._measures)
        has_score = _has_score(values)
        agent_index = np.array(
            [self._agents.index(name) if name in self._agents else -1 for name in cells.agent_names]
        )
        agents = agent_index[cells.agent_index]
        is_compared = compared_mask(cells, self._scenarios, self._compared, self._seat_masks)
        is_wanted = is_compared & (agents >= 0)
        self._tally.judged_episodes += int(has_score.any(axis=1).sum())
        has_score &= is_wanted & ~cells.failed[:, None]
        self._count_seats(agents, is_wanted, is_wanted & cells.failed[:, None], has_score)
        item, seat = np.nonzero(has_score)
        if not len(item):
            return
        yield SeatScores(
            agents=self._agents,
            measures=self._measures,
            blocks=cells.blocks,
            block=cells.block_index[item],
            seat=seat,
            partners=self._partner_numbers(cells.agent_index)[item, seat],
            seat_count=cells.agent_index.shape[1],
            episode=cells.episode[item],
            agent=agents[item, seat],
            values=values[item, seat],
        )

    def _partner_numbers(self, agents: Ints) -> Ints:
        """(n, S) a number for each combination of agents in the other seats, the same in all
        parts.
        """
        seats = agents.shape[1]
        if seats == 2:
            return agents[:, ::-1]
        others = np.stack(
            [np.delete(agents, seat, axis=1) for seat in range(seats)], axis=1
        ).reshape(-1, seats - 1)
        first_rows, row_numbers = unique_rows(*others.T)
        numbers = [
            self._partner_ids.setdefault(tuple(partners), len(self._partner_ids))
            for partners in others[first_rows].tolist()
        ]
        return np.array(numbers)[row_numbers].reshape(agents.shape)

    def _count_seats(self, agents: Ints, played: Bools, failed: Bools, scored: Bools) -> None:
        counts = [
            np.bincount(agents[mask], minlength=len(self._agents))
            for mask in (played, failed, scored)
        ]
        for agent, n_played, n_failed, n_scored in zip(self._agents, *counts, strict=True):
            if n_played:
                seat_count = self._tally.seat_counts[agent]
                seat_count.played += int(n_played)
                seat_count.failed += int(n_failed)
                seat_count.unscored += int(n_played - n_failed - n_scored)


def seat_values(
    cells: Cells, judge_measures: Mapping[str, Sequence[str]], measures: Sequence[str]
) -> Floats:
    """(n, S, M) what seats have of these measures, of all rubrics of one judge together.

    Args:
        cells: a part of them.
        judge_measures: judge id → the names of its measures, in the order of the store's.
        measures: which are wanted.
    """
    scores = np.full((*cells.agent_index.shape, len(measures)), np.nan)
    for judge, values in cells.scores.items():
        has_score, names = _has_score(values), judge_measures[judge]
        for position, measure in enumerate(measures):
            if measure in names:
                scores[has_score, position] = values[has_score, names.index(measure)]
    return scores


def compared_mask(
    cells: Cells, scenarios: Mapping[str, Sequence[str]], compared: ComparedSeats, cache: SeatMasks
) -> Bools:
    """(n, S) whether agents are compared in a seat; asked once for each cast of a scenario.

    Args:
        cells: a part of them.
        scenarios: id → names of the seats.
        compared: which seats of an episode count.
        cache: what is known from parts before, and is added to.
    """
    ids = [id_ for _, id_, _ in cells.blocks]
    scenario_number = {id_: number for number, id_ in enumerate(dict.fromkeys(ids))}
    scenario = np.array([scenario_number[id_] for id_ in ids])[cells.block_index]
    first, cast = unique_rows(scenario, *cells.agent_index.T)
    masks = []
    for block, agents in zip(
        cells.block_index[first].tolist(), cells.agent_index[first].tolist(), strict=True
    ):
        cache_key = (ids[block], *agents)
        if cache_key not in cache:
            agent_in_seat = {
                seat: cells.agent_names[agent]
                for seat, agent in zip(scenarios[ids[block]], agents, strict=True)
            }
            compared_names = compared(ids[block], agent_in_seat)
            cache[cache_key] = [seat in compared_names for seat in agent_in_seat]
        masks.append(cache[cache_key])
    return np.array(masks, dtype=np.bool_)[cast]


def _judge_rubrics(store: Store, judge_ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    rubrics: dict[str, Mapping[str, Any]] = {}
    for record in store.judges():
        if record.id in judge_ids:
            rubric = record.spec.get("rubric")
            if not isinstance(rubric, dict) or not {"id", "name", "dimensions"} <= rubric.keys():
                problem = "expected the judge's rubric with id, name and dimensions"
                raise StoreDamaged(
                    f"judges, id {record.id!r}: spec: {problem}; the database is damaged, restore a"
                    " copy"
                )
            rubrics[record.id] = rubric
    return rubrics


def _has_score(values: Floats) -> Bools:
    """(n, S) whether a seat has a value."""
    return np.asarray(~np.isnan(values).all(axis=2))
