"""Two agents in equal circumstances: how far apart they are, for whom, and how sure that is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from simworld.analysis.compare import Difference, compare_agents
from simworld.analysis.games import SeatScore
from simworld.analysis.questions.judges import choose_judge
from simworld.analysis.questions.names import Scope, scope
from simworld.analysis.questions.scores import GROUPS, grouping, seats_played
from simworld.analysis.questions.seat_scores import seat_scores
from simworld.analysis.questions.seat_values import seat_values
from simworld.analysis.questions.source import Source, noted, table
from simworld.core.errors import InputError

BY = ("family", "scenario", "seat")
_NUMBERS = ("difference", "low", "high", "d_z", "z", "p", "p_holm", "sign_p")


def paired(
    source: Source,
    first: str,
    second: str,
    *,
    by: Sequence[str],
    measures: Sequence[str],
    run: str | None,
    judge: str | None,
    scenario: str | None,
    family: str | None,
) -> pd.DataFrame:
    """See `Analysis.paired`."""
    groups = grouping(by, {name: GROUPS[name] for name in BY})
    among, found = _read(source, first, second, measures, run, judge, scenario, family)
    scenarios: dict[str, str] = dict(
        source.rows("SELECT DISTINCT scenario_id, scenario_name FROM episodes WHERE run = :run", _run(among))
    )
    key_of = _key(tuple(groups), scenarios)
    held: dict[tuple[Any, ...], list[SeatScore]] = defaultdict(list)
    for score in found:
        held[key_of(score)].append(score)
    compared = {key: compare_agents(of_group, first, second) for key, of_group in sorted(held.items())}
    if not any(compared.values()):
        raise InputError(
            f"{first!r} and {second!r} share no scored cell in run {among.run!r}: "
            "the same scenario, seat, partners and repeat, played and judged for both"
        )
    lost = _lost(source, among, groups, held, (first, second))
    rows = []
    notes: dict[str, None] = {}
    for key, by_measure in compared.items():
        for measure in sorted(by_measure, key=_order(found)):
            difference = by_measure[measure]
            notes |= dict.fromkeys(difference.paired.notes)
            rows.append((*key, measure, *_cells(difference), *lost.get(key, (0, 0, 0, 0))))
    count = dict.fromkeys(("pairs", "cells", "families"), "int64")
    lost_columns = dict.fromkeys(("failed_first", "failed_second", "unscored_first", "unscored_second"), "int64")
    columns = {**dict.fromkeys(groups, ""), "measure": "", **dict.fromkeys(_NUMBERS, "float64"), **count}
    return noted(table(rows, {**columns, "settles": "Int64", **lost_columns}), notes)


def pairs(
    source: Source,
    first: str,
    second: str,
    *,
    measure: str,
    run: str | None,
    judge: str | None,
    scenario: str | None,
    family: str | None,
) -> pd.DataFrame:
    """See `Analysis.pairs`."""
    among, found = _read(source, first, second, (measure,), run, judge, scenario, family)
    scenarios: dict[str, str] = dict(
        source.rows("SELECT DISTINCT scenario_id, scenario_name FROM episodes WHERE run = :run", _run(among))
    )
    sides: dict[Any, dict[str, SeatScore]] = defaultdict(dict)
    for score in found:
        if measure in score.values:
            sides[score.circumstance][score.agent] = score
    rows = []
    for cell, by_agent in sorted(sides.items()):
        if len(by_agent) == 2:
            one, two = by_agent[first], by_agent[second]
            values = (one.values[measure], two.values[measure])
            place = (cell.family, scenarios[cell.scenario], cell.seat, cell.partner, cell.repeat)
            rows.append((*place, *values, values[0] - values[1], one.episode, two.episode))
    columns = {"family": "", "scenario": "", "seat": "", "partners": "", "repeat": "int64"}
    numbers = dict.fromkeys(("first", "second", "difference"), "float64")
    return noted(table(rows, {**columns, **numbers, "episode_first": "", "episode_second": ""}), ())


def _read(
    source: Source,
    first: str,
    second: str,
    measures: Sequence[str],
    run: str | None,
    judge: str | None,
    scenario: str | None,
    family: str | None,
) -> tuple[Scope, list[SeatScore]]:
    if first == second:
        raise InputError(f"{first!r} is compared with itself; name two agents")
    scope(source, run=run, agents=(first, second))  # all are there
    chosen = _shared_run(source, first, second, run)
    among = scope(source, run=chosen, scenario=scenario, family=family, agents=(first, second))
    values = seat_values(source, choose_judge(source, judge, among), among, measures)
    return among, list(seat_scores(source, values, among))


def _shared_run(source: Source, first: str, second: str, run: str | None) -> str:
    """The run that is named, or the only one in which both agents are."""
    sql = (
        "SELECT a.run FROM run_agents a JOIN run_agents b ON b.run = a.run AND b.agent_name = :second "
        "WHERE a.agent_name = :first ORDER BY a.run"
    )
    both = [str(name) for name in source.column(sql, {"first": first, "second": second}) if run in (None, name)]
    if not both:
        where = "no run together" if run is None else f"run {run!r} not both"
        raise InputError(f"{first!r} and {second!r} are in {where}, so they have no equal circumstances")
    if len(both) > 1:
        raise InputError(f"{first!r} and {second!r} are together in {len(both)} runs; say run=…: {', '.join(both)}")
    return both[0]


def _run(among: Scope) -> dict[str, Any]:
    return {"run": among.run}


def _key(groups: Sequence[str], scenarios: Mapping[str, str]) -> Callable[[SeatScore], tuple[str, ...]]:
    def key(score: SeatScore) -> tuple[str, ...]:
        of = {"family": score.family, "scenario": scenarios[score.scenario], "seat": score.seat}
        return tuple(of[name] for name in groups)

    return key


def _order(found: Sequence[SeatScore]) -> Callable[[str], int]:
    """Measures in the order in which the judge gives them."""
    places = {name: place for place, name in enumerate(dict.fromkeys(name for score in found for name in score.values))}
    return lambda measure: places[measure]


def _cells(difference: Difference) -> tuple[Any, ...]:
    found = difference.paired
    numbers = (found.mean, found.low, found.high, difference.effect, found.z, found.p, found.p_holm, found.sign_p)
    return (*numbers, found.pairs, found.cells, found.families, difference.settles)


def _lost(
    source: Source,
    among: Scope,
    groups: Mapping[str, str],
    held: Mapping[tuple[Any, ...], Sequence[SeatScore]],
    agents: tuple[str, str],
) -> dict[tuple[Any, ...], tuple[int, int, int, int]]:
    """Group → seats of failed episodes and seats without a score, each of the first and the second agent."""
    played = seats_played(source, among, {**groups, "agent": GROUPS["agent"]})
    found = {}
    for key in held:
        failed, unscored = [], []
        for agent in agents:
            seats, lost = played.get((*key, agent), (0, 0))
            failed.append(lost)
            unscored.append(seats - lost - sum(score.agent == agent for score in held[key]))
        found[key] = (failed[0], failed[1], unscored[0], unscored[1])
    return found
