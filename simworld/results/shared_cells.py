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
from simworld.results.score_reading import ComparedSeats, SeatMasks, compared_mask
from simworld.results.seat_scores import unique_rows
from store import Cells, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedCells:
    """The cells (scenario, seat, partners, repeat) that each two agents have both played, judged or
    not.
    """

    counts: Mapping[tuple[str, str, str], int]  # (scenario id, agent, agent), both ways round

    @classmethod
    def read(
        cls,
        store: Store,
        run: str,
        scenarios: Mapping[str, Sequence[str]],
        *,
        compared: ComparedSeats,
    ) -> Self:
        """The shared cells of a run.

        Args:
            store: where it was played.
            run: its name.
            scenarios: id → names of the seats.
            compared: which seats of an episode count.
        """
        counts: Counter[tuple[str, str, str]] = Counter()
        masks: SeatMasks = {}
        for cells in store.cells(run, (), scenarios):
            if len(cells.block_index):
                _count_shared(cells, compared_mask(cells, scenarios, compared, masks), counts)
        return cls(counts=counts)

    def most_shared_pair(
        self, agents: Sequence[str], first: str | None = None, second: str | None = None
    ) -> tuple[str | None, str | None]:
        """The two of these agents that share most cells, of equal ones the first.

        An agent that is passed is kept. None stands for an agent that cannot be found.
        """
        totals: Counter[tuple[str, str]] = Counter()
        for (_, one, other), count in self.counts.items():
            totals[one, other] += count
        first_choices = agents if first is None else [first]
        second_choices = agents if second is None else [second]
        pairs = [(one, other) for one in first_choices for other in second_choices if one != other]
        return max(pairs, key=lambda pair: totals[pair], default=(first, second))

    def most_shared_scenario(self, first: str, second: str, scenarios: Sequence[str]) -> str | None:
        """The one of these scenarios in which two agents share most cells, of equal ones the
        first.
        """
        return max(
            scenarios,
            key=lambda scenario: self.counts.get((scenario, first, second), 0),
            default=None,
        )


def _count_shared(cells: Cells, compared: Bools, counts: Counter[tuple[str, str, str]]) -> None:
    ids = [scenario for _, scenario, _ in cells.blocks]
    for seat in range(cells.agent_index.shape[1]):
        is_compared = compared[:, seat]
        if not is_compared.any():
            continue
        partners = np.delete(cells.agent_index, seat, axis=1)[is_compared]
        first_rows, cell = unique_rows(cells.block_index[is_compared], *partners.T)
        sat_in_cell = np.zeros((len(first_rows), len(cells.agent_names)), dtype=np.int64)
        sat_in_cell[cell, cells.agent_index[is_compared, seat]] = 1
        scenario_of_cell = np.array(ids, dtype=object)[cells.block_index[is_compared][first_rows]]
        for scenario in dict.fromkeys(scenario_of_cell.tolist()):
            in_scenario = sat_in_cell[scenario_of_cell == scenario]
            shared: Ints = in_scenario.T @ in_scenario
            for i, j in combinations(range(len(cells.agent_names)), 2):
                if shared[i, j]:
                    counts[scenario, cells.agent_names[i], cells.agent_names[j]] += int(
                        shared[i, j]
                    )
                    counts[scenario, cells.agent_names[j], cells.agent_names[i]] += int(
                        shared[i, j]
                    )
