"""Results as plain JSON data, for programs and for files."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from simworld.results.differences import Difference
from simworld.results.standings import MeasureStandings, Standing
from simworld.tournaments.loaded_tournament import Tournament
from simworld.tournaments.results import TournamentResult


def results_to_json(tournament: Tournament, results: TournamentResult) -> dict[str, Any]:
    """The standings as JSON data. What could not be computed is null; `warnings` and `notes` say
    why.
    """
    standings = results.standings
    return {
        "tournament": tournament.name,
        "judge": results.judge,
        "judge_ids": list(results.judge_ids),
        "judged": results.judged_episodes,
        "families": standings.families,
        "anchor": standings.anchor,
        "agents": {agent: asdict(seats) for agent, seats in standings.seats.items()},
        "measures": {name: _measure_to_json(table) for name, table in standings.tables.items()},
        "tables_of_three_and_more": None
        if results.multiplayer_ratings is None
        else [asdict(rating) for rating in results.multiplayer_ratings],
        "warnings": list(standings.warnings),
        "cautions": list(results.cautions),
    }


def differences_to_json(
    first: str, second: str, differences: dict[str, Difference]
) -> dict[str, Any]:
    """The differences of two agents as JSON data, by measure."""
    return {
        "first": first,
        "second": second,
        "measures": {
            measure: {
                **asdict(difference.comparison),
                "d_z": difference.effect_size,
                "families_needed": difference.families_needed,
                "notes": list(difference.comparison.notes),
            }
            for measure, difference in differences.items()
        },
    }


def _measure_to_json(table: MeasureStandings) -> dict[str, Any]:
    return {
        "standings": [_standing_to_json(standing) for standing in table.standings],
        "notes": list(table.notes),
        "games": table.games,
        "ties": table.ties,
        "tie": table.tie_threshold,
        "groups": [list(group) for group in table.groups],
        "matrix": [
            {"agent": agent, "opponent": opponent, **asdict(record)}
            for (agent, opponent), record in table.win_records.items()
        ],
    }


def _standing_to_json(standing: Standing) -> dict[str, Any]:
    """One agent; a rating's end that the games leave open is null."""
    data = asdict(standing)
    if standing.rating is not None:
        ends = {name: data["rating"][name] for name in ("low", "high")}
        data["rating"] |= {
            name: end if end is not None and math.isfinite(end) else None
            for name, end in ends.items()
        }
        data["rating"]["unbounded"] = {
            "above": ends["high"] == math.inf,
            "below": ends["low"] == -math.inf,
        }
    return data
