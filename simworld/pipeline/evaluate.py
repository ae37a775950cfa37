"""Evaluating from start to end: play what is missing, judge what is unjudged, compare. Safe to stop
and to start again.
"""

from __future__ import annotations

from collections.abc import Callable

from agents.lm.server.options import ServerFields
from simworld.core.arrays import EmbedTexts
from simworld.core.stopping import StopTracker
from simworld.judging.judging_pass import JudgingPass, JudgingTally
from simworld.pipeline.arms_plan import ArmsPlan, EvaluationMeasures
from simworld.pipeline.evaluation_result import Evaluation, compare_arms
from simworld.runner.agent_pool import AgentPool, shared_or_new_backend
from simworld.runner.stored_run import RunProgress, play_missing
from store import Store


def evaluate(
    plan: ArmsPlan,
    agent_pool: AgentPool,
    store: Store,
    measures: EvaluationMeasures,
    *,
    retry_failed: bool = False,
    max_live: int = 32,
    cpu_threads: int | None = None,
    replies_read: int = 400,
    embed: EmbedTexts | None = None,
    on_playing: Callable[[RunProgress], None] = lambda progress: None,
    on_judging: Callable[[JudgingTally], None] = lambda tally: None,
    server: ServerFields | None = None,
    stopping: StopTracker | None = None,
) -> Evaluation:
    """Plays, judges and compares the arms of a plan.

    Args:
        plan: the arms, and where they play.
        agent_pool: agents and backends for it.
        store: where the run is begun or resumed.
        measures: what to compare by.
        retry_failed: play and judge again what failed.
        max_live: conversations under way at once.
        cpu_threads: of a judge's own local model.
        replies_read: replies of an arm that are read for perplexity and embeddings; 0: none.
        embed: sentence embeddings for the dispersion of utterances.
        on_playing: told after each episode.
        on_judging: told after each judgement.
        server: how the judge's server is asked, over what its file says.
        stopping: when to stop before the end.

    Raises:
        ResumeRefused: the run exists with other content.
        StoreError: the database cannot be written; what was committed stays.
        ModelError: the judge's model cannot be loaded.
        Stopped: too much failed.
        BudgetSpent: there is no room for the rest in the budget.
    """
    stopping = stopping or StopTracker()
    play_missing(
        plan,
        agent_pool,
        store,
        retry_failed=retry_failed,
        max_live=max_live,
        on_progress=on_playing,
        stopping=stopping,
    )
    stopping.raise_if_budget_spent()
    judge_ids: tuple[str, ...] = ()
    if measures.judge is not None:
        judge = measures.judge
        with shared_or_new_backend(
            agent_pool,
            judge.model,
            judge.dtype,
            fields=judge,
            server=server,
            cpu_threads=cpu_threads,
        ) as backend:
            judging = JudgingPass(
                store, judge, backend, run=plan.run, retry_failed=retry_failed, stopping=stopping
            )
            judge_ids = judging.judge_missing(on_progress=on_judging).judge_ids
        stopping.raise_if_budget_spent()
    return compare_arms(
        plan, agent_pool, store, measures, judge_ids, replies_read=replies_read, embed=embed
    )
