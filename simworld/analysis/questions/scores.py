"""How well agents do: mean scores with intervals over families."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from simworld.analysis.questions.judges import choose_judge
from simworld.analysis.questions.names import LAST, Scope, choose, scope
from simworld.analysis.questions.seat_values import Measure, SeatValues, seat_values
from simworld.analysis.questions.source import Row, Source, noted, table
from simworld.core.errors import InputError
from simworld.core.paired import ENOUGH_FAMILIES
from simworld.core.stats import Estimate, mean_of_sums

GROUPS = {
    "agent": "s.agent_name",
    "seat": "s.seat",
    "position": "s.position",
    "run": "e.run",
    "scenario": "e.scenario_name",
    "family": "e.family",
    "kind": "(SELECT k.kind FROM scenarios k WHERE k.id = e.scenario_id)",
}
Key = tuple[Any, ...]
Sums = dict[tuple[Key, str], dict[str, tuple[float, int]]]  # (group, measure) → family → sum of the values, how many


def scores(
    source: Source,
    *,
    by: Sequence[str],
    measures: Sequence[str],
    run: str | None,
    judge: str | None,
    scenario: str | None,
    family: str | None,
    agents: Sequence[str],
) -> pd.DataFrame:
    """See `Analysis.scores`."""
    groups = grouping(by, GROUPS)
    among = scope(source, run=run, scenario=scenario, family=family, agents=agents)
    one_meaning(source, among)
    chosen = choose_judge(source, judge, among)
    values = seat_values(source, chosen, among, measures)
    sums = _sums(source, values, among, groups)
    seats = seats_played(source, among, groups)
    rows, families = [], set()
    for key, (played, failed) in seats.items():
        for measure in values.measures:
            found = estimate(sums.get((key, measure.name), {}))
            families |= set(sums.get((key, measure.name), ()))
            unscored = played - failed - (found.n if found else 0)
            rows.append((*key, measure.name, *cells(found), _in_range(found, measure), played, failed, unscored))
    number = dict.fromkeys(("mean", "low", "high", "score"), "float64")
    count = dict.fromkeys(("played", "failed", "unscored"), "int64")
    columns = {
        **dict.fromkeys(groups, ""),
        "measure": "",
        "mean": "",
        "low": "",
        "high": "",
        "n": "int64",
        "families": "int64",
    }
    return noted(table(rows, columns | number | count), rough(len(families)))


def grouping(by: Sequence[str], known: Mapping[str, str]) -> dict[str, str]:
    """Name → expression of the columns to group by; raises InputError for what is not known."""
    names = [by] if isinstance(by, str) else list(by)
    return {choose(name, list(known), "column to group by,"): known[name] for name in names}


def one_meaning(source: Source, among: Scope) -> None:
    """Raises InputError where a name means agents with different contents in the runs of the scope."""
    condition = "WHERE run = :run" if among.run is not None else ""
    sql = f"SELECT agent_name, run, agent_id FROM run_agents {condition} ORDER BY agent_name, run"
    ids: dict[str, dict[str, str]] = defaultdict(dict)
    for name, run, id_ in source.rows(sql, {"run": among.run} if among.run is not None else {}):
        if not among.agents or name in among.agents:
            ids[name].setdefault(id_, run)
    for name, runs in ids.items():
        if len(runs) > 1:
            raise InputError(
                f"agent {name!r} is another one in run {' than in run '.join(map(repr, list(runs.values())[:2]))} "
                "(model, prompt, sampling or planner differ), so their numbers do not mix; say run=…, or agent=… with an id"
            )


def seats_played(source: Source, among: Scope, groups: Mapping[str, str]) -> dict[Key, tuple[int, int]]:
    """Group → seats played and, of them, seats of episodes that failed. A work item counts by its last attempt."""
    sql = f"""
SELECT {selected(groups)}count(*), sum(CASE WHEN e.ending = 'failed' THEN 1 ELSE 0 END)
FROM episodes e JOIN episode_seats s ON s.episode_id = e.id
WHERE {among.episodes()} AND {among.seats()} AND {LAST}
{grouped(len(groups))}"""
    return {tuple(key): (int(played), int(failed or 0)) for *key, played, failed in source.rows(sql, among.values)}


def selected(groups: Mapping[str, str]) -> str:
    """The beginning of a SELECT list: the columns to group by, with a comma after each."""
    return "".join(f"{column}, " for column in groups.values())


def grouped(count: int) -> str:
    """GROUP BY and ORDER BY the first so many columns; empty for none."""
    places = ", ".join(str(place + 1) for place in range(count))
    return f"GROUP BY {places} ORDER BY {places}" if places else ""


def estimate(sums: Mapping[str, tuple[float, int]]) -> Estimate | None:
    """The mean with its interval, None where there is nothing."""
    there = {family: (total, n) for family, (total, n) in sums.items() if n}
    return mean_of_sums(there) if there else None


def finite(total: float, measure: str, family: str) -> float:
    """The sum of the scores of a family; raises InputError unless all of them are finite."""
    if math.isfinite(total):
        return float(total)
    raise InputError(
        f"{measure} in family {family!r} is not a finite number in every episode; find it with "
        'sql("SELECT * FROM episode_scores WHERE NOT (rescaled BETWEEN 0 AND 1)"), delete that judgement, judge again'
    )


def cells(found: Estimate | None) -> Row:
    """The values of the columns mean, low, high, n and families."""
    return (None, None, None, 0, 0) if found is None else (found.mean, found.low, found.high, found.n, found.families)


def rough(families: int) -> list[str]:
    """What a reader must know about intervals over so many families."""
    if families == 1:
        return [f"1 family of scenarios: no intervals; they need at least 2, and {ENOUGH_FAMILIES} to be trusted"]
    few = 1 < families < ENOUGH_FAMILIES
    return [f"{families} families of scenarios: fewer than {ENOUGH_FAMILIES}, so intervals are rough"] if few else []


def _sums(source: Source, values: SeatValues, among: Scope, groups: Mapping[str, str]) -> Sums:
    numbers = ", ".join(f"sum(x.{column}), count(x.{column})" for column in values.columns)
    sql = f"""
SELECT {selected(groups)}e.family, {numbers}
FROM ({values.sql}) x
JOIN episodes e ON e.id = x.episode_id
JOIN episode_seats s ON s.episode_id = x.episode_id AND s.seat = x.seat
WHERE {among.seats()}
{grouped(len(groups) + 1)}"""
    found: Sums = defaultdict(dict)
    for row in source.rows(sql, values.values):
        key, family, counted = row[: len(groups)], row[len(groups)], row[len(groups) + 1 :]
        for i, measure in enumerate(values.measures):
            if counted[2 * i + 1]:
                total = finite(counted[2 * i], measure.name, family)
                found[key, measure.name][family] = (total, int(counted[2 * i + 1]))
    return found


def _in_range(found: Estimate | None, measure: Measure) -> float | None:
    """The mean in the range that the judge was asked for."""
    if found is None or not measure.share:
        return None if found is None else found.mean
    return measure.low + (measure.high - measure.low) * found.mean
