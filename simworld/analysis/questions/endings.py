"""How episodes ended: shares with intervals over families."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import pandas as pd

from simworld.analysis.questions.mean_scores import (
    estimate_columns,
    family_notes,
    group_columns,
    require_one_meaning,
)
from simworld.analysis.questions.query_source import QuerySource, to_frame, with_notes
from simworld.analysis.questions.scope import ScopeFilters, resolve_scope
from simworld.analysis.questions.seat_frames import ALL_COLUMN
from simworld.stats.intervals import mean_from_sums

_COLUMNS = {
    "agent": "s.agent_name",
    "seat": "s.seat",
    "position": "s.position",
    "run": "e.run",
    "scenario": "e.scenario_name",
    "family": "e.family",
    "kind": "(SELECT k.kind FROM scenarios k WHERE k.id = e.scenario_id)",
}
_SEAT_COLUMNS = {"agent", "seat", "position"}
# The last attempt at each work item; only one that failed is ever tried again
_LAST_ATTEMPT = """(e.ending <> 'failed' OR NOT EXISTS (
  SELECT 1 FROM episodes l WHERE l.run = e.run AND l.item_key = e.item_key
    AND l.attempt > e.attempt))"""


def endings(source: QuerySource, filters: ScopeFilters, *, by: Sequence[str]) -> pd.DataFrame:
    """See `Analysis.endings`."""
    groups = [name for name in group_columns(by, list(_COLUMNS)) if name != ALL_COLUMN]
    scope = resolve_scope(source, **filters)
    seats = not _SEAT_COLUMNS.isdisjoint(groups)
    if seats:
        require_one_meaning(source, scope)
    seat_join = "JOIN episode_seats s ON s.episode_id = e.id" if seats else ""
    group_by = ", ".join(str(i + 1) for i in range(len(groups) + 3))
    sql = f"""
SELECT {"".join(f"{_COLUMNS[name]}, " for name in groups)}e.ending, e.reason, e.family,
  count(*), sum(e.turns)
FROM episodes e {seat_join}
WHERE {scope.episode_condition()} AND {scope.seat_condition() if seats else "1 = 1"}
  AND {_LAST_ATTEMPT}
GROUP BY {group_by} ORDER BY {group_by}"""
    counts: dict[tuple[Any, ...], dict[tuple[str, str], dict[str, int]]] = defaultdict(
        lambda: defaultdict(dict)
    )
    totals: dict[tuple[Any, ...], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    turns: dict[tuple[Any, ...], int] = defaultdict(int)
    for *key, ending, reason, unit, count, played in source.rows(sql, scope.params):
        group = tuple(key)
        counts[group][ending, reason][unit] = int(count)
        totals[group][unit] += int(count)
        turns[*group, ending, reason] += int(played)
    rows = []
    for group, by_ending in counts.items():
        for (ending, reason), of_family in by_ending.items():
            n = sum(of_family.values())
            share = mean_from_sums(
                {unit: (of_family.get(unit, 0), total) for unit, total in totals[group].items()}
            )
            mean_turns = turns[*group, ending, reason] / n
            rows.append((*group, ending, reason, n, *estimate_columns(share), mean_turns))
    number = dict.fromkeys(("share", "low", "high"), "float64")
    columns = {**dict.fromkeys(groups, ""), "ending": "", "reason": "", "count": "int64", **number}
    families = len({unit for of_group in totals.values() for unit in of_group})
    return with_notes(
        to_frame(rows, {**columns, "n": "int64", "families": "int64", "turns": "float64"}),
        family_notes(families),
    )
