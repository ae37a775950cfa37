"""Two agents in equal circumstances: how far apart they are, for whom, and how sure that is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from simworld.analysis.arms import OVERALL
from simworld.analysis.compare import Difference, compare_agents
from simworld.analysis.games import SeatScore
from simworld.analysis.questions.judges import choose_judge
from simworld.analysis.questions.names import Scope, scope
from simworld.analysis.questions.scores import GROUPS, Key, grouping, seats_played
from simworld.analysis.questions.seat_scores import measured_seats, seat_scores
from simworld.analysis.questions.seat_values import seat_values
from simworld.analysis.questions.source import Source, noted, table
from simworld.core.errors import InputError

BY = ("family", "scenario", "kind", "seat", "position")
_NUMBERS = ("difference", "low", "high", "d_z", "z", "p", "p_holm", "sign_p")
_PLACE = ("episode", "seat")  # what names a seat in a frame of values


@dataclass(frozen=True, slots=True, kw_only=True)
class Two:
    """Two agents, and where they are compared; what is None does not restrict."""

    first: str
    second: str
    run: str | None = None
    scenario: str | None = None
    family: str | None = None


def paired(
    source: Source,
    two: Two,
    *,
    by: Sequence[str],
    measures: Sequence[str],
    judge: str | None,
    values: pd.DataFrame | None,
) -> pd.DataFrame:
    """See `Analysis.paired`."""
    groups = grouping(by, {name: GROUPS[name] for name in BY})
    two, among = _meet(source, two)
    found = _scores(source, among, measures, judge, values)
    key_of = _keys(source, among, groups)
    held: dict[Key, list[SeatScore]] = defaultdict(list)
    for score in found:
        held[key_of[score.scenario, score.seat]].append(score)
    compared = {key: compare_agents(of_group, two.first, two.second) for key, of_group in sorted(held.items())}
    if not any(compared.values()):
        raise InputError(
            f"{two.first!r} and {two.second!r} share no scored cell in run {among.run!r}: "
            "the same scenario, seat, partners and repeat, played and judged for both"
        )
    order = {name: place for place, name in enumerate(dict.fromkeys(name for score in found for name in score.values))}
    lost = _lost(source, among, groups, held, two)
    rows = [
        (*key, measure, *_cells(by_measure[measure]), *lost[key])
        for key, by_measure in compared.items()
        for measure in sorted(by_measure, key=order.__getitem__)
    ]
    whole = "int64"
    columns = {**dict.fromkeys(groups, ""), "measure": "", **dict.fromkeys(_NUMBERS, "float64")}
    columns |= {**dict.fromkeys(("pairs", "cells", "families"), whole), "settles": "Int64"}
    columns |= dict.fromkeys(("failed_first", "failed_second", "unscored_first", "unscored_second"), whole)
    return noted(table(rows, columns), _notes(compared.values()))


def pairs(
    source: Source, two: Two, *, measure: str | None, judge: str | None, values: pd.DataFrame | None
) -> pd.DataFrame:
    """See `Analysis.pairs`."""
    two, among = _meet(source, two)
    name = measure or (OVERALL if values is None else _measures(values)[0])
    names = _keys(source, among, {"scenario": GROUPS["scenario"]})
    sides: dict[Any, dict[str, SeatScore]] = defaultdict(dict)
    for score in _scores(source, among, (name,), judge, values):
        if name in score.values:
            sides[score.circumstance][score.agent] = score
    rows = []
    for cell, by_agent in sorted(sides.items()):
        if len(by_agent) == 2:
            one, other = by_agent[two.first], by_agent[two.second]
            numbers = (one.values[name], other.values[name], one.values[name] - other.values[name])
            place = (cell.family, *names[cell.scenario, cell.seat], cell.seat, cell.partner, cell.repeat)
            rows.append((*place, *numbers, one.episode, other.episode))
    columns = {"family": "", "scenario": "", "seat": "", "partners": "", "repeat": "int64"}
    columns |= dict.fromkeys(("first", "second", "difference"), "float64")
    return noted(table(rows, {**columns, "episode_first": "", "episode_second": ""}), ())


def _meet(source: Source, two: Two) -> tuple[Two, Scope]:
    """The two by their names in the one run in which both are, and the scope of their seats there."""
    if two.first == two.second:
        raise InputError(f"{two.first!r} is compared with itself; name two agents")
    scope(source, run=two.run, agents=(two.first, two.second))  # all are there
    meant = {"first": two.first, "second": two.second}
    sql = """
SELECT a.run, a.agent_name, b.agent_name
FROM run_agents a JOIN run_agents b ON b.run = a.run
WHERE (a.agent_name = :first OR a.agent_id = :first) AND (b.agent_name = :second OR b.agent_id = :second)
ORDER BY a.run"""
    both = [row for row in source.rows(sql, meant) if two.run in (None, row[0])]
    if not both:
        where = "no run together" if two.run is None else f"run {two.run!r} not both"
        raise InputError(f"{two.first!r} and {two.second!r} are in {where}, so they have no equal circumstances")
    if len(both) > 1:
        runs = ", ".join(row[0] for row in both)
        raise InputError(f"{two.first!r} and {two.second!r} are together in {len(both)} runs; say run=…: {runs}")
    run, first, second = both[0]
    among = scope(source, run=run, scenario=two.scenario, family=two.family, agents=(first, second))
    return Two(first=first, second=second, run=run, scenario=two.scenario, family=two.family), among


def _scores(
    source: Source, among: Scope, measures: Sequence[str], judge: str | None, values: pd.DataFrame | None
) -> list[SeatScore]:
    if values is None:
        return list(
            seat_scores(source, seat_values(source, choose_judge(source, judge, among), among, measures), among)
        )
    if judge is not None:
        raise InputError("values=… and judge=… are two sources of numbers; give one of them")
    chosen = list(measures) or _measures(values)
    if lost := [name for name in (*_PLACE, *chosen) if name not in values.columns]:
        raise InputError(
            f"values has no column {', '.join(lost)}; it needs episode, seat, and a number for each measure"
        )
    if values.duplicated(list(_PLACE)).any():
        raise InputError("values has several rows for one episode and seat; average them first")
    given = {
        (row[0], row[1]): dict(zip(chosen, map(float, row[2:]), strict=True))
        for row in values[[*_PLACE, *chosen]].itertuples(index=False)
    }
    return list(measured_seats(source, among, given))


def _measures(values: pd.DataFrame) -> list[str]:
    """The columns of a frame of values that are measures."""
    found = [str(name) for name in values.select_dtypes("number").columns if name not in _PLACE]
    if not found:
        raise InputError("values has no column of numbers; it needs episode, seat, and a number for each measure")
    return found


def _keys(source: Source, among: Scope, groups: Mapping[str, str]) -> dict[tuple[str, str], Key]:
    """(scenario id, seat) → the group it is in."""
    columns = "".join(f", {column}" for column in groups.values())
    sql = f"""
SELECT DISTINCT e.scenario_id, s.seat{columns}
FROM episodes e JOIN episode_seats s ON s.episode_id = e.id
WHERE {among.episodes()} AND {among.seats()}"""
    return {(scenario, seat): tuple(key) for scenario, seat, *key in source.rows(sql, among.values)}


def _notes(compared: Iterable[Mapping[str, Difference]]) -> list[str]:
    """What a reader must know of all groups: of the one with the fewest families, and of those without any scatter."""
    found = sorted((one.paired for group in compared for one in group.values()), key=lambda paired: paired.families)
    fewest = found[0].families
    return [note for paired in found for note in paired.notes if paired.families == fewest or paired.z is None]


def _cells(difference: Difference) -> tuple[Any, ...]:
    found = difference.paired
    numbers = (found.mean, found.low, found.high, difference.effect, found.z, found.p, found.p_holm, found.sign_p)
    return (*numbers, found.pairs, found.cells, found.families, difference.settles)


def _lost(
    source: Source, among: Scope, groups: Mapping[str, str], held: Mapping[Key, Sequence[SeatScore]], two: Two
) -> dict[Key, tuple[int, int, int, int]]:
    """Group → seats of failed episodes and seats without a score, each of the first and the second agent."""
    played = seats_played(source, among, {**groups, "agent": GROUPS["agent"]})
    found = {}
    for key in held:
        failed, unscored = [], []
        for agent in (two.first, two.second):
            seats, lost = played.get((*key, agent), (0, 0))
            failed.append(lost)
            unscored.append(seats - lost - sum(score.agent == agent for score in held[key]))
        found[key] = (failed[0], failed[1], unscored[0], unscored[1])
    return found
