"""A run in the store: what is missing is played, and each episode is committed before it is reported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import simworld
from agents import agent_content
from simworld.core.episode import Ending
from simworld.runner.live import Job, Played, play_jobs
from simworld.runner.models import Crew
from simworld.runner.plan import Plan
from store import AgentRecord, ItemState, PlannedItem, RunRecord, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run is."""

    planned: int  # work items of this plan
    before: int  # of them, finished before this command
    played: int = 0  # episodes committed by this command
    failed: int = 0  # of them, failed
    new_tokens: int = 0  # written by models in them


def run_plan(
    plan: Plan,
    crew: Crew,
    store: Store,
    *,
    retry_failed: bool = False,
    live: int = 32,
    on_episode: Callable[[Played, Progress], None] = lambda played, progress: None,
) -> Progress:
    """Plays what the store does not have yet; safe to kill at any moment and to start again with the same arguments.

    Args:
        plan: what the run consists of.
        crew: agents and backends for it.
        store: where the run is begun or resumed.
        retry_failed: play items whose last attempt failed again, as attempt n + 1.
        live: conversations under way at once.
        on_episode: called after each commit.

    Raises:
        ResumeRefused: the run exists with other content.
        StoreError: the database cannot be written; what was committed stays.
    """
    jobs = plan.jobs(crew.agents)
    begin(plan, crew, store, jobs)
    finished = store.finished(plan.run)
    todo = [job for job in (_due(job, finished, retry_failed) for job in jobs) if job is not None]
    progress = Progress(planned=len(jobs), before=len(jobs) - len(todo))
    for played in play_jobs(todo, crew.backends, live=live):
        scenario = played.job.scenario
        added = store.add_episode(
            played.job.item,
            played.job.attempt,
            played.episode,
            scenario_name=scenario.name,
            family=scenario.family,
            started=played.started,
            ended=played.ended,
            code_version=simworld.__version__,
        )
        if not added:
            continue  # another process of the same run was faster
        progress = replace(
            progress,
            played=progress.played + 1,
            failed=progress.failed + (played.episode.ending is Ending.failed),
            new_tokens=progress.new_tokens + sum(a.generation.new_tokens for a in played.episode.acts if a.generation),
        )
        on_episode(played, progress)
    return progress


def begin(plan: Plan, crew: Crew, store: Store, jobs: list[Job]) -> None:
    """Stores the run and its plan, or adds to it. Raises ResumeRefused."""
    run = RunRecord(
        name=plan.run,
        seed=plan.seed,
        code_version=simworld.__version__,
        created=datetime.now(UTC),
        settings={"repeats": plan.repeats},
    )
    items = [PlannedItem(item=job.item, scenario_name=job.scenario.name, family=job.scenario.family) for job in jobs]
    agents = [
        AgentRecord(
            id=crew.agents[name].id,
            name=name,
            spec={"name": name, **agent_content(loaded, crew.infos.get(name))},
        )
        for name, loaded in plan.specs.items()
    ]
    store.begin_run(run, items, plan.scenarios, agents)


def _due(job: Job, finished: Mapping[str, ItemState], retry_failed: bool) -> Job | None:
    state = finished.get(job.item.key)
    if state is None:
        return job
    if retry_failed and state.ending is Ending.failed:
        return replace(job, attempt=state.attempts + 1)
    return None
