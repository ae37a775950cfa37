"""From scores to games: what standings are computed from, as sums and counts by family.

Two agents with a score in the same cell have played a *game*: the higher score wins, and a
difference that the judge could make by itself is a tie.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from simworld.core.arrays import Floats, Ints
from simworld.results.seat_scores import SeatScores

_MAX_BYTE = 255  # the most that a byte can count
# difference that is none of rounding: equal scores may have been summed in another order
_MIN_GAP = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GameCounts:
    """All sums and counts, of F families, K agents and M measures, whatever the order of the
    scores.
    """

    families: tuple[str, ...]  # in order, like agents and measures
    agents: tuple[str, ...]
    measures: tuple[str, ...]
    score_sums: Floats  # (F, K, M) scores, summed
    score_counts: Ints  # (F, K, M) how many scores
    wins: Ints  # (F, K, K, M) games won by the agent of the row against that of the column
    ties: Ints  # (F, K, K, M) symmetric


def count_games(parts: Iterable[SeatScores], ties: Mapping[str, float] | None = None) -> GameCounts:
    """Sums of scores, and counts of games.

    Args:
        parts: no cell is in two of them.
        ties: measure → a difference below it is a tie; default 0: only equal scores tie.
    """
    found = sorted(
        ((part.blocks[0], _count_table(part, ties or {})) for part in parts),
        key=lambda pair: pair[0],
    )
    return _merge([counted for _, counted in found])


def _count_table(part: SeatScores, ties: Mapping[str, float]) -> GameCounts:
    first, values = part.values_by_cell()
    names = [family for family, _, _ in part.blocks]
    known = list(dict.fromkeys(names))
    family = np.array([known.index(name) for name in names])[part.block[first]]
    starts = np.flatnonzero(
        np.diff(family, prepend=-1)
    )  # where each family begins, for cells are in the order of their places
    agents = len(part.agents)
    wins, ties_ = np.zeros((2, len(starts), agents, agents, len(part.measures)), dtype=np.int64)
    least = np.array([[max(ties.get(measure, 0.0), _MIN_GAP)] for measure in part.measures])
    # (K, M, C), which is faster to go along
    lines = np.ascontiguousarray(values.transpose(1, 2, 0))
    there = ~np.isnan(lines)
    counter = _Counter(starts, len(first))
    for i, j in combinations(range(agents), 2):
        gaps = lines[i] - lines[j]  # NaN where there was no game
        won, lost, all_ = (
            counter.count(found) for found in (gaps >= least, gaps <= -least, there[i] & there[j])
        )
        wins[:, i, j], wins[:, j, i] = won, lost
        ties_[:, i, j] = ties_[:, j, i] = all_ - won - lost
    return GameCounts(
        families=tuple(known[number] for number in family[starts]),
        agents=part.agents,
        measures=part.measures,
        score_sums=np.add.reduceat(np.where(np.isnan(values), 0.0, values), starts),
        score_counts=counter.count(there),
        wins=wins,
        ties=ties_,
    )


class _Counter:
    """Counts what is true from each start to the next. It sums bytes as far as they go, which is
    many times faster.
    """

    def __init__(self, starts: Ints, end: int) -> None:
        ends = [*starts[1:].tolist(), end]
        self._parts = np.concatenate(
            [np.arange(a, b, _MAX_BYTE) for a, b in zip(starts.tolist(), ends, strict=True)]
        )
        self._starts = np.searchsorted(self._parts, starts)

    def count(self, found: NDArray[np.bool_]) -> Ints:
        """(starts, …) of (…, n)."""
        sums = np.add.reduceat(found.view(np.uint8), self._parts, axis=-1, dtype=np.uint8)
        counts: Ints = np.moveaxis(
            np.add.reduceat(sums, self._starts, axis=-1, dtype=np.int64), -1, 0
        )
        return counts


def _merge(parts: Sequence[GameCounts]) -> GameCounts:
    families, agents, measures = (
        tuple(sorted({name for part in parts for name in getattr(part, names)}))
        for names in ("families", "agents", "measures")
    )
    each, pairs = (len(families), len(agents)), (len(families), len(agents), len(agents))
    found = GameCounts(
        families=families,
        agents=agents,
        measures=measures,
        score_sums=np.zeros((*each, len(measures))),
        score_counts=np.zeros((*each, len(measures)), dtype=np.int64),
        wins=np.zeros((*pairs, len(measures)), dtype=np.int64),
        ties=np.zeros((*pairs, len(measures)), dtype=np.int64),
    )
    for part in parts:
        f, k, m = (
            [known.index(name) for name in names]
            for known, names in (
                (families, part.families),
                (agents, part.agents),
                (measures, part.measures),
            )
        )
        found.score_sums[np.ix_(f, k, m)] += part.score_sums
        found.score_counts[np.ix_(f, k, m)] += part.score_counts
        found.wins[np.ix_(f, k, k, m)] += part.wins
        found.ties[np.ix_(f, k, k, m)] += part.ties
    return found
