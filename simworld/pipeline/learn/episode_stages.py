"""The work of the stages that play and judge: functions of the context, the stage's label, and the
states of its inputs. Runs and judgements that were stopped go on where they were.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from agents import LoadedSpec
from agents.lm.sentences import load_sentences
from simworld.core.counts import counted
from simworld.core.episode import Ending
from simworld.core.errors import InputError
from simworld.core.progress import ReportProgress
from simworld.judging.attribution_pass import AttributionTally, attribute_episodes
from simworld.judging.judge_spec import JudgeSpec
from simworld.judging.judging_pass import JudgingRun, JudgingTally
from simworld.pipeline.arms_plan import ArmsPlan, EvaluationMeasures
from simworld.pipeline.evaluate import evaluate
from simworld.pipeline.evaluation_result import plain
from simworld.pipeline.learn.context import PipelineContext
from simworld.pipeline.learn.learn_file import RANDOM
from simworld.pipeline.learn.stage_cache import StageOutput, StageState
from simworld.runner.loaded_agents import load_agents, shared_or_new_backend
from simworld.runner.stored_run import RunProgress, run_plan


def play_replies(context: PipelineContext, label: str) -> StageOutput:
    """Episodes of the agent as it is, beside itself."""
    base = {context.agent.spec.name: context.agent}
    plan = context.plan(
        label,
        base,
        scenarios=context.train,
        partners=base,
        seats="first",
        repeats=context.file.replies,
    )
    return _played(context, plan)


def collect(context: PipelineContext, label: str, start: StageState) -> StageOutput:
    """Episodes of the agent, exploring with a checkpoint."""
    settings = context.file.collect
    explorer = context.steered("explore", start.path, settings.explore)
    plan = context.plan(
        label,
        {"explore": explorer},
        scenarios=context.train,
        partners={explorer.spec.name: explorer} if settings.self_play else context.partners,
        seats="first" if settings.self_play else settings.seats,
        repeats=settings.repeats,
    )
    return _played(context, plan)


def judge(
    context: PipelineContext, label: str, collected: StageState, *, spec: JudgeSpec
) -> StageOutput:
    """The judge's scores of a run, and what each utterance was worth where the reward wants it.

    Leaves a JSON file with the ids under which the judge judged, one per rubric: the store may know
    other verdicts on the run.
    """
    store, stopping, method = context.store, context.stopping, context.file.reward.attribution
    run = context.run_name(collected.label)
    server, threads = context.server, context.threads
    with (
        load_agents(()) as loaded_agents,
        shared_or_new_backend(
            loaded_agents, spec.model, spec.dtype, fields=spec, server=server, threads=threads
        ) as backend,
    ):
        judging = JudgingRun(store, spec, backend, run=run, retry_failed=True, stopping=stopping)
        tally = judging.go(on_progress=_judging(context.tell))
        stopping.check_budget()
        ids = [id_ for id_ in tally.judge_ids if any(store.score_rows(judge_id=id_, run=run))]
        if not ids:
            raise InputError(
                f"judge {spec.name!r} scored none of the {counted(tally.total, 'episode')} of run"
                f" {run}: {tally.last_failure}"
            )
        shared = AttributionTally()
        if method is not None:
            shared = attribute_episodes(
                store,
                spec,
                backend,
                method,
                run=run,
                on_progress=_attributing(context.tell),
                stopping=stopping,
            )
            stopping.check_budget()
            if shared.failed >= tally.total - tally.failed:
                raise InputError(
                    f"judge {spec.name!r} could tell of none of the"
                    f" {counted(shared.failed, 'judged episode')} of run {run} what an utterance"
                    f" was worth ({method}): {shared.last_failure}"
                )
    path = f"{label}.json"
    judged = {"run": run, "attribution": method, "judges": ids}
    (context.folder / path).write_text(json.dumps(judged) + "\n", "utf-8")
    return StageOutput(path=path, failed=tally.failed + shared.failed)


def compare(context: PipelineContext, label: str, *checkpoints: StageState) -> StageOutput:
    """The report of the arms, as a JSON file; the checkpoints are those of `LearnFile.steered`."""
    file, settings = context.file, context.file.evaluate
    explores = {"random": RANDOM, "explorer": file.collect.explore}
    arms: dict[str, LoadedSpec] = {"base": context.agent} if "base" in file.arms else {}
    for arm, checkpoint in zip(file.steered, checkpoints, strict=True):
        arms[arm] = context.steered(arm, checkpoint.path, explores.get(arm))
    plan = context.plan(
        label,
        arms,
        scenarios=context.test,
        partners=context.opponents,
        seats=settings.seats,
        repeats=settings.repeats,
    )
    measures = EvaluationMeasures(
        judge=context.test_judge,
        reward=None if file.reward.measure == "judged" else file.reward,
    )
    with context.loaded(plan) as loaded_agents:
        evaluation = evaluate(
            plan,
            loaded_agents,
            context.store,
            measures,
            retry_failed=context.retry_failed,
            live=context.live,
            threads=context.threads,
            replies_read=settings.quality,
            embed=load_sentences().encode if settings.quality else None,
            on_playing=_playing(context.tell),
            on_judging=_judging(context.tell),
            server=context.server,
            stopping=context.stopping,
        )
    path = f"{label}.json"
    (context.folder / path).write_text(json.dumps(plain(evaluation), indent=1) + "\n", "utf-8")
    failed = sum(arm.failed + arm.unscored for arm in evaluation.arms.values())
    return StageOutput(path=path, failed=failed)


def _played(context: PipelineContext, plan: ArmsPlan) -> StageOutput:
    """Plays a run."""
    with context.loaded(plan) as loaded_agents:
        run_plan(
            plan,
            loaded_agents,
            context.store,
            retry_failed=context.retry_failed,
            live=context.live,
            on_progress=_playing(context.tell),
            stopping=context.stopping,
        )
    context.stopping.check_budget()
    states = context.store.item_states(plan.run).values()
    return StageOutput(failed=sum(state.ending is Ending.failed for state in states))


def _playing(tell: ReportProgress) -> Callable[[RunProgress], None]:
    return lambda p: tell(p.before + p.played, p.planned, f"episodes; {p.failed} failed")


def _judging(tell: ReportProgress) -> Callable[[JudgingTally], None]:
    return lambda t: tell(
        t.already + t.scored + t.failed, t.total, f"judgements; {t.failed} failed"
    )


def _attributing(tell: ReportProgress) -> Callable[[AttributionTally], None]:
    return lambda t: tell(t.done + t.failed, t.total, f"judgements shared out; {t.failed} failed")
