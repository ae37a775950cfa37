"""Two agents in equal circumstances: how far apart they are, for whom, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from simworld.analysis.questions.judge_choice import choose_judge
from simworld.analysis.questions.judge_measures import judge_measures
from simworld.analysis.questions.mean_scores import GroupKey, grouping
from simworld.analysis.questions.query_source import QuerySource, noted, table
from simworld.analysis.questions.scope import Scope, scope
from simworld.analysis.questions.seats import ALL, seat_frames
from simworld.core.errors import InputError
from simworld.core.measures import OVERALL
from simworld.results.differences import Difference, differences
from simworld.stats.paired_comparison import PairedComparison
from simworld.stats.paired_comparison import compare_pairs as of_pairs
from store.cell_records import first_64_bits

BY = ("family", "scenario", "kind", "seat", "position")
CELL = ["family", "scenario_id", "position", "partners"]
NEEDED = (*BY, *CELL, "repeat")
_NUMBERS = ("difference", "low", "high", "d_z", "z", "p", "p_holm", "sign_p")
_PLACE = ["episode", "seat"]  # what names a seat in a frame of values


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
    two: AgentPair,
    *,
    by: Sequence[str],
    measures: Sequence[str],
    judge: str | None,
    values: pd.DataFrame | None,
) -> pd.DataFrame:
    """See `Analysis.differences_frame`."""
    groups = grouping(by, BY)
    two, among = _common_run(source, two)
    seats, names = _seats(source, among, measures, judge, values)
    beside = _paired_rows(seats, two, names)
    lost = _lost(seats, groups, names)
    rows: list[tuple[Any, ...]] = []
    all_paired: list[PairedComparison] = []
    for key, of_group in beside.groupby(groups):
        families, cells = of_group["family"].to_numpy(), of_group.groupby(CELL).ngroup().to_numpy()
        gaps = {n: of_group[f"{n}_first"] - of_group[f"{n}_second"] for n in names}
        compared = differences(
            {
                name: of_pairs(families, cells, gap.to_numpy("float64", na_value=np.nan))
                for name, gap in gaps.items()
            }
        )
        all_paired += [difference.paired for difference in compared.values()]
        (failed_1, unscored_1), (failed_2, unscored_2) = (
            lost.get((*key, a), (0, 0)) for a in (two.first, two.second)
        )
        counts = (failed_1, failed_2, unscored_1, unscored_2)
        rows += [
            (*key, name, *_cells(compared[name]), *counts) for name in names if name in compared
        ]
    if not rows:
        raise InputError(
            f"{two.first!r} and {two.second!r} share no scored cell in run {among.run!r}: "
            "the same scenario, seat, partners and repeat, played and judged for both"
        )
    whole = "int64"
    columns = {**dict.fromkeys(groups, ""), "measure": "", **dict.fromkeys(_NUMBERS, "float64")}
    columns |= {**dict.fromkeys(("pairs", "cells", "families"), whole), "settles": "Int64"}
    columns |= dict.fromkeys(
        ("failed_first", "failed_second", "unscored_first", "unscored_second"), whole
    )
    return noted(table(rows, columns).drop(columns=ALL, errors="ignore"), _notes(all_paired))


def pairs_frame(
    source: QuerySource,
    two: AgentPair,
    *,
    measure: str | None,
    judge: str | None,
    values: pd.DataFrame | None,
) -> pd.DataFrame:
    """See `Analysis.pairs_frame`."""
    two, among = _common_run(source, two)
    wanted = [measure or OVERALL] if values is None else [measure] if measure else []
    seats, (name, *_) = _seats(source, among, wanted, judge, values)
    beside = _paired_rows(seats, two, [name]).dropna(subset=[f"{name}_first", f"{name}_second"])
    ids = {
        first_64_bits(id_): id_
        for id_ in source.column("SELECT id FROM episodes WHERE run = :run", {"run": among.run})
    }
    columns = ["family", "scenario", "seat", "partners", "repeat"]
    frame = beside.sort_values(columns).reset_index(drop=True)[columns]
    ordered = beside.sort_values(columns)
    for side in ("first", "second"):
        frame[side] = ordered[f"{name}_{side}"].to_numpy()
    frame["difference"] = frame["first"] - frame["second"]
    for side in ("first", "second"):
        frame[f"episode_{side}"] = [ids[number] for number in ordered[f"episode_{side}"]]
    return noted(frame, ())


def _common_run(source: QuerySource, two: AgentPair) -> tuple[AgentPair, Scope]:
    """The two by their names in the one run in which both are, and the scope of their seats
    there.
    """
    if two.first == two.second:
        raise InputError(f"{two.first!r} is compared with itself; name two agents")
    scope(source, run=two.run, agents=(two.first, two.second))  # all are there
    meant = {"first": two.first, "second": two.second}
    sql = """
SELECT a.run, a.agent_name, b.agent_name
FROM run_agents a JOIN run_agents b ON b.run = a.run
WHERE (a.agent_name = :first OR a.agent_id = :first)
  AND (b.agent_name = :second OR b.agent_id = :second)
ORDER BY a.run"""
    both = [row for row in source.rows(sql, meant) if two.run in (None, row[0])]
    if not both:
        where = "are in no run together" if two.run is None else f"are not both in run {two.run!r}"
        raise InputError(
            f"{two.first!r} and {two.second!r} {where}, so they share no circumstances"
        )
    if len(both) > 1:
        runs = ", ".join(row[0] for row in both)
        raise InputError(
            f"{two.first!r} and {two.second!r} both take part in {len(both)} runs; say run=…:"
            f" {runs}"
        )
    run, first, second = both[0]
    among = scope(source, run=run, scenario=two.scenario, family=two.family, agents=(first, second))
    return (
        AgentPair(first=first, second=second, run=run, scenario=two.scenario, family=two.family),
        among,
    )


def _seats(
    source: QuerySource,
    among: Scope,
    measures: Sequence[str],
    judge: str | None,
    values: pd.DataFrame | None,
) -> tuple[pd.DataFrame, list[str]]:
    """The seats of both with what is known of them, and the names of the measures."""
    if values is None:
        chosen = choose_judge(source, judge, among)
        asked = judge_measures(chosen, measures)
        return pd.concat(seat_frames(source, among, NEEDED, chosen, asked)), [
            measure.name for measure in asked
        ]
    if judge is not None:
        raise InputError("values=… and judge=… are two sources of numbers; give one of them")
    names = [measures] if isinstance(measures, str) else list(measures) or _measures(values)
    if lost := [name for name in (*_PLACE, *names) if name not in values.columns]:
        raise InputError(
            f"values has no column {', '.join(lost)}; it needs episode, seat, and a number for each"
            " measure"
        )
    numbers = values[[*_PLACE, *names]].dropna(subset=_PLACE)
    if numbers.duplicated(_PLACE).any():
        raise InputError("values has several rows for one episode and seat; average them first")
    if infinite := [name for name in names if np.isinf(numbers[name].astype("float64")).any()]:
        raise InputError(
            f"values has infinite numbers in {', '.join(infinite)}; correct them, or leave them out"
        )
    sql = "SELECT id FROM episodes WHERE run = :run"
    known = pd.DataFrame({"id": source.column(sql, {"run": among.run})})
    known["episode"] = known["id"].map(first_64_bits).astype("uint64")
    numbers = numbers.rename(columns={"episode": "id"}).merge(known, on="id").drop(columns="id")
    return (
        pd.concat(seat_frames(source, among, NEEDED)).merge(numbers, on=_PLACE, how="left"),
        names,
    )


def _measures(values: pd.DataFrame) -> list[str]:
    """The columns of a frame of values that are measures."""
    names = [str(name) for name in values.select_dtypes("number").columns if name not in _PLACE]
    if not names:
        raise InputError(
            "values has no column of numbers; it needs episode, seat, and a number for each measure"
        )
    return names


def _paired_rows(seats: pd.DataFrame, two: AgentPair, names: Sequence[str]) -> pd.DataFrame:
    """A row for each circumstance in which both sat: the columns of seats, and each measure of the
    first and of the second.
    """
    ended = seats[~seats["failed"]]
    sides = [ended[ended["agent"] == agent] for agent in (two.first, two.second)]
    other = sides[1][[*CELL, "repeat", "episode", *names]]
    return sides[0].merge(other, on=[*CELL, "repeat"], suffixes=("_first", "_second"))


def _lost(
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
        tuple(key): (int(lost), int(blank)) for *key, lost, blank in counted.itertuples(index=False)
    }


def _notes(compared: Iterable[PairedComparison]) -> list[str]:
    """What a reader must know of all groups: of the one with the fewest families, and of those
    without any scatter.
    """
    ordered = sorted(compared, key=lambda differences_frame: differences_frame.families)
    fewest = ordered[0].families
    return [
        note
        for differences_frame in ordered
        for note in differences_frame.notes
        if differences_frame.families == fewest or differences_frame.z is None
    ]


def _cells(difference: Difference) -> tuple[Any, ...]:
    paired_ = difference.paired
    numbers = (
        paired_.mean,
        paired_.low,
        paired_.high,
        difference.effect,
        paired_.z,
        paired_.p,
        paired_.p_holm,
        paired_.sign_p,
    )
    return (*numbers, paired_.pairs, paired_.cells, paired_.families, difference.settles)
