"""Which agents have sat in the same circumstances, and how often: where two can be compared at
all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Self

import numpy as np

from simworld.core.arrays import Bools, Ints
from simworld.results.cells import unique_rows
from simworld.results.seat_scores import ComparedSeats, KnownSeats, compared_mask
from store import Cells, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedCells:
    """The cells (scenario, seat, partners, repeat) that each two agents have both played, judged or
    not.
    """

    counts: Mapping[tuple[str, str, str], int]  # (scenario id, agent, agent), both ways round

    @classmethod
    def of(
        cls,
        store: Store,
        run: str,
        scenarios: Mapping[str, Sequence[str]],
        *,
        compared: ComparedSeats,
    ) -> Self:
        """Those of a run.

        Args:
            store: where it was played.
            run: its name.
            scenarios: id → names of the seats.
            compared: which seats of an episode count.
        """
        counts: Counter[tuple[str, str, str]] = Counter()
        known: KnownSeats = {}
        for cells in store.cells(run, (), scenarios):
            if len(cells.block_index):
                _count(cells, compared_mask(cells, scenarios, compared, known), counts)
        return cls(counts=counts)

    def most(
        self, agents: Sequence[str], first: str | None = None, second: str | None = None
    ) -> tuple[str | None, str | None]:
        """The two of these agents that share most cells, of equal ones the first.

        An agent that is passed is kept. None stands for an agent that cannot be found.
        """
        totals: Counter[tuple[str, str]] = Counter()
        for (_, one, other), count in self.counts.items():
            totals[one, other] += count
        ones = agents if first is None else [first]
        others = agents if second is None else [second]
        found = [(one, other) for one in ones for other in others if one != other]
        return max(found, key=lambda pair: totals[pair], default=(first, second))

    def where(self, first: str, second: str, scenarios: Sequence[str]) -> str | None:
        """The one of these scenarios in which two agents share most cells, of equal ones the
        first.
        """
        return max(
            scenarios,
            key=lambda scenario: self.counts.get((scenario, first, second), 0),
            default=None,
        )


def _count(cells: Cells, compared: Bools, counts: Counter[tuple[str, str, str]]) -> None:
    ids = [scenario for _, scenario, _ in cells.blocks]
    for seat in range(cells.agent_index.shape[1]):
        wanted = compared[:, seat]
        if not wanted.any():
            continue
        beside = np.delete(cells.agent_index, seat, axis=1)[wanted]
        first, cell = unique_rows(cells.block_index[wanted], *beside.T)
        there = np.zeros((len(first), len(cells.agent_names)), dtype=np.int64)
        there[cell, cells.agent_index[wanted, seat]] = 1
        of_cell = np.array(ids, dtype=object)[cells.block_index[wanted][first]]
        for scenario in dict.fromkeys(of_cell.tolist()):
            both = there[of_cell == scenario]
            met: Ints = both.T @ both
            for i, j in combinations(range(len(cells.agent_names)), 2):
                if met[i, j]:
                    counts[scenario, cells.agent_names[i], cells.agent_names[j]] += int(met[i, j])
                    counts[scenario, cells.agent_names[j], cells.agent_names[i]] += int(met[i, j])
