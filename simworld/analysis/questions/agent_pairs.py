"""Two agents in equal circumstances: how far apart they are, for whom, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from simworld.analysis.questions.judge_choice import choose_judge
from simworld.analysis.questions.judge_measures import judge_measures
from simworld.analysis.questions.mean_scores import GroupKey, group_columns
from simworld.analysis.questions.query_source import QuerySource, to_frame, with_notes
from simworld.analysis.questions.scope import Scope, resolve_scope
from simworld.analysis.questions.seat_frames import ALL_COLUMN, seat_frames
from simworld.core.errors import InputError
from simworld.core.measures import OVERALL
from simworld.results.differences import Difference, with_effect_sizes
from simworld.stats.paired_tests import PairedComparison, compare_pairs
from store.cells.cell_records import first_64_bits

GROUP_COLUMNS = ("family", "scenario", "kind", "seat", "position")
CELL = ["family", "scenario_id", "position", "partners"]
NEEDED = (*GROUP_COLUMNS, *CELL, "repeat")
_NUMBERS = ("difference", "low", "high", "d_z", "z", "p", "p_holm", "sign_p")
_SEAT_KEY = ["episode", "seat"]  # what names a seat in a frame of values


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentPair:
    """Two agents, and where they are compared; what is None does not restrict."""

    first: str
    second: str
    run: str | None = None
    scenario: str | None = None
    family: str | None = None


def differences_frame(
    source: QuerySource,
    pair: AgentPair,
    *,
    by: Sequence[str],
    measures: Sequence[str],
    judge: str | None,
    values: pd.DataFrame | None,
) -> pd.DataFrame:
    """See `Analysis.paired`."""
    groups = group_columns(by, GROUP_COLUMNS)
    pair, scope = _common_run(source, pair)
    seats, names = _seats(source, scope, measures, judge, values)
    paired = _paired_rows(seats, pair, names)
    missing_counts = _lost_seats(seats, groups, names)
    rows: list[tuple[Any, ...]] = []
    comparisons: list[PairedComparison] = []
    for key, of_group in paired.groupby(groups):
        families = of_group["family"].to_numpy()
        cells = of_group.groupby(CELL).ngroup().to_numpy()
        gaps = {n: of_group[f"{n}_first"] - of_group[f"{n}_second"] for n in names}
        compared = with_effect_sizes(
            {
                name: compare_pairs(families, cells, gap.to_numpy("float64", na_value=np.nan))
                for name, gap in gaps.items()
            }
        )
        comparisons += [difference.comparison for difference in compared.values()]
        (failed_1, unscored_1), (failed_2, unscored_2) = (
            missing_counts.get((*key, a), (0, 0)) for a in (pair.first, pair.second)
        )
        counts = (failed_1, failed_2, unscored_1, unscored_2)
        rows += [
            (*key, name, *_as_row(compared[name]), *counts) for name in names if name in compared
        ]
    if not rows:
        raise InputError(
            f"{pair.first!r} and {pair.second!r} share no scored cell in run {scope.run!r}: "
            "the same scenario, seat, partners and repeat, played and judged for both"
        )
    whole = "int64"
    columns = {**dict.fromkeys(groups, ""), "measure": "", **dict.fromkeys(_NUMBERS, "float64")}
    columns |= {**dict.fromkeys(("pairs", "cells", "families"), whole), "settles": "Int64"}
    columns |= dict.fromkeys(
        ("failed_first", "failed_second", "unscored_first", "unscored_second"), whole
    )
    frame = to_frame(rows, columns).drop(columns=ALL_COLUMN, errors="ignore")
    return with_notes(frame, _notes(comparisons))


def pairs_frame(
    source: QuerySource,
    pair: AgentPair,
    *,
    measure: str | None,
    judge: str | None,
    values: pd.DataFrame | None,
) -> pd.DataFrame:
    """See `Analysis.pairs`."""
    pair, scope = _common_run(source, pair)
    wanted = [measure or OVERALL] if values is None else [measure] if measure else []
    seats, (name, *_) = _seats(source, scope, wanted, judge, values)
    paired = _paired_rows(seats, pair, [name]).dropna(subset=[f"{name}_first", f"{name}_second"])
    ids = {
        first_64_bits(id_): id_
        for id_ in source.column("SELECT id FROM episodes WHERE run = :run", {"run": scope.run})
    }
    columns = ["family", "scenario", "seat", "partners", "repeat"]
    ordered = paired.sort_values(columns)
    frame = ordered.reset_index(drop=True)[columns]
    for side in ("first", "second"):
        frame[side] = ordered[f"{name}_{side}"].to_numpy()
    frame["difference"] = frame["first"] - frame["second"]
    for side in ("first", "second"):
        frame[f"episode_{side}"] = [ids[number] for number in ordered[f"episode_{side}"]]
    return with_notes(frame, ())


def _common_run(source: QuerySource, pair: AgentPair) -> tuple[AgentPair, Scope]:
    """The two by their names in the one run in which both are, and the scope of their seats
    there.
    """
    if pair.first == pair.second:
        raise InputError(f"{pair.first!r} is compared with itself; name two agents")
    resolve_scope(source, run=pair.run, agents=(pair.first, pair.second))  # all are there
    params = {"first": pair.first, "second": pair.second}
    sql = """
SELECT a.run, a.agent_name, b.agent_name
FROM run_agents a JOIN run_agents b ON b.run = a.run
WHERE (a.agent_name = :first OR a.agent_id = :first)
  AND (b.agent_name = :second OR b.agent_id = :second)
ORDER BY a.run"""
    shared = [row for row in source.rows(sql, params) if pair.run in (None, row[0])]
    if not shared:
        where = (
            "are in no run together" if pair.run is None else f"are not both in run {pair.run!r}"
        )
        raise InputError(
            f"{pair.first!r} and {pair.second!r} {where}, so they share no circumstances"
        )
    if len(shared) > 1:
        runs = ", ".join(row[0] for row in shared)
        raise InputError(
            f"{pair.first!r} and {pair.second!r} both take part in {len(shared)} runs; say run=…:"
            f" {runs}"
        )
    run, first, second = shared[0]
    scope = resolve_scope(
        source, run=run, scenario=pair.scenario, family=pair.family, agents=(first, second)
    )
    return replace(pair, first=first, second=second, run=run), scope


def _seats(
    source: QuerySource,
    scope: Scope,
    measures: Sequence[str],
    judge: str | None,
    values: pd.DataFrame | None,
) -> tuple[pd.DataFrame, list[str]]:
    """The seats of both with what is known of them, and the names of the measures."""
    if values is None:
        choice = choose_judge(source, judge, scope)
        asked = judge_measures(choice, measures)
        return pd.concat(seat_frames(source, scope, NEEDED, choice, asked)), [
            measure.name for measure in asked
        ]
    if judge is not None:
        raise InputError("values=… and judge=… are two sources of numbers; give one of them")
    names = [measures] if isinstance(measures, str) else list(measures) or _measure_columns(values)
    if missing := [name for name in (*_SEAT_KEY, *names) if name not in values.columns]:
        raise InputError(
            f"values has no column {', '.join(missing)}; it needs episode, seat, and a number for"
            " each measure"
        )
    numbers = values[[*_SEAT_KEY, *names]].dropna(subset=_SEAT_KEY)
    if numbers.duplicated(_SEAT_KEY).any():
        raise InputError("values has several rows for one episode and seat; average them first")
    if infinite := [name for name in names if np.isinf(numbers[name].astype("float64")).any()]:
        raise InputError(
            f"values has infinite numbers in {', '.join(infinite)}; correct them, or leave them out"
        )
    sql = "SELECT id FROM episodes WHERE run = :run"
    ids = pd.DataFrame({"id": source.column(sql, {"run": scope.run})})
    ids["episode"] = ids["id"].map(first_64_bits).astype("uint64")
    numbers = numbers.rename(columns={"episode": "id"}).merge(ids, on="id").drop(columns="id")
    return (
        pd.concat(seat_frames(source, scope, NEEDED)).merge(numbers, on=_SEAT_KEY, how="left"),
        names,
    )


def _measure_columns(values: pd.DataFrame) -> list[str]:
    """The columns of a frame of values that are measures."""
    names = [str(name) for name in values.select_dtypes("number").columns if name not in _SEAT_KEY]
    if not names:
        raise InputError(
            "values has no column of numbers; it needs episode, seat, and a number for each measure"
        )
    return names


def _paired_rows(seats: pd.DataFrame, pair: AgentPair, names: Sequence[str]) -> pd.DataFrame:
    """A row for each circumstance in which both sat: the columns of seats, and each measure of the
    first and of the second.
    """
    ended = seats[~seats["failed"]]
    sides = [ended[ended["agent"] == agent] for agent in (pair.first, pair.second)]
    other = sides[1][[*CELL, "repeat", "episode", *names]]
    return sides[0].merge(other, on=[*CELL, "repeat"], suffixes=("_first", "_second"))


def _lost_seats(
    seats: pd.DataFrame, groups: Sequence[str], names: Sequence[str]
) -> dict[GroupKey, tuple[int, int]]:
    """(Group, agent) → seats of failed episodes, and seats that ended without any score."""
    unscored = ~seats["failed"] & seats[list(names)].isna().all(axis=1)
    counted = (
        seats.assign(unscored=unscored)
        .groupby([*groups, "agent"])[["failed", "unscored"]]
        .sum()
        .reset_index()
    )
    return {
        tuple(key): (int(failed), int(rest))
        for *key, failed, rest in counted.itertuples(index=False)
    }


def _notes(comparisons: Iterable[PairedComparison]) -> list[str]:
    """What a reader must know of all groups: of the one with the fewest families, and of those
    without any scatter.
    """
    ordered = sorted(comparisons, key=lambda comparison: comparison.families)
    fewest = ordered[0].families
    return [
        note
        for comparison in ordered
        for note in comparison.notes
        if comparison.families == fewest or comparison.z is None
    ]


def _as_row(difference: Difference) -> tuple[Any, ...]:
    paired = difference.comparison
    numbers = (paired.mean, paired.low, paired.high, difference.effect_size)
    tests = (paired.z, paired.p, paired.p_holm, paired.sign_p)
    counts = (paired.pairs, paired.cells, paired.families, difference.families_needed)
    return (*numbers, *tests, *counts)
