"""The scores of a run as what games and pairs are made from, streamed scenario by scenario."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import groupby

from simworld.analysis.games import SeatScore
from simworld.analysis.questions.names import Scope
from simworld.analysis.questions.seat_values import SeatValues
from simworld.analysis.questions.source import Source
from simworld.core.errors import InputError


def seat_scores(source: Source, values: SeatValues, among: Scope) -> Iterator[SeatScore]:
    """Every score of the scope; those of a scenario stand together. Raises InputError for one that is not finite."""
    sql = f"""
SELECT e.id, s.seat, s.agent_name, e.family, e.scenario_id, e.repeat, o.agent_name, {", ".join(values.columns)}
FROM ({values.sql}) x
JOIN episodes e ON e.id = x.episode_id
JOIN episode_seats s ON s.episode_id = x.episode_id AND s.seat = x.seat
JOIN episode_seats o ON o.episode_id = s.episode_id AND o.seat <> s.seat
WHERE {among.seats()}
ORDER BY e.scenario_id, e.id, s.seat, o.position"""
    names = [measure.name for measure in values.measures]
    for (episode, seat), others in groupby(source.stream(sql, values.values), key=lambda row: row[:2]):
        rows = list(others)
        _, _, agent, family, scenario, repeat, _, *numbers = rows[0]
        yield SeatScore(
            agent=agent,
            family=family,
            scenario=scenario,
            seat=seat,
            partners=tuple(row[6] for row in rows),
            repeat=repeat,
            episode=episode,
            values=_values(episode, seat, dict(zip(names, numbers, strict=True))),
        )


def _values(episode: str, seat: str, numbers: Mapping[str, float | None]) -> dict[str, float]:
    found = {name: float(value) for name, value in numbers.items() if value is not None}
    for name, value in found.items():
        if not math.isfinite(value):
            raise InputError(
                f"episode {episode}: {name} of seat {seat!r} is {value}, not a finite number; "
                "delete that judgement and judge again"
            )
    return found
