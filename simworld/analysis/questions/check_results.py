"""Programmatic checks beside a judge: does it score higher where the check holds?"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np
import pandas as pd

from simworld.analysis.questions.judge_choice import JudgeChoice, choose_judge
from simworld.analysis.questions.judge_measures import JudgeMeasure, judge_measures
from simworld.analysis.questions.mean_scores import family_notes, group_columns, require_one_meaning
from simworld.analysis.questions.query_source import QuerySource, to_frame, with_notes
from simworld.analysis.questions.scope import Scope, ScopeFilters, resolve_scope
from simworld.analysis.questions.seat_frames import ALL_COLUMN, SEAT_COLUMNS, seat_frames
from simworld.core.errors import InputError
from simworld.core.measures import OVERALL
from simworld.stats.intervals import mean_by_family
from store.cells.cell_records import first_64_bits

GOAL = "goal"  # the dimension that a scenario's checks are about, where the judge has it
UNIT, HOLDS = "unit", "holds"


def checks(
    source: QuerySource,
    filters: ScopeFilters,
    *,
    by: Sequence[str],
    measure: str | None,
    judge: str | None,
) -> pd.DataFrame:
    """See `Analysis.checks`."""
    groups = group_columns(by, ("check", *SEAT_COLUMNS))
    scope = resolve_scope(source, **filters)
    require_one_meaning(source, scope)
    results = _stored_checks(source, scope)
    if results.empty:
        raise InputError(
            "no check was made in these episodes; a scenario's `checks:` say what to look for"
        )
    choice = choose_judge(source, judge, scope)
    asked = _choose_measure(choice, measure)
    parts = [
        frame.groupby([*groups, UNIT, HOLDS])["value"].agg(["size", "count", "sum"])
        for frame in _checked_seats(source, scope, groups, choice, asked, results)
    ]
    sums = pd.concat(parts).groupby(level=[*groups, UNIT, HOLDS]).sum().reset_index()
    rows, families = [], 0
    for key, of_group in sums.groupby(groups):
        by_side = (
            of_group.groupby(HOLDS)[["size", "count", "sum"]]
            .sum()
            .reindex([1, 0, -1], fill_value=0)
        )
        seats, n, total = (by_side[name].to_dict() for name in ("size", "count", "sum"))
        differences = _differences(of_group)
        mean = mean_by_family(differences) if differences else None
        families = max(families, len(differences))
        means = [total[side] / n[side] if n[side] else None for side in (1, 0)]
        interval = (None, None, None) if mean is None else (mean.mean, mean.low, mean.high)
        unscored = seats[1] + seats[0] - n[1] - n[0]
        rows.append(
            (*key, asked.name, n[1], n[0], *means, *interval, len(differences), seats[-1], unscored)
        )
    whole, number = "int64", "float64"
    columns = {**dict.fromkeys(groups, ""), "measure": "", "holds": whole, "fails": whole}
    columns |= dict.fromkeys(("mean_holds", "mean_fails", "difference", "low", "high"), number)
    answer = to_frame(rows, columns | dict.fromkeys(("families", "undecided", "unscored"), whole))
    return with_notes(answer.drop(columns=ALL_COLUMN, errors="ignore"), family_notes(families))


def _differences(of_group: pd.DataFrame) -> list[tuple[str, float]]:
    """(family, mean score where the check holds less that where it does not), for the families that
    have both.
    """
    scored = of_group[of_group["count"] > 0]
    means = (
        (scored["sum"] / scored["count"])
        .groupby([scored[UNIT], scored[HOLDS]])
        .first()
        .unstack(HOLDS)
    )
    both = means.reindex(columns=[1, 0]).dropna()
    return list((both[1] - both[0]).items())


def _choose_measure(judge: JudgeChoice, name: str | None) -> JudgeMeasure:
    names = {measure.name for measure in judge_measures(judge)}
    (chosen,) = judge_measures(judge, [name or (GOAL if GOAL in names else OVERALL)])
    return chosen


def _stored_checks(source: QuerySource, scope: Scope) -> pd.DataFrame:
    """What the checks of episodes that ended found: `episode` (64 bits of its id, in order),
    `check`, `holds` (−1: undecided).
    """
    sql = f"""
SELECT c.episode_id, c.name, CASE WHEN c.holds IS NULL THEN -1 WHEN c.holds THEN 1 ELSE 0 END
FROM episodes e JOIN checks c ON c.episode_id = e.id
WHERE e.ending <> 'failed' AND {scope.episode_condition()}"""
    rows = [
        (first_64_bits(id_), name, holds) for id_, name, holds in source.stream(sql, scope.params)
    ]
    answer = pd.DataFrame(rows, columns=["episode", "check", HOLDS]).astype(
        {"episode": "uint64", HOLDS: "int64"}
    )
    return answer.sort_values("episode", ignore_index=True)


def _checked_seats(
    source: QuerySource,
    scope: Scope,
    columns: Collection[str],
    judge: JudgeChoice,
    measure: JudgeMeasure,
    results: pd.DataFrame,
) -> Iterator[pd.DataFrame]:
    """A row for each seat and check of its episode, with the score in `value`."""
    for frame in seat_frames(source, scope, columns, judge, [measure]):
        ended = frame[~frame["failed"]].assign(
            **{UNIT: frame["family"], "value": frame[measure.name]}
        )
        yield _join_checks(ended, results)


def _join_checks(seats: pd.DataFrame, results: pd.DataFrame) -> pd.DataFrame:
    """Each seat with each check of its episode; as a merge, which would look at all checks again
    for each frame of seats.
    """
    checked, played = results["episode"].to_numpy(), seats["episode"].to_numpy()
    first = np.searchsorted(checked, played, "left")
    count = np.searchsorted(checked, played, "right") - first
    rows = np.repeat(np.arange(len(seats)), count)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
    checks = results.iloc[np.repeat(first, count) + within]
    return seats.iloc[rows].assign(
        check=checks["check"].to_numpy(), **{HOLDS: checks[HOLDS].to_numpy()}
    )
