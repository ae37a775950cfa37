"""The scores of a run as what games and pairs are made from, streamed scenario by scenario."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from simworld.analysis.games import SeatScore
from simworld.analysis.questions.names import Scope
from simworld.analysis.questions.seat_values import SeatValues
from simworld.analysis.questions.source import Row, Source
from simworld.core.errors import InputError

_SEAT = "e.id, s.seat, s.agent_name, e.family, e.scenario_id, e.repeat, o.agent_name"
_OTHERS = """
JOIN episode_seats s ON s.episode_id = e.id
JOIN episode_seats o ON o.episode_id = s.episode_id AND o.seat <> s.seat"""
_ORDER = "ORDER BY e.scenario_id, e.id, s.seat, o.position"


def seat_scores(source: Source, values: SeatValues, among: Scope) -> Iterator[SeatScore]:
    """Every score of the scope by a judge; those of a scenario stand together. Raises InputError for one that is not finite."""
    sql = f"""
SELECT {_SEAT}, {", ".join(values.columns)}
FROM ({values.sql}) x
JOIN episodes e ON e.id = x.episode_id {_OTHERS} AND s.seat = x.seat
WHERE {among.seats()}
{_ORDER}"""
    names = [measure.name for measure in values.measures]
    for rows in _by_seat(source, sql, values.values):
        yield _score(rows, dict(zip(names, rows[0][7:], strict=True)))


def measured_seats(
    source: Source, among: Scope, given: Mapping[tuple[str, str], Mapping[str, float]]
) -> Iterator[SeatScore]:
    """Every seat of the scope with what was given of it; those of a scenario stand together.

    Args:
        source: where to ask.
        among: whose seats; those of failed episodes are left out.
        given: (episode id, seat) → measure → value.

    Raises:
        InputError: a value is infinite; one that is missing or NaN is no value.
    """
    sql = f"""
SELECT {_SEAT}
FROM episodes e {_OTHERS}
WHERE e.ending <> 'failed' AND {among.episodes()} AND {among.seats()}
{_ORDER}"""
    for rows in _by_seat(source, sql, among.values):
        measured = {k: v for k, v in given.get((rows[0][0], rows[0][1]), {}).items() if not math.isnan(v)}
        if measured:
            yield _score(rows, measured)


def _by_seat(source: Source, sql: str, values: Mapping[str, Any]) -> Iterator[Sequence[Row]]:
    """The rows of a seat, one for each other seat."""
    for _, rows in groupby(source.stream(sql, values), key=lambda row: row[:2]):
        yield list(rows)


def _score(rows: Sequence[Row], values: Mapping[str, float | None]) -> SeatScore:
    episode, seat, agent, family, scenario, repeat = rows[0][:6]
    found = {name: float(value) for name, value in values.items() if value is not None}
    for name, value in found.items():
        if not math.isfinite(value):
            raise InputError(
                f"episode {episode}: {name} of seat {seat!r} is {value}, not a finite number; "
                "correct it, or delete that judgement and judge again"
            )
    return SeatScore(
        agent=agent,
        family=family,
        scenario=scenario,
        seat=seat,
        partners=tuple(row[6] for row in rows),
        repeat=repeat,
        episode=episode,
        values=found,
    )
