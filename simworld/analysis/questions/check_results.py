"""Programmatic checks beside a judge: does it score higher where the check holds?"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np
import pandas as pd

from simworld.analysis.questions.judge_choice import JudgeChoice, choose_judge
from simworld.analysis.questions.judge_measures import Measure, judge_measures
from simworld.analysis.questions.mean_scores import check_one_meaning, family_notes, grouping
from simworld.analysis.questions.query_source import QuerySource, noted, table
from simworld.analysis.questions.scope import Scope, scope
from simworld.analysis.questions.seats import ALL, COLUMNS, seat_frames
from simworld.core.errors import InputError
from simworld.core.measures import OVERALL
from simworld.stats.intervals import mean_by_family
from store.cell_records import first_64_bits

NATURAL = "goal"  # the dimension that a scenario's checks are about, where the judge has it
UNIT, HOLDS = "unit", "holds"


def checks(
    source: QuerySource,
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
    groups = grouping(by, ("check", *COLUMNS))
    among = scope(source, run=run, scenario=scenario, family=family, agents=agents)
    check_one_meaning(source, among)
    results = _stored_checks(source, among)
    if results.empty:
        raise InputError(
            "no check was made in these episodes; a scenario's `checks:` say what to look for"
        )
    chosen = choose_judge(source, judge, among)
    asked = _measure(chosen, measure)
    parts = [
        frame.groupby([*groups, UNIT, HOLDS])["value"].agg(["size", "count", "sum"])
        for frame in _seats(source, among, groups, chosen, asked, results)
    ]
    sums = pd.concat(parts).groupby(level=[*groups, UNIT, HOLDS]).sum().reset_index()
    rows, widest = [], 0
    for key, of_group in sums.groupby(groups):
        by_side = (
            of_group.groupby(HOLDS)[["size", "count", "sum"]]
            .sum()
            .reindex([1, 0, -1], fill_value=0)
        )
        seats, n, total = (by_side[name].to_dict() for name in ("size", "count", "sum"))
        differences = _differences(of_group)
        mean = mean_by_family(differences) if differences else None
        widest = max(widest, len(differences))
        means = [total[side] / n[side] if n[side] else None for side in (1, 0)]
        interval = (None, None, None) if mean is None else (mean.mean, mean.low, mean.high)
        unscored = seats[1] + seats[0] - n[1] - n[0]
        rows.append(
            (*key, asked.name, n[1], n[0], *means, *interval, len(differences), seats[-1], unscored)
        )
    whole, number = "int64", "float64"
    columns = {**dict.fromkeys(groups, ""), "measure": "", "holds": whole, "fails": whole}
    columns |= dict.fromkeys(("mean_holds", "mean_fails", "difference", "low", "high"), number)
    answer = table(rows, columns | dict.fromkeys(("families", "undecided", "unscored"), whole))
    return noted(answer.drop(columns=ALL, errors="ignore"), family_notes(widest))


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


def _measure(judge: JudgeChoice, name: str | None) -> Measure:
    every = {measure.name for measure in judge_measures(judge)}
    (chosen,) = judge_measures(judge, [name or (NATURAL if NATURAL in every else OVERALL)])
    return chosen


def _stored_checks(source: QuerySource, among: Scope) -> pd.DataFrame:
    """What the checks of episodes that ended found: `episode` (64 bits of its id, in order),
    `check`, `holds` (−1: undecided).
    """
    sql = f"""
SELECT c.episode_id, c.name, CASE WHEN c.holds IS NULL THEN -1 WHEN c.holds THEN 1 ELSE 0 END
FROM episodes e JOIN checks c ON c.episode_id = e.id
WHERE e.ending <> 'failed' AND {among.episodes()}"""
    rows = [
        (first_64_bits(id_), name, holds) for id_, name, holds in source.stream(sql, among.values)
    ]
    answer = pd.DataFrame(rows, columns=["episode", "check", HOLDS]).astype(
        {"episode": "uint64", HOLDS: "int64"}
    )
    return answer.sort_values("episode", ignore_index=True)


def _seats(
    source: QuerySource,
    among: Scope,
    columns: Collection[str],
    judge: JudgeChoice,
    measure: Measure,
    results: pd.DataFrame,
) -> Iterator[pd.DataFrame]:
    """A row for each seat and check of its episode, with the score in `value`."""
    for frame in seat_frames(source, among, columns, judge, [measure]):
        ended = frame[~frame["failed"]].assign(
            **{UNIT: frame["family"], "value": frame[measure.name]}
        )
        yield _joined(ended, results)


def _joined(seats: pd.DataFrame, results: pd.DataFrame) -> pd.DataFrame:
    """Each seat with each check of its episode; as a merge, which would look at all checks again
    for each frame of seats.
    """
    known, wanted = results["episode"].to_numpy(), seats["episode"].to_numpy()
    first = np.searchsorted(known, wanted, "left")
    count = np.searchsorted(known, wanted, "right") - first
    rows = np.repeat(np.arange(len(seats)), count)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
    checks = results.iloc[np.repeat(first, count) + within]
    return seats.iloc[rows].assign(
        check=checks["check"].to_numpy(), **{HOLDS: checks[HOLDS].to_numpy()}
    )
