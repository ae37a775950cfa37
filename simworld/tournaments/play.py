"""Playing a tournament: what is missing is played, what is unjudged is judged, round by round where
pairs depend on results.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from agents.lm.server.options import ServerFields
from simworld.core.errors import Stopped
from simworld.core.protocols import Backend
from simworld.core.stopping import StopTracker
from simworld.judging.judge_spec import JudgeSpec
from simworld.judging.judging_pass import JudgingPass, JudgingTally
from simworld.runner.agent_pool import AgentPool, shared_or_new_backend
from simworld.runner.stored_run import RunProgress, play_missing
from simworld.tournaments.budget import BudgetTracker
from simworld.tournaments.loaded_tournament import Tournament
from simworld.tournaments.measured_rates import judging_profile_entry
from simworld.tournaments.swiss_points import swiss_points
from simworld.tournaments.tournament_file import Budget
from simworld.tournaments.tournament_plan import plan_matches, plan_tournament
from store import Store

OpenJudge = Callable[[JudgeSpec], AbstractContextManager[Backend]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TournamentListener:
    """Callbacks that are told how far playing and judging are."""

    on_playing: Callable[[RunProgress], None] = lambda progress: None
    on_judging: Callable[[str, JudgingTally], None] = lambda judge, tally: None


@dataclass(frozen=True, slots=True, kw_only=True)
class TournamentOutcome:
    """What a command did."""

    played: int
    failed: int
    exhausted: str  # of what the budget ran out; empty if of nothing
    tallies: Mapping[str, JudgingTally]  # by judge, of the last round


def play_tournament(
    tournament: Tournament,
    agent_pool: AgentPool,
    store: Store,
    *,
    open_judge: OpenJudge,
    budget: Budget | None = None,
    retry_failed: bool = False,
    max_live: int = 32,
    listener: TournamentListener | None = None,
    stopping: StopTracker | None = None,
) -> TournamentOutcome:
    """Plays and judges what is missing; safe to kill at any moment and to start again.

    When the budget is spent, what was played is still judged.

    Args:
        tournament: what is played, as one run of its name.
        agent_pool: agents and backends for it.
        store: where the run is begun or resumed.
        open_judge: a judge's model, open for a block.
        budget: for playing; default: the file's.
        retry_failed: play and judge again what failed.
        max_live: conversations under way at once.
        listener: who is told how far it is.
        stopping: when to stop before the end; once the budget in it has no room, nothing more is
            judged either.

    Raises:
        ResumeRefused: the run exists with other content.
        StoreError: the database cannot be written; what was committed stays.
        ModelError: a judge's model cannot be loaded.
        Stopped: too much failed.
    """
    stopping = stopping or StopTracker()
    listener = listener or TournamentListener()
    budget_tracker = BudgetTracker(budget or tournament.file.budget)
    played = failed = 0
    tallies: dict[str, JudgingTally] = {}

    def on_progress(progress: RunProgress) -> None:
        budget_tracker.record_progress(progress)
        listener.on_playing(progress)

    for number in range(1, (tournament.file.rounds or 1) + 1):
        plan = plan_tournament(
            tournament, plan_matches(tournament, swiss_points(tournament, store), rounds=number)
        )
        progress = play_missing(
            plan,
            agent_pool,
            store,
            retry_failed=retry_failed,
            max_live=max_live,
            on_progress=on_progress,
            may_begin=budget_tracker.may_start_episode,
            stopping=stopping,
        )
        budget_tracker.start_round()
        played, failed = played + progress.played, failed + progress.failed
        for judge in tournament.judges:
            with open_judge(judge) as backend:
                judging = JudgingPass(
                    store,
                    judge,
                    backend,
                    run=tournament.name,
                    retry_failed=retry_failed,
                    stopping=stopping,
                )
                tallies[judge.name] = _judge_round(
                    judging, judge.name, tournament.name, store, listener
                )
        if budget_tracker.exhausted or stopping.budget_exhausted:
            break
    return TournamentOutcome(
        played=played, failed=failed, exhausted=budget_tracker.exhausted, tallies=tallies
    )


def _judge_round(
    judging: JudgingPass, judge: str, run: str, store: Store, listener: TournamentListener
) -> JudgingTally:
    """A pass of a judge; what it took is added to the run's profile, also where Ctrl-C is its
    end.
    """
    started, began = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()

    def remember() -> None:
        if judging.tally.scored + judging.tally.failed:
            entry = judging_profile_entry(
                judge, judging.tally, started=started, wall_s=time.monotonic() - began
            )
            store.add_profile(run, entry)

    try:
        tally = judging.judge_missing(on_progress=partial(listener.on_judging, judge))
    except (KeyboardInterrupt, Stopped):
        remember()
        raise
    remember()
    return tally


def judge_opener(
    agent_pool: AgentPool,
    *,
    cpu_threads: int | None = None,
    server: ServerFields | None = None,
) -> OpenJudge:
    """A function that opens a judge's model: the loaded agents' where it has it, else its own for
    the block; `server` goes before what its file says.
    """
    return lambda spec: shared_or_new_backend(
        agent_pool, spec.model, spec.dtype, fields=spec, server=server, cpu_threads=cpu_threads
    )
