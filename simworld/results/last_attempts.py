"""The last attempt at a work item counts, and no other: a retry takes the place of what failed.

The store keeps the cells that standings read by the same rule:
`store.cells.cell_records.insert_attempt`.
"""

from __future__ import annotations

from collections.abc import Iterable

from store import EpisodeSummary, Store


def last_attempts(summaries: Iterable[EpisodeSummary]) -> dict[str, EpisodeSummary]:
    """Work item → its last attempt, for the items of one run that were played."""
    last_by_item: dict[str, EpisodeSummary] = {}
    for summary in summaries:
        if last_by_item.setdefault(summary.item_key, summary).attempt < summary.attempt:
            last_by_item[summary.item_key] = summary
    return last_by_item


def failed_attempts(store: Store, run: str) -> tuple[EpisodeSummary, ...]:
    """The last attempts at a run's work items that failed."""
    last_by_item = last_attempts(store.episode_summaries(run=run))
    return tuple(summary for summary in last_by_item.values() if summary.failure is not None)
