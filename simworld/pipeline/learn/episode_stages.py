"""The work of the stages that play and judge: functions of the context, the stage's label, and the
states of its inputs. Runs and judgements that were stopped go on where they were.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from agents import LoadedSpec
from agents.lm.sentence_encoder import load_sentence_encoder
from simworld.core.counts import counted
from simworld.core.episode import Ending
from simworld.core.errors import InputError
from simworld.core.progress import ReportProgress
from simworld.judging.attribution_pass import AttributionTally, attribute_episodes
from simworld.judging.judge_spec import JudgeSpec
from simworld.judging.judging_pass import JudgingPass, JudgingTally
from simworld.pipeline.arms_plan import ArmsPlan, EvaluationMeasures
from simworld.pipeline.evaluate import evaluate
from simworld.pipeline.evaluation_result import Evaluation, evaluation_json
from simworld.pipeline.learn.context import PipelineContext
from simworld.pipeline.learn.learn_file import RANDOM_EXPLORATION
from simworld.pipeline.learn.stage_cache import StageOutput, StageState
from simworld.runner.agent_pool import load_agents, shared_or_new_backend
from simworld.runner.stored_run import RunProgress, play_missing


def play_unsteered(context: PipelineContext, label: str) -> StageOutput:
    """Episodes of the agent as it is, beside itself."""
    base = {context.agent.spec.name: context.agent}
    plan = context.arms_plan(
        label,
        base,
        scenarios=context.train_scenarios,
        partners=base,
        seats="first",
        repeats=context.file.replies,
    )
    return _play(context, plan)


def play_explorer(context: PipelineContext, label: str, start: StageState) -> StageOutput:
    """Episodes of the agent, exploring with a checkpoint."""
    settings = context.file.collect
    explorer = context.steered_agent("explore", start.path, settings.explore)
    plan = context.arms_plan(
        label,
        {"explore": explorer},
        scenarios=context.train_scenarios,
        partners={explorer.spec.name: explorer} if settings.self_play else context.partners,
        seats="first" if settings.self_play else settings.seats,
        repeats=settings.repeats,
    )
    return _play(context, plan)


def judge_run(
    context: PipelineContext, label: str, collected: StageState, *, spec: JudgeSpec
) -> StageOutput:
    """The judge's scores of a run, and what each utterance was worth where the reward wants it.

    Leaves a JSON file with the ids under which the judge judged, one per rubric: the store may know
    other verdicts on the run.
    """
    store, stopping, method = context.store, context.stopping, context.file.reward.attribution
    run = context.run_name(collected.label)
    server, cpu_threads = context.server, context.cpu_threads
    with (
        load_agents(()) as agent_pool,
        shared_or_new_backend(
            agent_pool,
            spec.model,
            spec.dtype,
            fields=spec,
            server=server,
            cpu_threads=cpu_threads,
        ) as backend,
    ):
        judging = JudgingPass(store, spec, backend, run=run, retry_failed=True, stopping=stopping)
        tally = judging.judge_missing(on_progress=_report_judging(context.on_progress))
        stopping.raise_if_budget_spent()
        judge_ids = [id_ for id_ in tally.judge_ids if any(store.score_rows(judge_id=id_, run=run))]
        if not judge_ids:
            raise InputError(
                f"judge {spec.name!r} scored none of the {counted(tally.total, 'episode')} of run"
                f" {run}: {tally.last_failure}"
            )
        attribution_tally = AttributionTally()
        if method is not None:
            attribution_tally = attribute_episodes(
                store,
                spec,
                backend,
                method,
                run=run,
                on_progress=_report_attributing(context.on_progress),
                stopping=stopping,
            )
            stopping.raise_if_budget_spent()
            if attribution_tally.failed >= tally.total - tally.failed:
                raise InputError(
                    f"judge {spec.name!r} could tell of none of the"
                    f" {counted(attribution_tally.failed, 'judged episode')} of run {run} what an"
                    f" utterance was worth ({method}): {attribution_tally.last_failure}"
                )
    path = f"{label}.json"
    judge_output = {"run": run, "attribution": method, "judges": judge_ids}
    (context.folder / path).write_text(json.dumps(judge_output) + "\n", "utf-8")
    return StageOutput(path=path, failed=tally.failed + attribution_tally.failed)


def evaluate_arms(context: PipelineContext, label: str, *inputs: StageState) -> StageOutput:
    """The report of the arms, as a JSON file; the inputs are the checkpoints of
    `LearnFile.steered_arms`, the standards of the reward's rules where it has any, and the best
    sentence where there is an arm that is told one.
    """
    file, settings = context.file, context.file.evaluate
    checkpoints = inputs[: len(file.steered_arms)]
    others = {state.name: state for state in inputs[len(checkpoints) :]}
    reward = context.reward([others["standards"]] if "standards" in others else ())
    explores = {"random": RANDOM_EXPLORATION, "explorer": file.collect.explore}
    arms: dict[str, LoadedSpec] = {"base": context.agent} if "base" in file.arms else {}
    for arm, checkpoint in zip(file.steered_arms, checkpoints, strict=True):
        arms[arm] = context.steered_agent(arm, checkpoint.path, explores.get(arm))
    prompted: dict[str, Any] = {}
    if "prompted" in others:
        prompted = {"prompted": json.loads(others["prompted"].path.read_text("utf-8"))}
        arms["prompted"] = context.prompted_agent("prompted", prompted["prompted"]["sentence"])
    plan = context.arms_plan(
        label,
        arms,
        scenarios=context.test_scenarios,
        partners=context.opponents,
        seats=settings.seats,
        repeats=settings.repeats,
    )
    measures = EvaluationMeasures(
        judge=context.test_judge,
        reward=None if reward.measure == "judged" else reward,
        seats=settings.measures,
    )
    evaluation = evaluate_plan(context, plan, measures, replies_read=settings.quality)
    path = f"{label}.json"
    content = json.dumps({**evaluation_json(evaluation), **prompted}, indent=1)
    (context.folder / path).write_text(content + "\n", "utf-8")
    return StageOutput(path=path, failed=evaluation.failed)


def evaluate_plan(
    context: PipelineContext, plan: ArmsPlan, measures: EvaluationMeasures, *, replies_read: int
) -> Evaluation:
    """Plays, judges and compares a plan with the means of the context; see `evaluate`."""
    with context.open_agents(plan) as agent_pool:
        return evaluate(
            plan,
            agent_pool,
            context.store,
            measures,
            retry_failed=context.retry_failed,
            max_live=context.max_live,
            cpu_threads=context.cpu_threads,
            replies_read=replies_read,
            embed=load_sentence_encoder().encode if replies_read else None,
            on_playing=_report_playing(context.on_progress),
            on_judging=_report_judging(context.on_progress),
            server=context.server,
            stopping=context.stopping,
        )


def _play(context: PipelineContext, plan: ArmsPlan) -> StageOutput:
    """Plays a run."""
    with context.open_agents(plan) as agent_pool:
        play_missing(
            plan,
            agent_pool,
            context.store,
            retry_failed=context.retry_failed,
            max_live=context.max_live,
            on_progress=_report_playing(context.on_progress),
            stopping=context.stopping,
        )
    context.stopping.raise_if_budget_spent()
    states = context.store.item_states(plan.run).values()
    return StageOutput(failed=sum(state.ending is Ending.failed for state in states))


def _report_playing(on_progress: ReportProgress) -> Callable[[RunProgress], None]:
    return lambda p: on_progress(
        p.finished_before + p.played, p.planned, f"episodes; {p.failed} failed"
    )


def _report_judging(on_progress: ReportProgress) -> Callable[[JudgingTally], None]:
    return lambda t: on_progress(
        t.already_judged + t.scored + t.failed, t.total, f"judgements; {t.failed} failed"
    )


def _report_attributing(on_progress: ReportProgress) -> Callable[[AttributionTally], None]:
    return lambda t: on_progress(
        t.done + t.failed, t.total, f"judgements shared out; {t.failed} failed"
    )
