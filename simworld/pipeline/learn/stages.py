"""The work of each stage. All of it may be done again: runs and judgements go on where they
stopped, folders appear whole.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agents.lm.load import local_weights
from agents.lm.local.local_model import LocalModel, load_local
from agents.lm.sentences import load_sentences
from agents.steering.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from agents.steering.pca_checkpoint import pca_checkpoint
from simworld.code_version import code_version
from simworld.core.counts import counted
from simworld.core.episode import Ending
from simworld.core.errors import InputError
from simworld.judging.attribution_pass import AttributionTally, attribute_episodes
from simworld.judging.judging_pass import JudgingRun, JudgingTally
from simworld.pipeline.arms_plan import ArmsPlan
from simworld.pipeline.evaluate import EvaluationListener, evaluate
from simworld.pipeline.evaluation_json import plain
from simworld.pipeline.evaluation_measures import EvaluationMeasures
from simworld.pipeline.learn.context import PipelineContext
from simworld.pipeline.learn.fingerprints import file_content, judged_content, run_content
from simworld.pipeline.learn.learn_file import CloneStage, DescentFields, LatentStage
from simworld.pipeline.learn.stage_cache import StageOutput
from simworld.runner.loaded_agents import borrow, load_agents
from simworld.runner.stored_run import RunProgress, run_plan
from simworld.training.cloning.clone_checkpoint import (
    DEV,
    CloningData,
    ReplyQuery,
    clone_planner,
    latent_upmap,
    open_cloning_data,
)
from simworld.training.cloning.descent import Descent
from simworld.training.cloning.latent_learning import LatentSettings
from simworld.training.cloning.self_cloning import CloneSettings
from simworld.training.data.dataset import build_dataset
from simworld.training.data.dataset_folder import load_meta
from simworld.training.data.dataset_query import DataQuery
from simworld.training.data.inspection import coverage
from simworld.training.metrics_log import store_log
from simworld.training.rl.best_constant import constant_checkpoint
from simworld.training.rl.train_planner import load_data, train_planner
from simworld.training.rl.ways_of_replying import ways_tried, with_ways
from store import TrainingRecord


def play(shop: PipelineContext, plan: ArmsPlan) -> StageOutput:
    """Plays a run."""
    with load_agents(
        plan.specs.values(), batch_size=shop.live, threads=shop.threads, server=shop.server
    ) as crew:
        run_plan(
            plan,
            crew,
            shop.store,
            retry_failed=shop.retry_failed,
            live=shop.live,
            on_progress=lambda p: shop.tell(*_played(p)),
            stopping=shop.stopping,
        )
    shop.stopping.check_budget()
    failed = sum(state.ending is Ending.failed for state in shop.store.finished(plan.run).values())
    return StageOutput(output=run_content(shop.store, plan.run) or "", failed=failed)


def judge(shop: PipelineContext, label: str, run: str) -> StageOutput:
    """Judges a run for its rewards, and asks what each utterance was worth where the reward wants
    it.

    Leaves a JSON file with the ids under which the judge judged, one per rubric: the store may know
    other verdicts on the run.
    """
    spec, method = shop.reward_judge, shop.file.reward.attribution
    assert spec is not None
    with (
        load_agents(()) as crew,
        borrow(
            crew, spec.model, spec.dtype, fields=spec, server=shop.server, threads=shop.threads
        ) as backend,
    ):
        judging = JudgingRun(
            shop.store, spec, backend, run=run, retry_failed=True, stopping=shop.stopping
        )
        tally = judging.go(on_progress=lambda t: shop.tell(*_judged(t)))
        shop.stopping.check_budget()
        ids = [
            id_
            for id_ in tally.judge_ids
            if any(True for _ in shop.store.scores(judge_id=id_, run=run))
        ]
        if not ids:
            raise InputError(
                f"judge {spec.name!r} scored none of the {counted(tally.total, 'episode')} of run"
                f" {run}: {tally.last_failure}"
            )
        shared = AttributionTally()
        if method is not None:
            shared = attribute_episodes(
                shop.store,
                spec,
                backend,
                method,
                run=run,
                on_progress=lambda s: shop.tell(*_shared(s)),
                stopping=shop.stopping,
            )
            shop.stopping.check_budget()
            if shared.failed >= tally.total - tally.failed:
                raise InputError(
                    f"judge {spec.name!r} could tell of none of the"
                    f" {counted(shared.failed, 'judged episode')} of run {run} what an utterance"
                    f" was worth ({method}): {shared.last_failure}"
                )
    file = shop.folder / f"{label}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"run": run, "attribution": method, "judges": ids}) + "\n", "utf-8")
    output = judged_content(shop.store, file)
    return StageOutput(output=output or "", path=file.name, failed=tally.failed + shared.failed)


def make_upmap(shop: PipelineContext, label: str) -> StageOutput:
    """A checkpoint with a PCA up-mapping."""
    made, model = shop.file.upmap, shop.model
    weights = local_weights(model.model)
    local = load_local(weights, dtype=model.dtype, device="auto", threads=shop.threads)
    checkpoint = pca_checkpoint(
        local,
        lm_id=weights.id,
        lm_spec=model.model,
        position=made.position,
        tokens=made.tokens,
        d_action=made.action_size,
        act_norm=made.act_norm,
        mode=made.mode,
        text_encoder=made.text_encoder,
    )
    return _saved(shop, label, checkpoint)


def make_latent(
    shop: PipelineContext, label: str, run: str, base: Path, settings: LatentStage
) -> StageOutput:
    """A checkpoint with a latent up-mapping and its neutral action."""
    with _school(shop, label, run, base, settings) as (school, start, log):
        wanted = LatentSettings(
            size=settings.size,
            ways=settings.ways,
            strength=settings.strength,
            descent=_descent(shop, settings),
        )
        made, _, _ = latent_upmap(
            school,
            start,
            wanted,
            embed=load_sentences().encode,
            log=log,
            show=shop.tell,
            work=_work(shop, label),
        )
    return _saved(shop, label, made)


def make_clone(
    shop: PipelineContext, label: str, run: str, base: Path, settings: CloneStage
) -> StageOutput:
    """A checkpoint with a planner that changes nothing."""
    with _school(shop, label, run, base, settings) as (school, start, log):
        wanted = CloneSettings(
            loss=settings.loss,
            train_upmap=settings.train_upmap,
            reach_target=settings.reach,
            reach_weight=settings.reach_weight,
            descent=_descent(shop, settings),
        )
        made, _ = clone_planner(
            school, start, wanted, log=log, show=shop.tell, work=_work(shop, label)
        )
    return _saved(shop, label, made)


def make_dataset(shop: PipelineContext, run: str, judged: Path | None) -> StageOutput:
    """The transitions of a run's explorer, rewarded by what `judge` left behind in a file, where
    there is one.
    """
    judges = () if judged is None else tuple(json.loads(judged.read_text("utf-8"))["judges"])
    query = DataQuery(
        runs=(run,),
        agents=(f"{shop.model.name}-explore",),
        judges=judges,
        # one id per rubric, and an episode has one rubric: nothing is averaged
        mix_judges=len(judges) > 1,
        reward=shop.file.reward,
    )
    folder = build_dataset(shop.store, query, shop.folder / "datasets", on_progress=shop.tell)
    return StageOutput(output=load_meta(folder).sha256, path=str(folder.relative_to(shop.folder)))


def keep_ways(shop: PipelineContext, label: str, dataset: Path, start: Path) -> StageOutput:
    """A checkpoint that knows the most rewarded of the ways that were tried, and the neutral
    action.
    """
    collect, tried = shop.file.collect, ways_tried(load_data(dataset).transitions)
    keep = max(1, round(collect.keep * len(tried.best(len(tried.ways)))))
    shares = () if collect.share is None else (collect.share,)
    return _saved(
        shop,
        label,
        with_ways(load_checkpoint(start), tried, keep=keep, shares=shares, neutral=True),
    )


def choose_constant(shop: PipelineContext, label: str, dataset: Path, start: Path) -> StageOutput:
    """A checkpoint that always takes the best constant action."""
    data, reward = load_data(dataset), load_meta(dataset).query.reward
    best = constant_checkpoint(
        load_checkpoint(start),
        data.transitions,
        by_act=reward.by_act,
        data=data.provenance,
        dtype=data.dtype,
    )
    return _saved(shop, label, best)


def train(shop: PipelineContext, label: str, dataset: Path, start: Path) -> StageOutput:
    """A trained planner."""
    data, settings, clone = load_data(dataset), shop.file.train, load_checkpoint(start)
    record = TrainingRecord(
        name=f"{shop.file.name}-{label}",
        kind=settings.learner,
        code_version=code_version(),
        created=datetime.now(UTC),
        settings=settings.model_dump(mode="json"),
        data=dict(data.provenance),
    )
    with store_log(shop.store, record) as sink:
        planner = train_planner(
            data, clone, settings, folder=_work(shop, label), sink=sink, on_progress=shop.tell
        )
    made = _saved(shop, label, planner)
    metrics = {**planner.info.metrics, "coverage": coverage(dataset)}
    shop.store.finish_training(record.name, checkpoint_id=planner.id, metrics=metrics)
    return made


def compare(shop: PipelineContext, label: str, plan: ArmsPlan) -> StageOutput:
    """The report of the arms, as a JSON file."""
    settings = shop.file.evaluate
    scoring = EvaluationMeasures(
        judge=shop.test_judge,
        reward=None if shop.file.reward.measure == "judged" else shop.file.reward,
    )
    with load_agents(
        plan.specs.values(), batch_size=shop.live, threads=shop.threads, server=shop.server
    ) as crew:
        found = evaluate(
            plan,
            crew,
            shop.store,
            scoring,
            retry_failed=shop.retry_failed,
            live=shop.live,
            threads=shop.threads,
            replies_read=settings.quality,
            embed=load_sentences().encode if settings.quality else None,
            watch=EvaluationListener(
                playing=lambda p: shop.tell(*_played(p)), judging=lambda t: shop.tell(*_judged(t))
            ),
            server=shop.server,
            stopping=shop.stopping,
        )
    file = shop.folder / f"{label}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(plain(found), indent=1) + "\n", "utf-8")
    failed = sum(arm.failed + arm.unscored for arm in found.arms.values())
    return StageOutput(output=file_content(file) or "", path=file.name, failed=failed)


@contextmanager
def _school(
    shop: PipelineContext, label: str, run: str, base: Path, settings: DescentFields
) -> Iterator[tuple[CloningData, Checkpoint, Any]]:
    start = load_checkpoint(base)
    weights = local_weights(shop.model.model)
    latent = isinstance(settings, LatentStage)
    # Likelihoods are those of the distribution that drew the replies, and so are read in its number
    # format.
    dtype = start.info.dtype if latent else "float32"
    local: LocalModel = load_local(weights, dtype=dtype, device="auto", threads=shop.threads)
    dev = settings.tested if latent else DEV
    query = ReplyQuery(
        run=run, train=settings.replies, dev=dev, test=settings.tested, seed=shop.file.seed
    )
    record = f"{shop.file.name}-{label}-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}"
    with open_cloning_data(shop.store, local, start, query, shop.tell) as school:
        training = TrainingRecord(
            name=record,
            kind=label.split("-")[0],
            code_version=code_version(),
            created=datetime.now(UTC),
            settings=settings.model_dump(mode="json"),
            data=school.data,
        )
        with store_log(shop.store, training) as sink:

            def log(step: int, metrics: Mapping[str, float]) -> None:
                sink(step, metrics)
                shop.tell(step, settings.steps, "learning")

            yield school, start, log
        shop.store.finish_training(record)


def _descent(shop: PipelineContext, settings: DescentFields) -> Descent:
    return Descent(
        steps=settings.steps, batch_size=settings.batch_size, lr=settings.lr, seed=shop.file.seed
    )


def _work(shop: PipelineContext, label: str) -> Path:
    """Where a training keeps its state until its checkpoint is saved."""
    return shop.folder / f".{label}-training"


def _saved(shop: PipelineContext, label: str, checkpoint: Checkpoint) -> StageOutput:
    save_checkpoint(shop.folder / label, checkpoint)
    shutil.rmtree(_work(shop, label), ignore_errors=True)
    return StageOutput(output=checkpoint.id, path=label)


def _played(progress: RunProgress) -> tuple[int, int, str]:
    return (
        progress.before + progress.played,
        progress.planned,
        f"episodes; {progress.failed} failed",
    )


def _shared(shared: AttributionTally) -> tuple[int, int, str]:
    return (
        shared.done + shared.failed,
        shared.total,
        f"judgements shared out; {shared.failed} failed",
    )


def _judged(tally: JudgingTally) -> tuple[int, int, str]:
    return (
        tally.already + tally.scored + tally.failed,
        tally.total,
        f"judgements; {tally.failed} failed",
    )
