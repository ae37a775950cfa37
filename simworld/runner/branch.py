"""Branches: an episode up to a turn as it was stored, and from there on with another cast, the same
seeds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from agents import LoadedSpec, find_specs
from simworld.core.checks import pattern_problems
from simworld.core.counts import counted
from simworld.core.episode import Act, Ending, Observation
from simworld.core.errors import InputError, Problem
from simworld.core.protocols import ActGenerator, Agent
from simworld.core.scenario import Scenario, TurnOrder
from simworld.runner.conversations import Job
from simworld.runner.run_plan import EVERYONE, Cast, PlannedEpisode, RunPlan
from simworld.yamlfile import did_you_mean
from store import StoredEpisode


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchAgent:
    """An agent that takes a seat over: it repeats the acts that are given, by turn, and decides for
    itself where there is none.
    """

    then: Agent
    acts: Mapping[int, Act]

    @property
    def id(self) -> str:
        """Of the agent that takes over."""
        return self.then.id

    @property
    def model(self) -> str:
        """Of the agent that takes over."""
        return self.then.model

    def act(self, observation: Observation) -> ActGenerator:
        """The stored act of this turn, else the agent's own."""
        if observation.turn in self.acts:
            return self.acts[observation.turn]
        return (yield from self.then.act(observation))


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch(RunPlan):
    """A run of one episode: the first `at` turns of its parent, and then whoever is cast."""

    parent: StoredEpisode
    at: int  # turns kept
    kept: frozenset[str]  # seats that keep the parent's agent

    @property
    def settings(self) -> dict[str, Any]:
        """What is stored with the run."""
        return {"repeats": 1, "branch_of": self.parent.id, "at": self.at}

    def episodes(self, ids: Mapping[str, str]) -> list[PlannedEpisode]:
        """The one episode. Raises InputError where the agent of a seat that keeps its agent has
        other content now.
        """
        (made,) = RunPlan.episodes(self, ids)
        problems = [
            f"seat {seat.seat!r} was played by {seat.agent_name!r} as {seat.agent_id[:15]}, now it"
            f" is {now[:15]}"
            for seat in self.parent.summary.seats
            if seat.seat in self.kept and (now := made.item.cast[seat.seat]) != seat.agent_id
        ]
        if problems:
            raise InputError(
                f"{'; '.join(problems)}: take back the change, or cast the seat with --cast"
            )
        item = replace(made.item, repeat=self.parent.summary.repeat)
        return [replace(made, item=item, seed=self.parent.episode.seed)]

    def _job(self, episode: PlannedEpisode, agents: Mapping[str, Agent]) -> Job:
        made = RunPlan._job(self, episode, agents)
        acts = [
            (turn.index, act) for turn in self.parent.episode.turns[: self.at] for act in turn.acts
        ]
        seated = {
            name: BranchAgent(
                then=agent, acts={index: act for index, act in acts if act.seat == name}
            )
            for name, agent in made.agents.items()
        }
        return replace(made, agents=seated, parent_id=self.parent.id)


def make_branch(
    parent: StoredEpisode,
    scenario: Scenario,
    run_seed: int,
    *,
    at: int,
    cast: Mapping[str, str],
    name: str | None = None,
) -> Branch:
    """The branch of an episode.

    Args:
        parent: what it branches from.
        scenario: the parent's.
        run_seed: of the parent's run.
        at: turns kept, from 0.
        cast: seat → the name or file of the agent that takes over; `*` stands for every seat not
            named. Other seats keep theirs.
        name: of the run; default: derived from parent, `at` and cast.

    Raises:
        InputError: everything that does not fit.
    """
    problems = pattern_problems(scenario)
    if name is not None and not (name.strip() and name.isprintable()):
        problems.append(
            Problem(message=f"--name {name!r}: expected a word or more, without control characters")
        )
    most = longest_prefix(parent, scenario)
    if not 0 <= at <= most:
        ended = (
            f"episode {parent.id} has {counted(len(parent.episode.turns), 'turn')} and ended:"
            f" {parent.summary.reason}"
        )
        problems.append(
            Problem(
                message=f"--at {at}: {ended}; expected the number of turns to keep, 0 to {most}"
            )
        )
    seats = {seat.seat: seat.agent_name for seat in parent.summary.seats}
    for unknown in [seat for seat in cast if seat not in seats and seat != EVERYONE]:
        hint = did_you_mean(unknown, seats) or f"; there are {', '.join(seats)}"
        problems.append(
            Problem(message=f"--cast: no seat {unknown!r} in scenario {scenario.name!r}{hint}")
        )
    kept = frozenset(seat for seat in seats if seat not in cast and EVERYONE not in cast)
    given = {seat: cast.get(seat) or cast.get(EVERYONE) or agent for seat, agent in seats.items()}
    specs: dict[str, LoadedSpec] = {}
    try:
        wanted = tuple(dict.fromkeys(given.values()))
        specs = dict(zip(wanted, find_specs(wanted), strict=True))
    except InputError as error:
        problems += error.problems
        lost = [
            f"--cast {seat}=FILE"
            for seat in sorted(kept)
            if any(repr(seats[seat]) in str(p) for p in error.problems)
        ]
        if lost:
            problems.append(
                Problem(
                    message=(
                        "seats not cast keep their agent, which must be found too; or add"
                        f" {' '.join(lost)}"
                    )
                )
            )
    if problems:
        raise InputError(problems)
    return Branch(
        run=name or branch_name(parent.id, at, cast),
        seed=run_seed,
        repeats=1,
        scenarios=(scenario,),
        casts=(Cast(by_seat={seat: specs[agent].spec.name for seat, agent in given.items()}),),
        specs={loaded.spec.name: loaded for loaded in specs.values()},
        parent=parent,
        at=at,
        kept=kept,
    )


def longest_prefix(parent: StoredEpisode, scenario: Scenario) -> int:
    """The most turns that a branch can keep: all but the last one, or all where an agent failed at
    the next one.
    """
    turns = len(parent.episode.turns)
    whole = parent.episode.ending is Ending.failed and scenario.order is not TurnOrder.simultaneous
    return turns if whole else max(0, turns - 1)


def branch_name(parent_id: str, at: int, cast: Mapping[str, str]) -> str:
    """`branch-` and eight hex digits of names alone, so that the same command finds its run
    again.
    """
    text = "\n".join(
        [parent_id, str(at), *(f"{seat}={agent}" for seat, agent in sorted(cast.items()))]
    )
    return f"branch-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
