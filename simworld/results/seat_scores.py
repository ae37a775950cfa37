"""The table of scores: who got what in which cell, on every measure.

A *cell* is a scenario, a seat, the agents in the other seats, and a repeat: equal circumstances for
all who play it.
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

RepeatKey = tuple[str, str, int]  # family, scenario id, repeat
T = TypeVar("T", bound=Hashable)
_MOST = 2**63 - 1


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
    places: tuple[RepeatKey, ...]  # in order
    place: Ints  # (N,) into `places`
    seat: Ints  # (N,) a number for each
    partners: Ints  # (N,) a number for each combination of agents in the other seats
    seats: int  # of the scenarios
    episode: NDArray[np.uint64]  # (N,) a number for each
    agent: Ints  # (N,) into `agents`
    # (N, M) shares of the range, but `sotopia_mean` and the dimensions of an evaluation, which are
    # shown raw; NaN where there is none
    values: Floats

    def dense(self) -> tuple[Ints, Floats]:
        """By cell, in the order of places: one of its scores (C,), and its values (C, K, M) for the
        K agents.
        """
        first, cell = unique_rows(self.place, self.seat, self.partners)
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
    return [_table(seats, held) for seats, held in by_seats.items()]


def _table(seats: int, scores: Sequence[SeatScore]) -> SeatScores:
    agents, agent = _numbered([score.agent for score in scores])
    places, place = _numbered([(score.family, score.scenario, score.repeat) for score in scores])
    measures = tuple(dict.fromkeys(name for score in scores for name in score.values))
    return SeatScores(
        agents=agents,
        measures=measures,
        places=places,
        place=place,
        seat=_numbered([score.seat for score in scores])[1],
        partners=_numbered([score.partners for score in scores])[1],
        seats=seats,
        episode=_numbered([score.episode for score in scores])[1].astype(np.uint64),
        agent=agent,
        values=np.array(
            [[score.values.get(name, np.nan) for name in measures] for score in scores]
        ).reshape(len(scores), len(measures)),
    )


def unique_rows(*columns: Ints) -> tuple[Ints, Ints]:
    """Columns (n,) of numbers from 0: where each different row is first, rows in order; and the
    place of every row among these.
    """
    first = number = np.zeros(len(columns[0]), dtype=np.int64)
    count = 1  # numbers are below it
    for column in columns:
        more = int(column.max()) + 1
        if count * more > _MOST:
            _, number = np.unique(number, return_inverse=True)
            count = int(number.max()) + 1
        number, count = number * more + column, count * more
    _, first, number = np.unique(number, return_index=True, return_inverse=True)
    return first, number


def _numbered(values: Sequence[T]) -> tuple[tuple[T, ...], Ints]:
    """The different values in order, and for each value its place among them."""
    known = sorted(set(values))  # type: ignore[type-var]
    places = {value: place for place, value in enumerate(known)}
    return tuple(known), np.array([places[value] for value in values], dtype=np.int64)
