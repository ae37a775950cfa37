"""The run of a tournament: its matches as work items, each named by what it is and by nothing
else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from simworld.core.scenario import Scenario
from simworld.runner.run_plan import RunPlan
from simworld.tournaments.loaded_tournament import Tournament
from simworld.tournaments.schedule import (
    Match,
    cast_matches,
    compared_seat_names,
    fixed_partner_matches,
    focal_matches,
    round_robin_matches,
    swiss_matches,
    swiss_pairs,
)
from simworld.yamlfile.fields import SeatChoice
from store import EpisodeSummary, SeatRecord

# What the rounds so far came to: the casts that count → agent → points.
PointsOfCasts = Callable[[frozenset[frozenset[str]]], Mapping[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TournamentPlan(RunPlan):
    """A run of matches. Episodes of one scenario and repeat have one seed, whoever plays."""

    matches: tuple[Match, ...]
    seats: SeatChoice
    options: Mapping[str, Any]  # of the tournament, plain JSON data: what its standings depend on

    @property
    def settings(self) -> dict[str, Any]:
        """What is stored with the run, so that standings need no file: see
        `simworld.tournaments.stored_tournament`.
        """
        return {"repeats": self.repeats, "tournament": dict(self.options)}

    def seatings(self) -> list[tuple[Scenario, dict[str, str]]]:
        """Each scenario with each of its casts, once."""
        distinct: dict[
            tuple[str, tuple[tuple[str, str], ...]], tuple[Scenario, dict[str, str]]
        ] = {}
        for scenario, cast in cast_matches(self.scenarios, self.matches, self.seats):
            distinct.setdefault((scenario.id, tuple(cast.items())), (scenario, cast))
        return list(distinct.values())


def plan_tournament(tournament: Tournament, matches: Iterable[Match]) -> TournamentPlan:
    """The plan of some of a tournament's matches."""
    file = tournament.file
    return TournamentPlan(
        run=file.name,
        seed=file.seed,
        repeats=file.repeats,
        scenarios=tournament.scenarios,
        casts=(),
        specs=tournament.specs,
        matches=tuple(dict.fromkeys(matches)),
        seats=file.seats,
        options=stored_options(tournament),
    )


def stored_options(tournament: Tournament) -> dict[str, Any]:
    """What is stored of the file: plain JSON data, agents by their names instead of their files."""
    by_name = {
        "agents": list(tournament.agents),
        "partners": list(tournament.partners),
        "focal": tournament.focal,
        "anchor": tournament.anchor or "",
        "tie": tournament.tie,
    }
    return tournament.file.model_dump(mode="json") | by_name


def plan_matches(
    tournament: Tournament, points: PointsOfCasts | None = None, *, rounds: int | None = None
) -> tuple[Match, ...]:
    """The matches of a tournament; of a Swiss one, those of its first `rounds` rounds.

    Args:
        tournament: any format.
        points: Swiss: what the rounds before came to; only casts whose agents are one of the sets
            may count, so that a round's pairs never depend on what was played after them.
        rounds: Swiss: how many; default: all.
    """
    file, agents = tournament.file, tournament.agents
    match file.format:
        case "round_robin":
            return round_robin_matches(agents, self_play=file.self_play)
        case "fixed_partner":
            return fixed_partner_matches(agents, tournament.partners)
        case "focal":
            return focal_matches(agents, tournament.focal, self_play=file.self_play)
        case "swiss":
            paired: list[frozenset[str]] = []
            for _ in range(file.rounds or 1) if rounds is None else range(rounds):
                casts = frozenset(paired) | {frozenset((name,)) for pair in paired for name in pair}
                earlier = points(casts) if points is not None and paired else {}
                paired += [
                    frozenset(pair) for pair in swiss_pairs(agents, earlier, paired, seed=file.seed)
                ]
            pairs = [tuple(sorted(pair)) for pair in paired]
            return swiss_matches([(a, b) for a, b in pairs], self_play=file.self_play)


def same_partners(tournament: Tournament) -> bool:
    """Whether all agents are scored beside the same partners, so that their mean scores compare.

    At tables of three and more, agents that are each other's partners also meet mixed company:
    themselves beside another.
    """
    file = tournament.file
    pairs = all(len(scenario.seats) == 2 for scenario in tournament.scenarios)
    return file.format == "fixed_partner" or (
        file.format == "round_robin" and file.self_play and pairs
    )


def compared_seats(tournament: Tournament) -> Callable[[str, Mapping[str, str]], Collection[str]]:
    """Scenario id and agent by seat → where agents are compared: in the file's seats, with fixed
    partners only beside one of them.

    A partner that is an agent too would otherwise be averaged over seats in which nobody else sat.
    """
    seats_of_scenario = {
        scenario.id: compared_seat_names(scenario, tournament.file.seats)
        for scenario in tournament.scenarios
    }
    partners = [{partner} for partner in tournament.partners]

    def compared(scenario: str, cast: Mapping[str, str]) -> Collection[str]:
        seats = seats_of_scenario.get(scenario, ())
        return [
            s
            for s in seats
            if not partners or {name for seat, name in cast.items() if seat != s} in partners
        ]

    return compared


def seat_filter(tournament: Tournament) -> Callable[[EpisodeSummary, SeatRecord], bool]:
    """Whether agents are compared in a seat of an episode: see `compared_seats`."""
    compared = compared_seats(tournament)
    return lambda summary, own: (
        own.seat
        in compared(summary.scenario_id, {seat.seat: seat.agent_name for seat in summary.seats})
    )
