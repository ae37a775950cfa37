"""Branches: an episode up to a turn as stored, and on from there with another cast."""

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
from simworld.runner.run_plan import ANY_SEAT, Cast, PlannedEpisode, RunPlan
from simworld.yamlfile import did_you_mean
from store import StoredEpisode


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchAgent:
    """An agent that takes a seat over: it repeats the stored acts, and then acts by itself."""

    successor: Agent
    stored_acts: Mapping[int, Act]

    @property
    def id(self) -> str:
        """That of the agent that takes over."""
        return self.successor.id

    @property
    def model(self) -> str:
        """That of the agent that takes over."""
        return self.successor.model

    def act(self, observation: Observation) -> ActGenerator:
        """The stored act of this turn, else the agent's own."""
        if observation.turn in self.stored_acts:
            return self.stored_acts[observation.turn]
        return (yield from self.successor.act(observation))


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch(RunPlan):
    """A run of one episode: the first `kept_turns` turns of its parent, then the new cast."""

    parent: StoredEpisode
    kept_turns: int  # turns kept
    kept_seats: frozenset[str]  # seats that keep the parent's agent

    @property
    def settings(self) -> dict[str, Any]:
        """What is stored with the run."""
        return {"repeats": 1, "branch_of": self.parent.id, "at": self.kept_turns}

    def planned_episodes(self, ids: Mapping[str, str]) -> list[PlannedEpisode]:
        """The one episode. Raises InputError where a kept seat's agent has other content now."""
        (planned,) = RunPlan.planned_episodes(self, ids)
        problems = [
            f"seat {seat.seat!r} was played by {seat.agent_name!r} as {seat.agent_id[:15]}, now it"
            f" is {agent_id[:15]}"
            for seat in self.parent.summary.seats
            if seat.seat in self.kept_seats
            and (agent_id := planned.item.cast[seat.seat]) != seat.agent_id
        ]
        if problems:
            raise InputError(
                f"{'; '.join(problems)}: take back the change, or cast the seat with --cast"
            )
        item = replace(planned.item, repeat=self.parent.summary.repeat)
        return [replace(planned, item=item, seed=self.parent.episode.seed)]

    def _make_job(self, episode: PlannedEpisode, agents: Mapping[str, Agent]) -> Job:
        job = RunPlan._make_job(self, episode, agents)
        kept_acts = [
            (turn.index, act)
            for turn in self.parent.episode.turns[: self.kept_turns]
            for act in turn.acts
        ]
        agents_by_seat = {
            name: BranchAgent(
                successor=agent,
                stored_acts={index: act for index, act in kept_acts if act.seat == name},
            )
            for name, agent in job.agents.items()
        }
        return replace(job, agents=agents_by_seat, parent_id=self.parent.id)


def make_branch(
    parent: StoredEpisode,
    scenario: Scenario,
    run_seed: int,
    *,
    kept_turns: int,
    cast: Mapping[str, str],
    run_name: str | None = None,
) -> Branch:
    """The branch of an episode.

    Args:
        parent: what it branches from.
        scenario: the parent's.
        run_seed: of the parent's run.
        kept_turns: turns kept, from 0.
        cast: seat → the name or file of the agent that takes over; `*` stands for every seat not
            named. Other seats keep theirs.
        run_name: of the run; default: derived from parent, `kept_turns` and cast.

    Raises:
        InputError: everything that does not fit.
    """
    problems = pattern_problems(scenario)
    if run_name is not None and not (run_name.strip() and run_name.isprintable()):
        problems.append(
            Problem(f"--name {run_name!r}: expected a word or more, without control characters")
        )
    max_turns = max_kept_turns(parent, scenario)
    if not 0 <= kept_turns <= max_turns:
        message = (
            f"--at {kept_turns}: episode {parent.id} has"
            f" {counted(len(parent.episode.turns), 'turn')} and ended: {parent.summary.reason};"
            f" expected the number of turns to keep, 0 to {max_turns}"
        )
        problems.append(Problem(message))
    stored_cast = {seat.seat: seat.agent_name for seat in parent.summary.seats}
    for unknown in [seat for seat in cast if seat not in stored_cast and seat != ANY_SEAT]:
        hint = did_you_mean(unknown, stored_cast) or f"; there are {', '.join(stored_cast)}"
        problems.append(Problem(f"--cast: no seat {unknown!r} in scenario {scenario.name!r}{hint}"))
    kept_seats = frozenset(
        seat for seat in stored_cast if seat not in cast and ANY_SEAT not in cast
    )
    new_cast = {
        seat: cast.get(seat) or cast.get(ANY_SEAT) or agent for seat, agent in stored_cast.items()
    }
    specs: dict[str, LoadedSpec] = {}
    try:
        spec_names = tuple(dict.fromkeys(new_cast.values()))
        specs = dict(zip(spec_names, find_specs(spec_names), strict=True))
    except InputError as error:
        problems += error.problems
        missing_casts = [
            f"--cast {seat}=FILE"
            for seat in sorted(kept_seats)
            if any(repr(stored_cast[seat]) in str(p) for p in error.problems)
        ]
        if missing_casts:
            message = "seats not cast keep their agent, which must be found too; or add"
            problems.append(Problem(f"{message} {' '.join(missing_casts)}"))
    if problems:
        raise InputError(problems)
    return Branch(
        run=run_name or branch_name(parent.id, kept_turns, cast),
        seed=run_seed,
        repeats=1,
        scenarios=(scenario,),
        casts=(Cast(by_seat={seat: specs[agent].spec.name for seat, agent in new_cast.items()}),),
        specs={loaded.spec.name: loaded for loaded in specs.values()},
        parent=parent,
        kept_turns=kept_turns,
        kept_seats=kept_seats,
    )


def max_kept_turns(parent: StoredEpisode, scenario: Scenario) -> int:
    """The most turns that a branch can keep: all but the last, or all where the next one failed."""
    turns, failed = len(parent.episode.turns), parent.episode.ending is Ending.failed
    return turns if failed and scenario.order is not TurnOrder.simultaneous else max(0, turns - 1)


def branch_name(parent_id: str, kept_turns: int, cast: Mapping[str, str]) -> str:
    """`branch-` and eight hex digits of names alone: the same command finds its run again."""
    text = "\n".join(
        [parent_id, str(kept_turns), *(f"{seat}={agent}" for seat, agent in sorted(cast.items()))]
    )
    return f"branch-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
