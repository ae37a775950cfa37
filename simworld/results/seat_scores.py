"""The table of scores: who got what in which cell, on every measure.

A *cell* is a scenario, a seat, the agents in the other seats, and a repeat: equal circumstances for
all who play it. A *block* is a scenario and a repeat. `core.measures` computes the scores.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from simworld.core.arrays import Floats, Ints

BlockKey = tuple[str, str, int]  # family, scenario id, repeat
T = TypeVar("T", bound=Hashable)
_MAX_INT64 = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatScore:
    """What an agent got in a cell: measure → value."""

    agent: str  # or the arm of an evaluation
    family: str
    scenario: str  # id
    seat: str
    partners: tuple[str, ...]  # agents in the other seats, in their order
    repeat: int
    episode: str  # id
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SeatScores:
    """N scores, each of an agent in a cell, by M measures. The order of the scores means
    nothing.
    """

    agents: tuple[str, ...]
    measures: tuple[str, ...]
    blocks: tuple[BlockKey, ...]  # in order
    block: Ints  # (N,) into `blocks`
    seat: Ints  # (N,) a number for each
    partners: Ints  # (N,) a number for each combination of agents in the other seats
    seat_count: int  # of the scenarios
    episode: NDArray[np.uint64]  # (N,) a number for each
    agent: Ints  # (N,) into `agents`
    # (N, M) shares of the range, but `sotopia_mean` and the dimensions of an evaluation, which are
    # shown raw; NaN where there is none
    values: Floats

    def values_by_cell(self) -> tuple[Ints, Floats]:
        """By cell, in the order of blocks: one of its scores (C,), and its values (C, K, M) for the
        K agents.
        """
        first, cell = unique_rows(self.block, self.seat, self.partners)
        values = np.full((len(first), len(self.agents), len(self.measures)), np.nan)
        values[cell, self.agent] = self.values
        return first, values


def to_score_tables(scores: Iterable[SeatScore]) -> list[SeatScores]:
    """Single scores as tables, one for each number of seats.

    Raises:
        ValueError: a value is not finite.
    """
    by_seats: dict[int, list[SeatScore]] = defaultdict(list)
    for score in scores:
        by_seats[1 + len(score.partners)].append(score)
        for measure, value in score.values.items():
            if not math.isfinite(value):
                raise ValueError(
                    f"episode {score.episode}: {measure} of {score.agent!r} is not finite: {value}"
                )
    return [_make_table(seat_count, of_seats) for seat_count, of_seats in by_seats.items()]


def _make_table(seats: int, scores: Sequence[SeatScore]) -> SeatScores:
    agents, agent = _number_values([score.agent for score in scores])
    blocks, block = _number_values(
        [(score.family, score.scenario, score.repeat) for score in scores]
    )
    measures = tuple(dict.fromkeys(measure for score in scores for measure in score.values))
    return SeatScores(
        agents=agents,
        measures=measures,
        blocks=blocks,
        block=block,
        seat=_number_values([score.seat for score in scores])[1],
        partners=_number_values([score.partners for score in scores])[1],
        seat_count=seats,
        episode=_number_values([score.episode for score in scores])[1].astype(np.uint64),
        agent=agent,
        values=np.array(
            [[score.values.get(measure, np.nan) for measure in measures] for score in scores]
        ).reshape(len(scores), len(measures)),
    )


def unique_rows(*columns: Ints) -> tuple[Ints, Ints]:
    """The first index of each different row, rows in order; and the number of every row among
    these. Columns are (n,) numbers from 0.
    """
    first_rows = row_numbers = np.zeros(len(columns[0]), dtype=np.int64)
    bound = 1  # numbers are below it
    for column in columns:
        column_bound = int(column.max()) + 1
        if bound * column_bound > _MAX_INT64:
            _, row_numbers = np.unique(row_numbers, return_inverse=True)
            bound = int(row_numbers.max()) + 1
        row_numbers, bound = row_numbers * column_bound + column, bound * column_bound
    _, first_rows, row_numbers = np.unique(row_numbers, return_index=True, return_inverse=True)
    return first_rows, row_numbers


def _number_values(values: Sequence[T]) -> tuple[tuple[T, ...], Ints]:
    """The different values in order, and the index of each value among them."""
    distinct_values = sorted(set(values))  # type: ignore[type-var]
    number_of = {value: number for number, value in enumerate(distinct_values)}
    return tuple(distinct_values), np.array([number_of[value] for value in values], dtype=np.int64)
