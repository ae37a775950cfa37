"""A run in the store: what is missing is played, and each episode is committed before it is
reported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import takewhile

from agents import agent_content
from simworld.code_version import code_version
from simworld.core.episode import Ending
from simworld.core.errors import Stopped
from simworld.core.profile import Profile
from simworld.core.protocols import Backend
from simworld.core.stopping import DeferredCommits, StopRules
from simworld.runner.conversations import Job, OnActs, PlayCounters, Played, play_jobs
from simworld.runner.loaded_agents import LoadedAgents
from simworld.runner.profiler import Profiler
from simworld.runner.run_plan import PlannedEpisode, RunPlan
from simworld.runner.turn_progress import TurnProgress
from store import AgentRecord, ItemState, PlannedItem, RunRecord, Store, check_store, open_store
from store.interrupts import delay_interrupts


@dataclass(frozen=True, slots=True, kw_only=True)
class RunProgress:
    """How far a run is."""

    planned: int  # work items of this plan
    before: int  # of them, finished before this command
    played: int = 0  # episodes committed by this command
    failed: int = 0  # of them, failed
    new_tokens: int = 0  # written by models, in unfinished episodes too
    share: float = (
        # of this command's work that is done, between 0 and 1; unfinished episodes count with their
        # turns
        0.0
    )
    profile: Profile | None = None  # where the time went; at the end


def open_store_for(loaded_agents: LoadedAgents, url: str) -> Store:
    """The database of that address; where there is none it is made, after the models are loaded:
    what fails leaves none behind.

    Raises:
        ModelError, InputError, MissingExtra: a model cannot be loaded, as `load_agents` says.
        StoreError: as `open_store`.
    """
    if not check_store(url):
        loaded_agents.load()
    return open_store(url, create=True)


def run_plan(
    plan: RunPlan,
    loaded_agents: LoadedAgents,
    store: Store,
    *,
    retry_failed: bool = False,
    live: int = 32,
    on_progress: Callable[[RunProgress], None] = lambda progress: None,
    on_acts: OnActs = lambda job, turn, acts: None,
    go_on: Callable[[], bool] = lambda: True,
    stopping: StopRules | None = None,
) -> RunProgress:
    """Plays what the store does not have yet; safe to kill at any moment and to start again with
    the same arguments.

    At the end, also when Ctrl-C is the end, where the time went is added to the run's profile: one
    entry per command that played.

    Args:
        plan: what the run consists of.
        loaded_agents: agents and backends for it.
        store: where the run is begun or resumed.
        retry_failed: play items whose last attempt failed again, as attempt n + 1.
        live: conversations under way at once.
        on_progress: called at the start, after each commit, and whenever the models have done
            something.
        on_acts: told what was done in each turn, of all conversations under way, before it is
            stored.
        go_on: asked before each conversation; once it says no, those under way are finished and no
            other is begun.
        stopping: when to stop before the end; `stopping.short` tells afterwards whether the budget
            had no room for the rest.

    Raises:
        ResumeRefused: the run exists with other content.
        Stopped: too much failed. What a server refused for good just before is not stored, so that
            a resume plays it.
        StoreError: the database cannot be written; what was committed stays.
    """
    planned = plan.episodes(loaded_agents.ids)
    due = due_episodes(planned, store, plan.run, retry_failed=retry_failed)
    # loads the models, unless there is nothing to play
    todo = plan.jobs(loaded_agents.agents, due) if due else []
    begin(plan, loaded_agents, store, planned)
    stopping = stopping or StopRules()
    stopping.begin()
    progress = RunProgress(planned=len(planned), before=len(planned) - len(todo))
    backends = loaded_agents.backends if todo else {}
    going = _ResumableRun(plan, backends, store, todo, progress, on_progress, stopping)
    going.report()  # the first answer of a model may take long
    try:
        allowed = takewhile(lambda job: go_on(), todo)
        playing = play_jobs(
            allowed,
            backends,
            live=live,
            pulse=going.pulse,
            on_beat=going.report,
            on_acts=on_acts,
            stopping=stopping,
        )
        for played in playing:
            with delay_interrupts():
                going.results.take(played, played.episode.failure)
        with delay_interrupts():
            going.results.release()
        stopping.check()
    except (KeyboardInterrupt, Stopped):
        going.end()
        raise
    return going.end()


class _ResumableRun:
    """A run that goes on: what came of it so far, and where its time went."""

    def __init__(
        self,
        plan: RunPlan,
        backends: Mapping[str, Backend],
        store: Store,
        todo: Sequence[Job],
        progress: RunProgress,
        on_progress: Callable[[RunProgress], None],
        stopping: StopRules,
    ) -> None:
        self.pulse = PlayCounters()
        self._stopping = stopping
        self._todo = len(todo)
        self.results = DeferredCommits(stopping, self._commit)
        self._run, self._store, self._progress, self._on_progress = (
            plan.run,
            store,
            progress,
            on_progress,
        )
        self._pace = TurnProgress(limits=sum(job.scenario.limits.turns for job in todo))
        self._started = datetime.now(UTC)
        self._profiler = Profiler(backends)

    def report(self) -> None:
        """Tells how far it is."""
        share = self._pace.share(self.pulse)
        self._progress = replace(self._progress, new_tokens=self.pulse.new_tokens, share=share)
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
        self._pace.ended(played)
        if not added:
            return  # another process of the same run was faster
        failed = played.episode.ending is Ending.failed
        now = self._progress
        self._progress = replace(now, played=now.played + 1, failed=now.failed + failed)
        self.report()
        self._stopping.failed(self._progress.failed, self._todo, "episodes")

    def end(self) -> RunProgress:
        """Stores the profile, unless there was nothing to play."""
        profile = self._profiler.profile(self.pulse.polled_s)
        if self.pulse.turns:
            entry = {
                "started": self._started.isoformat(timespec="seconds"),
                "code_version": code_version(),
                "episodes": self._progress.played,
                "turns": self.pulse.turns,
                "new_tokens": self.pulse.new_tokens,
            }
            self._store.add_profile(self._run, entry | profile.plain())
        return replace(self._progress, new_tokens=self.pulse.new_tokens, profile=profile)


def begin(
    plan: RunPlan, loaded_agents: LoadedAgents, store: Store, episodes: Sequence[PlannedEpisode]
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
            id=loaded_agents.ids[name],
            name=name,
            spec={"name": name, **agent_content(loaded, loaded_agents.infos.get(name))},
        )
        for name, loaded in plan.specs.items()
    ]
    store.begin_run(run, items, plan.scenarios, agents)


def due_episodes(
    planned: Sequence[PlannedEpisode], store: Store, run: str, *, retry_failed: bool = False
) -> list[PlannedEpisode]:
    """Those that the store does not have yet; with `retry_failed` also those that failed last, at
    their next attempt.
    """
    finished = store.item_states(run)
    found = (_due(episode, finished, retry_failed) for episode in planned)
    return [episode for episode in found if episode is not None]


def _due(
    episode: PlannedEpisode, finished: Mapping[str, ItemState], retry_failed: bool
) -> PlannedEpisode | None:
    state = finished.get(episode.item.key)
    if state is None:
        return episode
    if retry_failed and state.ending is Ending.failed:
        return replace(episode, attempt=state.attempts + 1)
    return None
