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


def count_games(
    tables: Iterable[SeatScores], thresholds: Mapping[str, float] | None = None
) -> GameCounts:
    """Sums of scores, and counts of games.

    Args:
        tables: no cell is in two of them.
        thresholds: measure → a difference below it is a tie; default 0: only equal scores tie.
    """
    counts = sorted(
        ((table.blocks[0], _count_table(table, thresholds or {})) for table in tables),
        key=lambda pair: pair[0],
    )
    return _merge([game_counts for _, game_counts in counts])


def _count_table(table: SeatScores, thresholds: Mapping[str, float]) -> GameCounts:
    first_rows, values = table.values_by_cell()
    families = [family for family, _, _ in table.blocks]
    distinct_families = list(dict.fromkeys(families))
    family = np.array([distinct_families.index(name) for name in families])[table.block[first_rows]]
    # where each family begins, for cells are in the order of their places
    starts = np.flatnonzero(np.diff(family, prepend=-1))
    agents = len(table.agents)
    wins, ties = np.zeros((2, len(starts), agents, agents, len(table.measures)), dtype=np.int64)
    least = np.array([[max(thresholds.get(measure, 0.0), _MIN_GAP)] for measure in table.measures])
    # (K, M, C), which is faster to go along
    by_agent = np.ascontiguousarray(values.transpose(1, 2, 0))
    has_score = ~np.isnan(by_agent)
    counter = _Counter(starts, len(first_rows))
    for i, j in combinations(range(agents), 2):
        gaps = by_agent[i] - by_agent[j]  # NaN where there was no game
        won, lost, both = (
            counter.count(mask)
            for mask in (gaps >= least, gaps <= -least, has_score[i] & has_score[j])
        )
        wins[:, i, j], wins[:, j, i] = won, lost
        ties[:, i, j] = ties[:, j, i] = both - won - lost
    return GameCounts(
        families=tuple(distinct_families[number] for number in family[starts]),
        agents=table.agents,
        measures=table.measures,
        score_sums=np.add.reduceat(np.where(np.isnan(values), 0.0, values), starts),
        score_counts=counter.count(has_score),
        wins=wins,
        ties=ties,
    )


class _Counter:
    """Counts what is true from each start to the next. It sums bytes as far as they go, which is
    many times faster.
    """

    def __init__(self, starts: Ints, end: int) -> None:
        ends = [*starts[1:].tolist(), end]
        self._chunk_starts = np.concatenate(
            [np.arange(a, b, _MAX_BYTE) for a, b in zip(starts.tolist(), ends, strict=True)]
        )
        self._starts = np.searchsorted(self._chunk_starts, starts)

    def count(self, mask: NDArray[np.bool_]) -> Ints:
        """(starts, …) of (…, n)."""
        sums = np.add.reduceat(mask.view(np.uint8), self._chunk_starts, axis=-1, dtype=np.uint8)
        counts: Ints = np.moveaxis(
            np.add.reduceat(sums, self._starts, axis=-1, dtype=np.int64), -1, 0
        )
        return counts


def _merge(tables: Sequence[GameCounts]) -> GameCounts:
    families, agents, measures = (
        tuple(sorted({name for table in tables for name in getattr(table, names)}))
        for names in ("families", "agents", "measures")
    )
    per_agent, per_pair = (len(families), len(agents)), (len(families), len(agents), len(agents))
    merged = GameCounts(
        families=families,
        agents=agents,
        measures=measures,
        score_sums=np.zeros((*per_agent, len(measures))),
        score_counts=np.zeros((*per_agent, len(measures)), dtype=np.int64),
        wins=np.zeros((*per_pair, len(measures)), dtype=np.int64),
        ties=np.zeros((*per_pair, len(measures)), dtype=np.int64),
    )
    for table in tables:
        f, k, m = (
            [all_names.index(name) for name in names]
            for all_names, names in (
                (families, table.families),
                (agents, table.agents),
                (measures, table.measures),
            )
        )
        merged.score_sums[np.ix_(f, k, m)] += table.score_sums
        merged.score_counts[np.ix_(f, k, m)] += table.score_counts
        merged.wins[np.ix_(f, k, k, m)] += table.wins
        merged.ties[np.ix_(f, k, k, m)] += table.ties
    return merged
