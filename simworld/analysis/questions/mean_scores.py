"""How well agents do: mean scores with intervals over families."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from simworld.analysis.questions.judge_choice import choose_judge
from simworld.analysis.questions.judge_measures import judge_measures
from simworld.analysis.questions.query_source import QuerySource, to_frame, with_notes
from simworld.analysis.questions.scope import Scope, ScopeFilters, require_known, resolve_scope
from simworld.analysis.questions.seat_frames import ALL_COLUMN, SEAT_COLUMNS, seat_frames
from simworld.core.errors import InputError
from simworld.stats.intervals import Estimate, means_from_sums
from simworld.stats.paired_tests import ENOUGH_FAMILIES
from store.sqlite_process import SqlRow

GroupKey = tuple[Any, ...]
UNIT = "unit"  # the family, where it may be a column to group by as well


def scores(
    source: QuerySource,
    filters: ScopeFilters,
    *,
    by: Sequence[str],
    measures: Sequence[str],
    judge: str | None,
) -> pd.DataFrame:
    """See `Analysis.scores`."""
    groups = group_columns(by, SEAT_COLUMNS)
    scope = resolve_scope(source, **filters)
    require_one_meaning(source, scope)
    choice = choose_judge(source, judge, scope)
    asked = judge_measures(choice, measures)
    names = [measure.name for measure in asked]
    sums, counts, seats = [], [], []
    for frame in seat_frames(source, scope, groups, choice, asked):
        seats.append(_count_played(frame, groups))
        ended = frame[~frame["failed"]].assign(**{UNIT: frame["family"]})
        scored = ended.groupby([UNIT, *groups])[names]
        sums.append(scored.sum())
        counts.append(scored.count())
    total, n = _sum_by_family(sums, groups), _sum_by_family(counts, groups)
    means = means_from_sums(total.to_numpy(), n.to_numpy())
    estimates = dict(zip(total.columns, means, strict=True))
    rows = []
    for key, (played, failed) in _sum_counts(seats, groups).items():
        for measure in asked:
            mean = estimates.get((measure.name, *key))
            unscored = played - failed - (mean.n if mean else 0)
            raw_score = None if mean is None else measure.to_range(mean.mean)
            rows.append(
                (*key, measure.name, *estimate_columns(mean), raw_score, played, failed, unscored)
            )
    number, whole = "float64", "int64"
    columns = {**dict.fromkeys(groups, ""), "measure": ""}
    columns |= dict.fromkeys(("mean", "low", "high"), number)
    columns |= {"n": whole, "families": whole, "score": number}
    families = int((n.to_numpy() > 0).any(axis=1).sum())
    return with_notes(
        to_frame(rows, columns | dict.fromkeys(("played", "failed", "unscored"), whole)),
        family_notes(families),
    )


def group_columns(by: Sequence[str], allowed: Sequence[str]) -> list[str]:
    """The columns to group by, or one for all; raises InputError for what is not known."""
    names = [by] if isinstance(by, str) else list(by)
    columns = [require_known(n, allowed, "column to group by,") for n in dict.fromkeys(names)]
    return columns or [ALL_COLUMN]


def require_one_meaning(source: QuerySource, scope: Scope) -> None:
    """Raises InputError where a name means agents with different contents in the runs of the
    scope.
    """
    condition = "WHERE run = :run" if scope.run is not None else ""
    sql = f"SELECT agent_name, run, agent_id FROM run_agents {condition} ORDER BY agent_name, run"
    ids: dict[str, dict[str, str]] = defaultdict(dict)
    for name, run, id_ in source.rows(sql, {"run": scope.run} if scope.run is not None else {}):
        if not scope.agents or name in scope.agents:
            ids[name].setdefault(id_, run)
    for name, runs in ids.items():
        if len(runs) > 1:
            raise InputError(
                f"agent {name!r} is a different one in run"
                f" {' than in run '.join(map(repr, list(runs.values())[:2]))} (model, prompt,"
                " sampling or planner differ), so their numbers cannot be combined; say run=…, or"
                " agents=… with ids"
            )


def count_seats(
    frames: Iterable[pd.DataFrame], groups: Sequence[str]
) -> dict[GroupKey, tuple[int, int]]:
    """Group → seats, and of them those of episodes that failed."""
    return _sum_counts([_count_played(frame, groups) for frame in frames], groups)


def _count_played(frame: pd.DataFrame, groups: Sequence[str]) -> pd.DataFrame:
    return frame.groupby(list(groups))["failed"].agg(["size", "sum"])


def _sum_counts(
    parts: Sequence[pd.DataFrame], groups: Sequence[str]
) -> dict[GroupKey, tuple[int, int]]:
    if not parts:
        return {}
    summed = pd.concat(parts).groupby(level=list(groups)).sum().reset_index()
    return {
        tuple(key): (int(seats), int(failed))
        for *key, seats, failed in summed.itertuples(index=False)
    }


def _sum_by_family(parts: Sequence[pd.DataFrame], groups: Sequence[str]) -> pd.DataFrame:
    """From (family, group) × measure, in parts: family × (measure, *group), zero where there is
    nothing.
    """
    return pd.concat(parts).groupby(level=[UNIT, *groups]).sum().unstack(groups).fillna(0)


def estimate_columns(estimate: Estimate | None) -> SqlRow:
    """The values of the columns mean, low, high, n and families."""
    return (
        (None, None, None, 0, 0)
        if estimate is None
        else (estimate.mean, estimate.low, estimate.high, estimate.n, estimate.families)
    )


def family_notes(families: int) -> list[str]:
    """What a reader must know about intervals over so many families."""
    if families == 1:
        return [
            f"1 family of scenarios: no intervals; they need at least 2, and {ENOUGH_FAMILIES} to"
            " be trusted"
        ]
    is_few = 1 < families < ENOUGH_FAMILIES
    return (
        [f"{families} families of scenarios: fewer than {ENOUGH_FAMILIES}, so intervals are rough"]
        if is_few
        else []
    )
