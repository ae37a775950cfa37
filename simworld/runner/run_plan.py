"""Which episodes a run consists of, derived from names and content, never from list order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agents import LoadedSpec, ScriptedAgent
from simworld.core.engine import episode_seed
from simworld.core.episode import WorkItem
from simworld.core.errors import InputError, Problem
from simworld.core.protocols import Agent
from simworld.core.scenario import Scenario
from simworld.core.seeding import derive_seed
from simworld.core.visibility import observe
from simworld.runner.conversations import Job
from simworld.yamlfile import did_you_mean

ANY_SEAT = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Who plays whom, by agent name: in seat order, or by seat name, where `*` stands for every
    seat not named.
    """

    by_order: tuple[str, ...] = ()
    by_seat: Mapping[str, str] = field(default_factory=dict)

    @property
    def agent_names(self) -> tuple[str, ...]:
        """The names of the agents, in order."""
        return self.by_order or tuple(self.by_seat.values())

    def with_spec_names(self, names: Mapping[str, str]) -> Cast:
        """The cast with each agent under the name in its spec, where it was given as a file."""
        return Cast(
            by_order=tuple(names[given] for given in self.by_order),
            by_seat={seat: names[given] for seat, given in self.by_seat.items()},
        )

    def seating(self, scenario: Scenario) -> dict[str, str]:
        """Seat → agent name for a scenario. Raises InputError where it does not fit."""
        seats = [seat.name for seat in scenario.seats]
        where = f"scenario {scenario.name!r} has the seats {', '.join(seats)}"
        if self.by_order:
            if len(self.by_order) != len(seats):
                given = ", ".join(self.by_order)
                raise InputError(
                    f"{where}, but --agents names {len(self.by_order)} ({given}); or use --cast"
                    " '*=AGENT'"
                )
            return dict(zip(seats, self.by_order, strict=True))
        if unknown := [name for name in self.by_seat if name != ANY_SEAT and name not in seats]:
            hint = did_you_mean(unknown[0], seats) if len(unknown) == 1 else ""
            raise InputError(f"{where}; there is no seat {', '.join(map(repr, unknown))}{hint}")
        agents_by_seat = {
            seat: self.by_seat.get(seat, self.by_seat.get(ANY_SEAT)) for seat in seats
        }
        if uncast := [seat for seat, name in agents_by_seat.items() if name is None]:
            raise InputError(
                f"{where}; nobody is cast for {', '.join(uncast)}: add --cast '{uncast[0]}=AGENT'"
                " or '*=AGENT'"
            )
        return {seat: name for seat, name in agents_by_seat.items() if name is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedEpisode:
    """An episode of a plan, known before anybody who plays it is there."""

    item: WorkItem
    scenario: Scenario
    seating: Mapping[str, str]  # seat → agent name
    seed: int
    attempt: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """Everything a run is made of: scenarios, casts, repeats and the seed."""

    run: str
    seed: int
    repeats: int
    scenarios: tuple[Scenario, ...]
    casts: tuple[Cast, ...]
    specs: Mapping[str, LoadedSpec]  # by agent name
    # each scenario with one cast, drawn by its name, instead of with every cast
    one_cast_each: bool = False

    @property
    def settings(self) -> dict[str, Any]:
        """What is stored with the run."""
        return {"repeats": self.repeats}

    def seatings(self) -> list[tuple[Scenario, dict[str, str]]]:
        """Each scenario with its casts as seat → agent name. Raises InputError with everything that
        does not fit.
        """
        seatings: list[tuple[Scenario, dict[str, str]]] = []
        problems: list[Problem] = []
        for scenario in self.scenarios:
            casts = self.casts
            if self.one_cast_each:
                casts = (casts[derive_seed("cast", scenario.name) % len(casts)],)
            for cast in casts:
                try:
                    seatings.append((scenario, cast.seating(scenario)))
                except InputError as error:
                    problems += error.problems
        if problems:
            raise InputError(dict.fromkeys(problems))
        return seatings

    def planned_episodes(self, ids: Mapping[str, str]) -> list[PlannedEpisode]:
        """Every episode at its first attempt, repeat by repeat; equal items once.

        `ids` are those of the agents, by name.
        """
        episodes_by_key: dict[str, PlannedEpisode] = {}
        # hashing takes a while
        scenario_ids = {id(scenario): scenario.id for scenario in self.scenarios}
        seatings = self.seatings()
        for repeat in range(self.repeats):
            for scenario, seating in seatings:
                cast = {seat: ids[name] for seat, name in seating.items()}
                scenario_id = scenario_ids[id(scenario)]
                item = WorkItem(run=self.run, scenario_id=scenario_id, cast=cast, repeat=repeat)
                seed = episode_seed(self.seed, scenario_id, repeat)
                episodes_by_key.setdefault(
                    item.key,
                    PlannedEpisode(item=item, scenario=scenario, seating=seating, seed=seed),
                )
        return list(episodes_by_key.values())

    def make_jobs(
        self, agents: Mapping[str, Agent], episodes: Sequence[PlannedEpisode] | None = None
    ) -> list[Job]:
        """The jobs of these episodes, or all. Raises InputError for a scripted line to nobody."""
        self._refuse_unclear_lines(agents)
        if episodes is None:
            episodes = self.planned_episodes({name: agent.id for name, agent in agents.items()})
        return [self._make_job(episode, agents) for episode in episodes]

    def _make_job(self, episode: PlannedEpisode, agents: Mapping[str, Agent]) -> Job:
        return Job(
            item=episode.item,
            attempt=episode.attempt,
            scenario=episode.scenario,
            agents={seat: agents[name] for seat, name in episode.seating.items()},
            seed=episode.seed,
        )

    def _refuse_unclear_lines(self, agents: Mapping[str, Agent]) -> None:
        # Whom a scripted line may name is known once its agent has a seat.
        problems: list[Problem] = []
        for scenario, seating in self.seatings():
            for seat, name in seating.items():
                agent = agents[name]
                if isinstance(agent, ScriptedAgent):
                    where = f"agent {name!r} as {seat!r} in scenario {scenario.name!r}"
                    unclear_lines = agent.unresolved_lines(observe(scenario, seat, (), 0, 0))
                    problems += [Problem(line, where) for line in unclear_lines]
        if problems:
            raise InputError(dict.fromkeys(problems))
