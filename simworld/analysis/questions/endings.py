"""How episodes ended: shares with intervals over families."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import pandas as pd

from simworld.analysis.questions.names import LAST, scope
from simworld.analysis.questions.scores import GROUPS, cells, estimate, grouped, grouping, one_meaning, rough, selected
from simworld.analysis.questions.source import Source, noted, table


def endings(
    source: Source,
    *,
    by: Sequence[str],
    run: str | None,
    scenario: str | None,
    family: str | None,
    agents: Sequence[str],
) -> pd.DataFrame:
    """See `Analysis.endings`."""
    groups = grouping(by, GROUPS)
    among = scope(source, run=run, scenario=scenario, family=family, agents=agents)
    seats = {"agent", "seat"} & set(groups)
    if seats:
        one_meaning(source, among)
    joined = "JOIN episode_seats s ON s.episode_id = e.id" if seats else ""
    sql = f"""
SELECT {selected(groups)}e.ending, e.reason, e.family, count(*), sum(e.turns)
FROM episodes e {joined}
WHERE {among.episodes()} AND {among.seats() if seats else "1 = 1"} AND {LAST}
{grouped(len(groups) + 3)}"""
    counts: dict[tuple[Any, ...], dict[tuple[str, str], dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    totals: dict[tuple[Any, ...], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    turns: dict[tuple[Any, ...], int] = defaultdict(int)
    for *key, ending, reason, unit, count, played in source.rows(sql, among.values):
        group = tuple(key)
        counts[group][ending, reason][unit] = int(count)
        totals[group][unit] += int(count)
        turns[*group, ending, reason] += int(played)
    rows = []
    for group, by_ending in counts.items():
        for (ending, reason), of_family in by_ending.items():
            n = sum(of_family.values())
            share = estimate({unit: (of_family.get(unit, 0), all_) for unit, all_ in totals[group].items()})
            rows.append((*group, ending, reason, n, *cells(share), turns[*group, ending, reason] / n))
    number = dict.fromkeys(("share", "low", "high"), "float64")
    columns = {**dict.fromkeys(groups, ""), "ending": "", "reason": "", "count": "int64", **number}
    families = len({unit for of_group in totals.values() for unit in of_group})
    return noted(table(rows, {**columns, "n": "int64", "families": "int64", "turns": "float64"}), rough(families))
