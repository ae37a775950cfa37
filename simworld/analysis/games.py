"""From scores to games: what standings are computed from, as sums and counts by family.

A *cell* is a scenario, a seat, the agents in the other seats and a repeat. Two agents with a score in the same cell have played
a *game*: the higher score wins, and a difference that the judge could make by itself is a tie.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations, groupby

from simworld.core.paired import Circumstance

_ROUNDING = 1e-12  # equal scores that were summed in another order are equal


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatScore:
    """What an agent got in a cell: measure → value."""

    agent: str
    family: str
    scenario: str  # id
    seat: str
    partners: tuple[str, ...]  # agents in the other seats, in their order
    repeat: int
    episode: str  # id
    values: Mapping[str, float]

    @property
    def circumstance(self) -> Circumstance:
        """The cell, as paired comparisons know it."""
        return Circumstance(
            family=self.family,
            scenario=self.scenario,
            seat=self.seat,
            partner=" + ".join(self.partners),
            repeat=self.repeat,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreSum:
    """The scores of one agent in one family on one dimension."""

    dimension: str
    agent: str
    family: str
    total: float  # of the scores
    squares: float  # of the squared scores
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GameCount:
    """The games between two agents in one family on one dimension; `first` < `second`."""

    dimension: str
    first: str
    second: str
    family: str
    wins: int  # of the first
    ties: int
    losses: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """All sums and counts, in the order of their names, whatever the order of the scores."""

    sums: tuple[ScoreSum, ...]
    games: tuple[GameCount, ...]


def count(scores: Iterable[SeatScore], ties: Mapping[str, float] | None = None) -> Counted:
    """Sums of scores, and counts of games.

    Args:
        scores: one for each agent and cell; those of a scenario stand together, so that memory holds one scenario's.
        ties: measure → a difference below it is a tie; default 0: only equal scores tie.

    Raises:
        ValueError: a value is not finite.
    """
    values: dict[tuple[str, str, str], list[tuple[float, float, int]]] = defaultdict(list)
    games: dict[tuple[str, str, str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for _, of_scenario in groupby(scores, key=lambda score: score.scenario):
        held = list(of_scenario)
        for key, numbers in _by_agent(held).items():
            values[key].append((math.fsum(numbers), math.fsum(x * x for x in numbers), len(numbers)))
        for first, second in _pairs(held):
            for measure in first.values.keys() & second.values.keys():
                gap = first.values[measure] - second.values[measure]
                tie = abs(gap) <= _ROUNDING or abs(gap) < (ties or {}).get(measure, 0.0)
                outcome = 1 if tie else 0 if gap > 0 else 2
                games[measure, first.agent, second.agent, first.family][outcome] += 1
    return Counted(
        sums=tuple(
            ScoreSum(
                dimension=dimension,
                agent=agent,
                family=family,
                total=math.fsum(part[0] for part in parts),
                squares=math.fsum(part[1] for part in parts),
                n=sum(part[2] for part in parts),
            )
            for (dimension, agent, family), parts in sorted(values.items())
        ),
        games=tuple(
            GameCount(dimension=dimension, first=first, second=second, family=family, wins=won, ties=tied, losses=lost)
            for (dimension, first, second, family), (won, tied, lost) in sorted(games.items())
        ),
    )


def _by_agent(scores: Iterable[SeatScore]) -> dict[tuple[str, str, str], list[float]]:
    found: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for score in scores:
        for measure, value in score.values.items():
            if not math.isfinite(value):
                raise ValueError(f"episode {score.episode}: {measure} of {score.agent!r} is not finite: {value}")
            found[measure, score.agent, score.family].append(value)
    return found


def _pairs(scores: Iterable[SeatScore]) -> Iterable[tuple[SeatScore, SeatScore]]:
    """Every two agents in the same cell, the one whose name comes first before the other."""
    cells: dict[Circumstance, list[SeatScore]] = defaultdict(list)
    for score in scores:
        cells[score.circumstance].append(score)
    for cell in cells.values():
        yield from combinations(sorted(cell, key=lambda score: score.agent), 2)
