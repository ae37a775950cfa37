"""The work of the stages that learn from what was played: functions of the context, the stage's
label, and the states of its inputs. The folders they leave appear whole.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from agents.lm.load import find_local_weights
from agents.lm.local.local_model import load_local_model
from agents.lm.sentence_encoder import load_sentence_encoder
from agents.steering.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from agents.steering.pca_checkpoint import pca_checkpoint
from simworld.code_version import code_version
from simworld.core.progress import MetricsSink
from simworld.pipeline.learn.context import PipelineContext
from simworld.pipeline.learn.learn_file import CloneStage, DescentFields, LatentStage
from simworld.pipeline.learn.stage_cache import StageOutput, StageState
from simworld.training.cloning.clone_checkpoint import (
    DEV,
    CloningData,
    ReplyQuery,
    clone_planner,
    latent_upmap,
    open_cloning_data,
)
from simworld.training.cloning.latent_learning import LatentSettings
from simworld.training.cloning.reply_training import DescentSettings
from simworld.training.cloning.self_cloning import CloneSettings
from simworld.training.data.dataset import build_dataset
from simworld.training.data.dataset_folder import load_meta
from simworld.training.data.dataset_query import DataQuery
from simworld.training.data.inspection import coverage
from simworld.training.metrics_log import new_record, store_log
from simworld.training.rl.best_constant import constant_checkpoint
from simworld.training.rl.train_planner import load_data, train_planner
from simworld.training.rl.ways_of_replying import keep_best_ways, ways_tried


def make_upmap(context: PipelineContext, label: str) -> StageOutput:
    """A checkpoint with a PCA up-mapping."""
    settings, model = context.file.upmap, context.model
    weights = find_local_weights(model.model)
    local = load_local_model(weights, dtype=model.dtype, device="auto", threads=context.threads)
    checkpoint = pca_checkpoint(
        local,
        lm_id=weights.id,
        lm_spec=model.model,
        position=settings.position,
        tokens=settings.tokens,
        d_action=settings.action_size,
        act_norm=settings.act_norm,
        mode=settings.mode,
        text_encoder=settings.text_encoder,
    )
    return _saved(context, label, checkpoint)


def make_clone(
    context: PipelineContext,
    label: str,
    upmap: StageState,
    replies: StageState,
    *,
    settings: CloneStage,
) -> StageOutput:
    """A checkpoint with a planner that changes nothing."""
    with _cloning(context, label, upmap, replies, settings) as (data, base, log):
        clone_settings = CloneSettings(
            loss=settings.loss,
            train_upmap=settings.train_upmap,
            reach_target=settings.reach,
            reach_weight=settings.reach_weight,
            descent=_descent(context, settings),
        )
        clone, _ = clone_planner(
            data, base, clone_settings, log=log, show=context.tell, work=_work(context, label)
        )
    return _saved(context, label, clone)


def make_latent(
    context: PipelineContext,
    label: str,
    clone: StageState,
    replies: StageState,
    *,
    settings: LatentStage,
) -> StageOutput:
    """A checkpoint with a latent up-mapping and its neutral action."""
    with _cloning(context, label, clone, replies, settings) as (data, base, log):
        latent_settings = LatentSettings(
            size=settings.size,
            ways=settings.ways,
            strength=settings.strength,
            descent=_descent(context, settings),
        )
        latent, _, _ = latent_upmap(
            data,
            base,
            latent_settings,
            embed=load_sentence_encoder().encode,
            log=log,
            show=context.tell,
            work=_work(context, label),
        )
    return _saved(context, label, latent)


def make_dataset(context: PipelineContext, label: str, played: StageState) -> StageOutput:
    """The transitions of a run's explorer; of one that was judged, rewarded by the judges that
    `judge` left in its file.
    """
    run, judges = context.run_name(played.label), ()
    if context.reward_judge is not None:
        judged = json.loads(played.path.read_text("utf-8"))
        run, judges = judged["run"], tuple(judged["judges"])
    query = DataQuery(
        runs=(run,),
        agents=(f"{context.model.name}-explore",),
        judges=judges,
        # one id per rubric, and an episode has one rubric: nothing is averaged
        mix_judges=len(judges) > 1,
        reward=context.file.reward,
    )
    folder = build_dataset(
        context.store, query, context.folder / "datasets", on_progress=context.tell
    )
    return StageOutput(path=str(folder.relative_to(context.folder)))


def keep_ways(
    context: PipelineContext, label: str, dataset: StageState, start: StageState
) -> StageOutput:
    """A checkpoint that knows the most rewarded of the ways that were tried, and the neutral
    action.
    """
    settings = context.file.collect
    tried = ways_tried(load_data(dataset.path).transitions)
    keep = max(1, round(settings.keep * len(tried.best(len(tried.ways)))))
    shares = () if settings.share is None else (settings.share,)
    base = load_checkpoint(start.path)
    return _saved(
        context, label, keep_best_ways(base, tried, keep=keep, shares=shares, neutral=True)
    )


def train(
    context: PipelineContext, label: str, dataset: StageState, start: StageState
) -> StageOutput:
    """A trained planner."""
    data, base, settings = load_data(dataset.path), load_checkpoint(start.path), context.file.train
    name, content = context.run_name(label), settings.model_dump(mode="json")
    record = new_record(name, settings.learner, code_version(), content, dict(data.provenance))
    with store_log(context.store, record) as sink:
        work = _work(context, label)
        planner = train_planner(
            data, base, settings, folder=work, sink=sink, on_progress=context.tell
        )
    output = _saved(context, label, planner)
    metrics = {**planner.info.metrics, "coverage": coverage(dataset.path)}
    context.store.finish_training(name, checkpoint_id=planner.id, metrics=metrics)
    return output


def choose_constant(
    context: PipelineContext, label: str, dataset: StageState, start: StageState
) -> StageOutput:
    """A checkpoint that always takes the best constant action."""
    data = load_data(dataset.path)
    best = constant_checkpoint(
        load_checkpoint(start.path),
        data.transitions,
        by_act=load_meta(dataset.path).query.reward.by_act,
        data=data.provenance,
        dtype=data.dtype,
    )
    return _saved(context, label, best)


@contextmanager
def _cloning(
    context: PipelineContext,
    label: str,
    start: StageState,
    replies: StageState,
    settings: DescentFields,
) -> Iterator[tuple[CloningData, Checkpoint, MetricsSink]]:
    """What learning from stored replies needs: the data, the checkpoint to start from, and the sink
    of what is measured.
    """
    base = load_checkpoint(start.path)
    weights = find_local_weights(context.model.model)
    latent = isinstance(settings, LatentStage)
    # Likelihoods are those of the distribution that drew the replies, and so are read in its number
    # format.
    dtype = base.info.dtype if latent else "float32"
    local = load_local_model(weights, dtype=dtype, device="auto", threads=context.threads)
    query = ReplyQuery(
        run=context.run_name(replies.label),
        train=settings.replies,
        dev=settings.tested if latent else DEV,
        test=settings.tested,
        seed=context.file.seed,
    )
    name = context.run_name(f"{label}-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}")
    with open_cloning_data(context.store, local, base, query, context.tell) as data:
        content = settings.model_dump(mode="json")
        record = new_record(name, label.split("-")[0], code_version(), content, data.data)
        with store_log(context.store, record) as sink:
            yield data, base, sink
        context.store.finish_training(name)


def _descent(context: PipelineContext, settings: DescentFields) -> DescentSettings:
    return DescentSettings(
        steps=settings.steps,
        batch_size=settings.batch_size,
        lr=settings.lr,
        seed=context.file.seed,
    )


def _work(context: PipelineContext, label: str) -> Path:
    """Where a training keeps its state until its checkpoint is saved."""
    return context.folder / f".{label}-training"


def _saved(context: PipelineContext, label: str, checkpoint: Checkpoint) -> StageOutput:
    save_checkpoint(context.folder / label, checkpoint)
    shutil.rmtree(_work(context, label), ignore_errors=True)
    return StageOutput(path=label)
