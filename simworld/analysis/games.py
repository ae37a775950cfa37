"""From scores to games: what standings are computed from, as sums and counts by family.

Two agents with a score in the same cell have played a *game*: the higher score wins, and a difference that the judge could make by
itself is a tie.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations, groupby

import numpy as np

from simworld.analysis.cells import CellScores, Floats, Ints
from simworld.analysis.cells import SeatScore as SeatScore

_SMALLEST = 1e-12  # difference that is none of rounding: equal scores may have been summed in another order


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreSum:
    """The scores of one agent in one family on one dimension."""

    dimension: str
    agent: str
    family: str
    total: float  # of the scores
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
    """As `count_cells`, of single scores; those of a scenario stand together, so that memory holds one scenario's."""
    of_scenarios = groupby(scores, key=lambda score: score.scenario)
    return count_cells((CellScores.of(list(held)) for _, held in of_scenarios), ties)


def count_cells(parts: Iterable[CellScores], ties: Mapping[str, float] | None = None) -> Counted:
    """Sums of scores, and counts of games.

    Args:
        parts: no cell is in two of them.
        ties: measure → a difference below it is a tie; default 0: only equal scores tie.

    Raises:
        ValueError: a value is not finite.
    """
    sums: dict[tuple[str, str, str], list[tuple[float, int]]] = defaultdict(list)
    games: dict[tuple[str, str, str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for part in parts:
        first, values = part.dense()
        families, starts = _families(part, first)
        there = ~np.isnan(values)
        totals = np.add.reduceat(np.where(there, values, 0.0), starts).tolist()
        numbers = np.add.reduceat(there, starts, dtype=np.int64).tolist()
        for family, of_agents, ns in zip(families, totals, numbers, strict=True):
            for agent, of_measures, n_by_measure in zip(part.agents, of_agents, ns, strict=True):
                for measure, total, n in zip(part.measures, of_measures, n_by_measure, strict=True):
                    if n:
                        sums[measure, agent, family].append((total, n))
        least = np.array([max((ties or {}).get(measure, 0.0), _SMALLEST) for measure in part.measures])
        for (one, i), (other, j) in combinations(sorted(zip(part.agents, range(len(part.agents)), strict=True)), 2):
            for family, outcomes in zip(families, _outcomes(values[:, i] - values[:, j], least, starts), strict=True):
                for measure, found in zip(part.measures, outcomes, strict=True):
                    if any(found):
                        held = games[measure, one, other, family]
                        held[:] = [a + b for a, b in zip(held, found, strict=True)]
    return Counted(
        sums=tuple(
            ScoreSum(
                dimension=dimension,
                agent=agent,
                family=family,
                total=math.fsum(total for total, _ in found),
                n=sum(n for _, n in found),
            )
            for (dimension, agent, family), found in sorted(sums.items())
        ),
        games=tuple(
            GameCount(dimension=dimension, first=first, second=second, family=family, wins=won, ties=tied, losses=lost)
            for (dimension, first, second, family), (won, tied, lost) in sorted(games.items())
        ),
    )


def _families(part: CellScores, first: Ints) -> tuple[list[str], Ints]:
    """The families of cells that are in the order of their places, and where in them each begins."""
    names = [family for family, _, _ in part.places]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    of_cells = np.array([numbers[name] for name in names])[part.place[first]]
    starts = np.flatnonzero(np.diff(of_cells, prepend=-1))
    return [list(numbers)[number] for number in of_cells[starts]], starts


def _outcomes(gaps: Floats, least: Floats, starts: Ints) -> list[list[list[int]]]:
    """By family and measure: games won, tied and lost, from differences (C, M) that are NaN where there was no game."""
    won, lost, all_ = (
        np.add.reduceat(found, starts, dtype=np.int64) for found in (gaps >= least, gaps <= -least, ~np.isnan(gaps))
    )
    outcomes: list[list[list[int]]] = np.stack([won, all_ - won - lost, lost], axis=-1).tolist()
    return outcomes
