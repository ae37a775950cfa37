"""Evaluating from start to end: play what is missing, judge what is unjudged, compare. Safe to stop and to start again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agents.models.server_options import ServerFields
from simworld.analysis.quality import Embed
from simworld.core.stopping import Stopping
from simworld.judging.run import JudgingRun, Tally
from simworld.runner.models import Crew, borrow
from simworld.runner.stored import Progress, run_plan
from simworld.workflows.arms import ArmsPlan
from simworld.workflows.evaluation import Evaluation, read_arms
from simworld.workflows.scoring import Scoring
from store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Who is told how far it is."""

    playing: Callable[[Progress], None] = lambda progress: None
    judging: Callable[[Tally], None] = lambda tally: None


def evaluate(
    plan: ArmsPlan,
    crew: Crew,
    store: Store,
    scoring: Scoring,
    *,
    retry_failed: bool = False,
    live: int = 32,
    threads: int | None = None,
    replies_read: int = 400,
    embed: Embed | None = None,
    watch: Watch | None = None,
    server: ServerFields | None = None,
    stopping: Stopping | None = None,
) -> Evaluation:
    """Plays, judges and compares the arms of a plan.

    Args:
        plan: the arms, and where they play.
        crew: agents and backends for it.
        store: where the run is begun or resumed.
        scoring: what to compare by.
        retry_failed: play and judge again what failed.
        live: conversations under way at once.
        threads: of a judge's own local model.
        replies_read: replies of an arm that are read for perplexity and embeddings; 0: none.
        embed: sentence embeddings for the dispersion of utterances.
        watch: who is told how far it is.
        server: how the judge's server is asked, over what its file says.
        stopping: when to stop before the end.

    Raises:
        ResumeRefused: the run exists with other content.
        StoreError: the database cannot be written; what was committed stays.
        ModelError: the judge's model cannot be loaded.
        Stopped: too much failed.
        BudgetSpent: there is no room for the rest in the budget.
    """
    watch = watch or Watch()
    stopping = stopping or Stopping()
    run_plan(plan, crew, store, retry_failed=retry_failed, live=live, on_progress=watch.playing, stopping=stopping)
    stopping.check_budget()
    judge_ids: tuple[str, ...] = ()
    if scoring.judge is not None:
        judge = scoring.judge
        with borrow(crew, judge.model, judge.dtype, fields=judge, server=server, threads=threads) as backend:
            judging = JudgingRun(store, judge, backend, run=plan.run, retry_failed=retry_failed, stopping=stopping)
            judge_ids = judging.go(on_progress=watch.judging).judge_ids
        stopping.check_budget()
    return read_arms(plan, crew, store, scoring, judge_ids, replies_read=replies_read, embed=embed)
