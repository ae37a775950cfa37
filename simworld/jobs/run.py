"""Playing scenarios with a cast: the job of `simworld run`, and `simworld.run`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Unpack

from agents import HumanSpec, LoadedSpec
from simworld.core.counts import counted
from simworld.core.episode import MAX_REPEATS
from simworld.core.errors import InputError, Problem, collecting_problems
from simworld.jobs.database import database_address, explaining_damage
from simworld.jobs.progress import playing_bar
from simworld.jobs.report import JobReport, failure_summary
from simworld.jobs.settings import JobOptions, JobSettings, read_settings
from simworld.results.last_attempts import failed_attempts
from simworld.runner.given import (
    AgentLike,
    ScenarioLike,
    find_given_agents,
    find_given_scenarios,
    given_name,
    is_given_agent,
)
from simworld.runner.run_names import named_plan
from simworld.runner.run_plan import ANY_SEAT, Cast, RunPlan
from simworld.runner.stored_run import open_store_for, play_missing
from store import check_store

if TYPE_CHECKING:
    import pandas as pd

    from agents import TerminalBackend
    from scenarios import LoadedScenario
    from simworld.core.profile import Profile
    from simworld.core.scenario import Scenario
    from simworld.runner.conversations import OnActs
    from simworld.runner.stored_run import RunProgress
    from store import EpisodeSummary

# agents in the order of the seats, or seat → agent, where `*` stands for every other seat
GivenCast = Sequence[AgentLike] | Mapping[str, AgentLike]
# an agent for all seats, a cast, or several casts
GivenCasts = AgentLike | Mapping[str, AgentLike] | Sequence[AgentLike | GivenCast]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayListener:
    """Who is told what while a run plays."""

    on_progress: Callable[[RunProgress], None] = lambda progress: None
    on_acts: OnActs = lambda job, turn, acts: None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What is to be played; a plan without a name gets its default one."""

    plan: RunPlan
    casts: tuple[Cast, ...]  # as they were written: earlier versions named runs after them

    def named(self, ids: Mapping[str, str], db: str | None) -> RunPlan:
        """The plan under the run's name. `ids` are those of the agents, by name; `db` is None where
        there is no database yet.
        """
        return self.plan if self.plan.run else named_plan(self.plan, self.casts, ids, db)

    @property
    def has_human(self) -> bool:
        """Whether a person has a seat."""
        return has_human(self.plan.specs)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport(JobReport):
    """What playing a run came to."""

    run: str
    db: str = field(repr=False)  # it may hold a password
    planned: int  # episodes of the plan
    finished_before: int  # of them, there before
    played: int  # by this call
    failed: int  # of these
    failures: tuple[EpisodeSummary, ...] = field(repr=False)  # last attempts of the run that failed
    budget_spent: bool  # some were not begun, for the budget's sake
    profile: Profile | None = field(repr=False)  # where the time went

    @property
    def missing(self) -> int:
        """Episodes of the plan that are not there yet."""
        return self.planned - self.finished_before - self.played

    def frame(self) -> pd.DataFrame:
        """The run's episodes, the latest first; columns as of `Analysis.episodes`."""
        from simworld.analysis.connect import connect

        with connect(self.db) as analysis:
            return analysis.episodes(run=self.run, limit=0)

    @property
    def headline(self) -> str:
        """What was played, in a line."""
        counts = (
            f"{counted(self.played, 'episode')} played ({self.failed} failed),"
            f" {self.finished_before} already there"
        )
        return f"run {self.run}: {counts}, {self.planned} planned"

    def summary(self) -> str:
        """What was played, and how episodes failed."""
        return "\n".join(
            [
                self.headline,
                *failure_summary(self.failures, self.run),
                *["The budget of tokens is spent; the same call plays on."] * self.budget_spent,
            ]
        )


def run(
    scenarios: ScenarioLike | Iterable[ScenarioLike],
    cast: GivenCasts,
    *,
    db: str | os.PathLike[str] | None = None,
    repeats: int = 1,
    seed: int = 0,
    name: str | None = None,
    cache_bytes: int | None = None,
    **options: Unpack[JobOptions],
) -> RunReport:
    """Plays scenarios with a cast of agents, each episode stored as it ends.

    The same call again plays what is missing and nothing else.

    Args:
        scenarios: one or several: names, files, folders, globs, `tag:NAME`, `library`, … as for
            `simworld run`; or `Scenario` objects.
        cast: an agent for all seats; agents in the order of the seats; seat → agent, where `*`
            stands for every other seat; or a list of such casts. An agent is a name, a file, or a
            spec (`LMSpec`, `ScriptedSpec`).
        db: the database, made where there is none; default: SIMWORLD_DB, else simworld.db here.
        repeats: episodes per scenario and cast.
        seed: all randomness derives from it.
        name: of the run; default: made of the content of scenarios and agents, and the seed.
        cache_bytes: for the caches of local models; default: a quarter of what is free.
        options: see `JobOptions`.

    Raises:
        InputError: everything wrong in what was given, at once; ResumeRefused where the run exists
            with other content.
        ModelError, MissingExtra: a model or its key is not there.
        StoreError: the database cannot be written; what was committed stays.
        Stopped: more failed than `max_failures` allows.
    """
    settings = read_settings("run", options, cache_bytes=cache_bytes)
    request = plan_run(scenarios, read_given_casts(cast), repeats=repeats, seed=seed, name=name)
    listen = _listen_with_bar if settings.progress else _listen_quietly
    address = database_address(db)
    with explaining_damage(address):
        return play_run(request, address, settings, listen=listen)


def play_run(
    request: RunRequest,
    db: str,
    settings: JobSettings,
    *,
    terminal: TerminalBackend | None = None,
    listen: Callable[[RunPlan], AbstractContextManager[PlayListener]],
) -> RunReport:
    """Plays what is missing of a request.

    Args:
        request: what is to be played.
        db: the database's address; it is made where there is none.
        settings: of the job.
        terminal: where a person sits who plays.
        listen: given the named plan, opens who is told while it plays.
    """
    db_exists = check_store(db)  # before the models are loaded
    with settings.open_agents(request.plan.specs.values(), terminal) as agent_pool:
        plan = request.named(agent_pool.ids, db if db_exists else None)
        with open_store_for(agent_pool, db) as store:
            with listen(plan) as listener:
                done = play_missing(
                    plan,
                    agent_pool,
                    store,
                    retry_failed=settings.retry_failed,
                    max_live=1 if request.has_human else settings.max_live,
                    on_progress=listener.on_progress,
                    on_acts=listener.on_acts,
                    stopping=settings.stopping,
                )
            failures = failed_attempts(store, plan.run)
    return RunReport(
        run=plan.run,
        db=db,
        planned=done.planned,
        finished_before=done.finished_before,
        played=done.played,
        failed=done.failed,
        failures=failures,
        budget_spent=settings.stopping.budget_exhausted,
        profile=done.profile,
    )


def plan_run(
    scenarios: ScenarioLike | Iterable[ScenarioLike],
    casts: Sequence[GivenCast],
    *,
    repeats: int,
    seed: int,
    name: str | None,
    on_loaded: Callable[[Sequence[LoadedScenario]], None] = lambda loaded: None,
) -> RunRequest:
    """The plan of what was given; `on_loaded` is told the scenarios that were read from files.

    Raises InputError with everything wrong in scenarios, agents and casts at once.
    """
    problems: list[Problem] = []
    if name is not None and not (name.strip() and name.isprintable()):
        problems.append(
            Problem(message=f"--name {name!r}: expected a word or more, without control characters")
        )
    if not 1 <= repeats <= MAX_REPEATS:
        problems.append(
            Problem(message=f"--repeats {repeats}: expected a number from 1 to {MAX_REPEATS}")
        )
    if not casts:
        problems.append(
            Problem(message="no agents are given; use --agents A,B in seat order, or --cast '*=A'")
        )
    found: tuple[Scenario, ...] = ()
    agents: tuple[LoadedSpec, ...] = ()
    with collecting_problems(problems):
        found = find_given_scenarios(scenarios, on_loaded=on_loaded)
    given_agents = [agent for cast in casts for agent in _agents_of(cast)]
    with collecting_problems(problems):
        agents = find_given_agents(given_agents)
    if problems:
        raise InputError(problems)
    plan = RunPlan(
        run=name or "",
        seed=seed,
        repeats=repeats,
        scenarios=found,
        casts=_make_casts(casts, [loaded.spec.name for loaded in agents]),
        specs={loaded.spec.name: loaded for loaded in agents},
    )
    plan.seatings()
    return RunRequest(plan=plan, casts=_make_casts(casts, list(map(given_name, given_agents))))


def read_given_casts(given: GivenCasts) -> tuple[GivenCast, ...]:
    """The casts in what was given to `run`. Raises InputError where that is none."""
    if is_given_agent(given):
        return ({ANY_SEAT: given},)
    if isinstance(given, Mapping):
        return (given,)
    parts: list[object] = list(given) if isinstance(given, Iterable) else [given]
    agents = [part for part in parts if is_given_agent(part)]
    if agents and len(agents) == len(parts):
        return (agents,)
    for part in parts:
        if is_given_agent(part) or not isinstance(part, Mapping | Sequence):
            raise InputError(
                f"cast: found {type(part).__name__} {str(part)[:40]!r} in a list of casts; give"
                " agents in the order of the seats, {seat: agent}, or a list of such casts"
            )
    return tuple(part for part in parts if isinstance(part, Mapping | Sequence))


def has_human(specs: Mapping[str, LoadedSpec]) -> bool:
    """Whether a person has a seat among these agents."""
    return any(isinstance(loaded.spec, HumanSpec) for loaded in specs.values())


def _agents_of(cast: GivenCast) -> list[AgentLike]:
    return list(cast.values() if isinstance(cast, Mapping) else cast)


def _make_casts(casts: Sequence[GivenCast], names: Sequence[str]) -> tuple[Cast, ...]:
    """The casts with the agents' names, which are those of all casts, one after the other."""
    rest = iter(names)
    return tuple(
        Cast(by_seat={seat: next(rest) for seat in cast})
        if isinstance(cast, Mapping)
        else Cast(by_order=tuple(next(rest) for _ in cast))
        for cast in casts
    )


@contextmanager
def _listen_with_bar(plan: RunPlan) -> Iterator[PlayListener]:
    with playing_bar() as show:
        yield PlayListener(on_progress=show)


@contextmanager
def _listen_quietly(plan: RunPlan) -> Iterator[PlayListener]:
    yield PlayListener()
