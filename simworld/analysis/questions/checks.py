"""Programmatic checks beside a judge: does it score higher where the check holds?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from simworld.analysis.arms import OVERALL
from simworld.analysis.questions.judges import Judge, choose_judge
from simworld.analysis.questions.names import Scope, scope
from simworld.analysis.questions.scores import GROUPS, Key, finite, grouped, grouping, one_meaning, rough, selected
from simworld.analysis.questions.seat_values import measures_of, seat_values
from simworld.analysis.questions.source import Source, noted, table
from simworld.core.errors import InputError
from simworld.core.stats import mean_by_family

NATURAL = "goal"  # the dimension that a scenario's checks are about, where the judge has it
_HOLDS = "CASE WHEN c.holds IS NULL THEN -1 WHEN c.holds THEN 1 ELSE 0 END"

Sides = dict[str, dict[int, tuple[float, int]]]  # family → whether the check holds → sum of the scores, how many


def checks(
    source: Source,
    *,
    by: Sequence[str],
    measure: str | None,
    run: str | None,
    judge: str | None,
    scenario: str | None,
    family: str | None,
    agents: Sequence[str],
) -> pd.DataFrame:
    """See `Analysis.checks`."""
    groups = grouping(by, {"check": "c.name", **GROUPS})
    among = scope(source, run=run, scenario=scenario, family=family, agents=agents)
    one_meaning(source, among)
    there = _there(source, among, groups)
    if not there:
        raise InputError("no check was made in these episodes; a scenario's `checks:` say what to look for")
    chosen = choose_judge(source, judge, among)
    name = measure or _natural(chosen)
    scored = _scored(source, chosen, among, groups, name)
    rows, widest = [], 0
    for key, counts in there.items():
        sides = scored.get(key, {})
        sums = {side: _sum(of_family.get(side) for of_family in sides.values()) for side in (1, 0)}
        differences = [(unit, _mean(of[1]) - _mean(of[0])) for unit, of in sides.items() if 1 in of and 0 in of]
        found = mean_by_family(differences) if differences else None
        widest = max(widest, len(differences))
        means = [_mean(sums[side]) if sums[side][1] else None for side in (1, 0)]
        unscored = counts[1] + counts[0] - sums[1][1] - sums[0][1]
        interval = (None, None, None) if found is None else (found.mean, found.low, found.high)
        rows.append((*key, name, sums[1][1], sums[0][1], *means, *interval, len(differences), counts[-1], unscored))
    whole, number = "int64", "float64"
    columns = {**dict.fromkeys(groups, ""), "measure": "", "holds": whole, "fails": whole}
    columns |= dict.fromkeys(("mean_holds", "mean_fails", "difference", "low", "high"), number)
    return noted(table(rows, columns | dict.fromkeys(("families", "undecided", "unscored"), whole)), rough(widest))


def _natural(judge: Judge) -> str:
    return NATURAL if NATURAL in measures_of(judge) else OVERALL


def _there(source: Source, among: Scope, groups: Mapping[str, str]) -> dict[Key, dict[int, int]]:
    """Group → whether the check holds (−1: undecided) → seats of episodes."""
    sql = f"""
SELECT {selected(groups)}{_HOLDS}, count(*)
FROM episodes e JOIN checks c ON c.episode_id = e.id JOIN episode_seats s ON s.episode_id = e.id
WHERE e.ending <> 'failed' AND {among.episodes()} AND {among.seats()}
{grouped(len(groups) + 1)}"""
    found: dict[Key, dict[int, int]] = defaultdict(lambda: {1: 0, 0: 0, -1: 0})
    for *key, holds, count in source.rows(sql, among.values):
        found[tuple(key)][int(holds)] = int(count)
    return found


def _scored(source: Source, judge: Judge, among: Scope, groups: Mapping[str, str], measure: str) -> dict[Key, Sides]:
    values = seat_values(source, judge, among, (measure,))
    sql = f"""
SELECT {selected(groups)}e.family, {_HOLDS}, sum(x.m0), count(x.m0)
FROM ({values.sql}) x
JOIN episodes e ON e.id = x.episode_id
JOIN episode_seats s ON s.episode_id = x.episode_id AND s.seat = x.seat
JOIN checks c ON c.episode_id = x.episode_id
WHERE c.holds IS NOT NULL AND x.m0 IS NOT NULL AND {among.seats()}
{grouped(len(groups) + 2)}"""
    found: dict[Key, Sides] = defaultdict(lambda: defaultdict(dict))
    for *key, family, holds, total, n in source.rows(sql, values.values):
        found[tuple(key)][family][int(holds)] = (finite(total, measure, family), int(n))
    return found


def _sum(parts: Any) -> tuple[float, int]:
    there = [part for part in parts if part is not None]
    return sum(total for total, _ in there), sum(n for _, n in there)


def _mean(part: tuple[float, int]) -> float:
    return part[0] / part[1]
