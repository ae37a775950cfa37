"""A run in the store: what is missing is played; an episode is committed before it is told."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import takewhile

from agents import stored_agent_spec
from simworld.code_version import code_version
from simworld.core.episode import Ending
from simworld.core.errors import Stopped
from simworld.core.profile import Profile
from simworld.core.protocols import Backend
from simworld.core.stopping import DeferredCommits, StopTracker
from simworld.runner.agent_pool import AgentPool
from simworld.runner.conversations import Job, OnActs, PlayCounters, Played, play_jobs
from simworld.runner.profiler import Profiler
from simworld.runner.run_plan import PlannedEpisode, RunPlan
from simworld.runner.turn_progress import TurnProgress
from store import AgentRecord, ItemState, PlannedItem, RunRecord, Store, check_store, open_store
from store.interrupts import delay_interrupts

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunProgress:
    """How far a run is: episodes, tokens, and where the time went."""

    planned: int  # work items of this plan
    finished_before: int  # of them, finished before this command
    played: int = 0  # episodes committed by this command
    failed: int = 0  # of them, failed
    new_tokens: int = 0  # written by models, in unfinished episodes too
    done_share: float = 0.0  # of this command's work, in [0, 1]; unfinished episodes by turns
    profile: Profile | None = None  # where the time went; at the end


def open_store_for(agent_pool: AgentPool, url: str) -> Store:
    """The database at an address, made where there is none, but only after the models are loaded.

    Raises:
        ModelError, InputError, MissingExtra: a model cannot be loaded, as `load_agents` says.
        StoreError: as `open_store`.
    """
    if not check_store(url):
        agent_pool.load()
    return open_store(url, create=True)


def play_missing(
    plan: RunPlan,
    agent_pool: AgentPool,
    store: Store,
    *,
    retry_failed: bool = False,
    max_live: int = 32,
    on_progress: Callable[[RunProgress], None] = lambda progress: None,
    on_acts: OnActs = lambda job, turn, acts: None,
    may_begin: Callable[[], bool] = lambda: True,
    stopping: StopTracker | None = None,
) -> RunProgress:
    """Plays the episodes of a plan that are not stored; safe to kill and to start again.

    At the end, also when Ctrl-C is the end, where the time went is added to the run's profile: one
    entry per command that played.

    Args:
        plan: what the run consists of.
        agent_pool: agents and backends for it.
        store: where the run is begun or resumed.
        retry_failed: play items whose last attempt failed again, as attempt n + 1.
        max_live: conversations under way at once.
        on_progress: called at the start, after each commit, and whenever the models have done
            something.
        on_acts: told what was done in each turn, of all conversations under way, before it is
            stored.
        may_begin: asked before each conversation; once it says no, none is begun any more.
        stopping: when to stop before the end; `stopping.budget_exhausted` tells afterwards whether
            the budget had no room for the rest.

    Raises:
        ResumeRefused: the run exists with other content.
        Stopped: too much failed. What a server refused for good just before is not stored, so that
            a resume plays it.
        StoreError: the database cannot be written; what was committed stays.
    """
    planned = plan.planned_episodes(agent_pool.ids)
    due = due_episodes(planned, store, plan.run, retry_failed=retry_failed)
    _log.info(
        "run %s: %d episodes planned, %d there already, %d to play (%d as a further attempt)",
        plan.run,
        len(planned),
        len(planned) - len(due),
        len(due),
        sum(episode.attempt > 1 for episode in due),
    )
    # loads the models, unless there is nothing to play
    jobs = plan.make_jobs(agent_pool.agents, due) if due else []
    store_plan(plan, agent_pool, store, planned)
    stopping = stopping or StopTracker()
    stopping.begin_pass()
    progress = RunProgress(planned=len(planned), finished_before=len(planned) - len(jobs))
    backends = agent_pool.backends if jobs else {}
    recorder = _RunRecorder(plan, backends, store, jobs, progress, on_progress, stopping)
    recorder.report_progress()  # the first answer of a model may take long
    try:
        allowed_jobs = takewhile(lambda job: may_begin(), jobs)
        played_episodes = play_jobs(
            allowed_jobs,
            backends,
            max_live=max_live,
            counters=recorder.counters,
            on_progress=recorder.report_progress,
            on_acts=on_acts,
            stopping=stopping,
        )
        for played in played_episodes:
            with delay_interrupts():
                recorder.commits.commit_or_hold(played, played.episode.failure)
        with delay_interrupts():
            recorder.commits.commit_held()
        stopping.raise_if_stopped()
    except (KeyboardInterrupt, Stopped):
        recorder.finish()
        raise
    return recorder.finish()


class _RunRecorder:
    """Commits what is played, and tells how far the run is and where its time went."""

    def __init__(
        self,
        plan: RunPlan,
        backends: Mapping[str, Backend],
        store: Store,
        jobs: Sequence[Job],
        progress: RunProgress,
        on_progress: Callable[[RunProgress], None],
        stopping: StopTracker,
    ) -> None:
        self.counters = PlayCounters()
        self._stopping = stopping
        self._job_count = len(jobs)
        self.commits = DeferredCommits(stopping, self._commit)
        self._run, self._store = plan.run, store
        self._progress, self._on_progress = progress, on_progress
        self._turns = TurnProgress(turn_limits=sum(job.scenario.limits.turns for job in jobs))
        self._started = datetime.now(UTC)
        self._profiler = Profiler(backends)

    def report_progress(self) -> None:
        """Reports how far the run is."""
        share = self._turns.done_share(self.counters)
        self._progress = replace(
            self._progress, new_tokens=self.counters.new_tokens, done_share=share
        )
        self._on_progress(self._progress)

    def _commit(self, played: Played) -> None:
        scenario = played.job.scenario
        with self._profiler.time("storing"):
            added = self._store.add_episode(
                played.job.item,
                played.job.attempt,
                played.episode,
                scenario_name=scenario.name,
                family=scenario.family,
                started=played.started,
                ended=played.ended,
                code_version=code_version(),
                parent_id=played.job.parent_id,
            )
        self._turns.add_ended(played)
        _log.debug(
            "episode of %r, repeat %d, attempt %d: %s",
            scenario.name,
            played.job.item.repeat,
            played.job.attempt,
            played.episode.ending.value if added else "another process was faster",
        )
        if not added:
            return  # another process of the same run was faster
        failed = played.episode.ending is Ending.failed
        progress = self._progress
        self._progress = replace(
            progress, played=progress.played + 1, failed=progress.failed + failed
        )
        self.report_progress()
        self._stopping.note_failures(self._progress.failed, self._job_count, "episodes")

    def finish(self) -> RunProgress:
        """Stores the profile, unless there was nothing to play."""
        profile = self._profiler.profile(self.counters.backend_seconds)
        if self.counters.turns:
            profile_entry = {
                "started": self._started.isoformat(timespec="seconds"),
                "code_version": code_version(),
                "episodes": self._progress.played,
                "turns": self.counters.turns,
                "new_tokens": self.counters.new_tokens,
            }
            self._store.add_profile(self._run, profile_entry | profile.to_json())
        return replace(self._progress, new_tokens=self.counters.new_tokens, profile=profile)


def store_plan(
    plan: RunPlan, agent_pool: AgentPool, store: Store, episodes: Sequence[PlannedEpisode]
) -> None:
    """Stores the run and its plan, or adds to it. Raises ResumeRefused."""
    run = RunRecord(
        name=plan.run,
        seed=plan.seed,
        code_version=code_version(),
        created=datetime.now(UTC),
        settings=plan.settings,
    )
    items = [
        PlannedItem(item=e.item, scenario_name=e.scenario.name, family=e.scenario.family)
        for e in episodes
    ]
    agents = [
        AgentRecord(
            id=agent_pool.ids[name],
            name=name,
            spec={"name": name, **stored_agent_spec(loaded, agent_pool.infos.get(name))},
        )
        for name, loaded in plan.specs.items()
    ]
    store.begin_run(run, items, plan.scenarios, agents)


def due_episodes(
    planned: Sequence[PlannedEpisode], store: Store, run: str, *, retry_failed: bool = False
) -> list[PlannedEpisode]:
    """The planned episodes that are not stored; with `retry_failed` also those that failed."""
    finished = store.item_states(run)
    attempts = (_next_attempt(episode, finished, retry_failed) for episode in planned)
    return [episode for episode in attempts if episode is not None]


def _next_attempt(
    episode: PlannedEpisode, finished: Mapping[str, ItemState], retry_failed: bool
) -> PlannedEpisode | None:
    state = finished.get(episode.item.key)
    if state is None:
        return episode
    if retry_failed and state.ending is Ending.failed:
        return replace(episode, attempt=state.attempts + 1)
    return None
