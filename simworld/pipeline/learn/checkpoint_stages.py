"""The work of the stages that learn from what was played: functions of the context, the stage's
label, and the states of its inputs. The folders they leave appear whole.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from agents.lm.local.local_model import load_local_model
from agents.lm.local_spec import find_local_weights
from agents.lm.sentence_encoder import load_sentence_encoder
from agents.steering.checkpoint import (
    Checkpoint,
    checkpoint_from_folder,
    load_checkpoint,
    save_checkpoint,
)
from agents.steering.pca_checkpoint import pca_checkpoint
from simworld.code_version import code_version
from simworld.core.episode import Ending
from simworld.core.progress import MetricsSink
from simworld.pipeline.learn.context import PipelineContext
from simworld.pipeline.learn.learn_file import CloneStage, LatentStage, ReplyTrainingFields
from simworld.pipeline.learn.stage_cache import StageOutput, StageState
from simworld.training.cloning.clone_checkpoint import (
    DEV_REPLIES,
    CloningData,
    ReplyQuery,
    clone_checkpoint,
    latent_checkpoint,
    open_cloning_data,
)
from simworld.training.cloning.latent_map import LatentSettings
from simworld.training.cloning.reply_training import ReplyTrainingSettings
from simworld.training.cloning.self_cloning import CloneSettings
from simworld.training.data.dataset import build_dataset
from simworld.training.data.dataset_folder import load_meta
from simworld.training.data.dataset_inspection import dataset_coverage
from simworld.training.data.dataset_query import DataQuery
from simworld.training.data.dataset_turns import dataset_turns
from simworld.training.data.rule_rewards import RuleRewards
from simworld.training.data.seat_turns import SeatTurn, seat_turns
from simworld.training.data.utterance_rewards import builtin_embedder
from simworld.training.metrics_log import log_to_store, new_training_record
from simworld.training.rl.best_constant import constant_checkpoint
from simworld.training.rl.blind_planner import blind_checkpoint
from simworld.training.rl.explain_policy import describe_planner
from simworld.training.rl.planner_settings import PlannerSettings
from simworld.training.rl.train_planner import (
    learning_warning,
    load_training_data,
    train_planner,
)
from simworld.training.rl.way_names import name_ways
from simworld.training.rl.ways_of_replying import keep_best_ways, rank_ways


def make_upmap(context: PipelineContext, label: str) -> StageOutput:
    """A checkpoint with a PCA up-mapping."""
    settings, model = context.file.upmap, context.model
    weights = find_local_weights(model.model)
    local = load_local_model(
        weights, dtype=model.dtype, device="auto", cpu_threads=context.cpu_threads
    )
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
    return _save(context, label, checkpoint)


def take_start(context: PipelineContext, label: str) -> StageOutput:
    """The checkpoint that the file begins with; one with a latent up-mapping takes its neutral
    action.
    """
    assert context.start is not None
    start = checkpoint_from_folder(context.start)
    if (neutral := start.neutral_action) is not None:
        info = start.info.derived(actor=None, constant=True, metrics={}, parent=start.id)
        start = replace(start, info=info, actor=None, constant=neutral, blind=None)
    return _save(context, label, start)


def make_clone(
    context: PipelineContext,
    label: str,
    upmap: StageState,
    replies: StageState,
    *,
    settings: CloneStage,
) -> StageOutput:
    """A checkpoint with a planner that changes nothing."""
    with _open_cloning(context, label, upmap, replies, settings) as (data, base, log):
        clone_settings = CloneSettings(
            loss=settings.loss,
            train_upmap=settings.train_upmap,
            reach_target=settings.reach,
            reach_weight=settings.reach_weight,
            training=_reply_training(context, settings),
        )
        show, folder = context.on_progress, _state_folder(context, label)
        clone, _ = clone_checkpoint(
            data, base, clone_settings, sink=log, on_progress=show, state_folder=folder
        )
    return _save(context, label, clone)


def make_latent(
    context: PipelineContext,
    label: str,
    clone: StageState,
    replies: StageState,
    *,
    settings: LatentStage,
) -> StageOutput:
    """A checkpoint with a latent up-mapping and its neutral action."""
    with _open_cloning(context, label, clone, replies, settings) as (data, base, log):
        latent_settings = LatentSettings(
            size=settings.size,
            ways=settings.ways,
            strength=settings.strength,
            training=_reply_training(context, settings),
        )
        latent, _, _ = latent_checkpoint(
            data,
            base,
            latent_settings,
            embed=load_sentence_encoder().encode,
            sink=log,
            on_progress=context.on_progress,
            state_folder=_state_folder(context, label),
        )
    return _save(context, label, latent)


def standardise_rules(context: PipelineContext, label: str, replies: StageState) -> StageOutput:
    """The reward's rules with their means and deviations on unsteered replies, as a JSON file."""
    turns: list[SeatTurn] = []
    for stored in context.store.episodes(run=context.run_name(replies.label)):
        if stored.episode.ending is not Ending.failed:
            scenario = context.store.scenario(stored.episode.scenario_id)
            for seat in stored.episode.cast:
                turns += seat_turns(scenario, stored.episode, seat).values()
    rules = RuleRewards(context.file.reward.rules, builtin_embedder()).standardise(turns)
    path = f"{label}.json"
    reward = context.file.reward.model_copy(update={"rules": rules})
    (context.folder / path).write_text(reward.model_dump_json(indent=1) + "\n", "utf-8")
    return StageOutput(path=path)


def make_dataset(
    context: PipelineContext, label: str, played: StageState, *standards: StageState
) -> StageOutput:
    """The transitions of a run's explorer; of one that was judged, rewarded by the judges that
    `judge` left in its file; by rules, in the standards that `standardise_rules` left.
    """
    run, judges = context.run_name(played.label), ()
    if context.reward_judge is not None:
        judge_output = json.loads(played.path.read_text("utf-8"))
        run, judges = judge_output["run"], tuple(judge_output["judges"])
    query = DataQuery(
        runs=(run,),
        agents=(f"{context.model.name}-explore",),
        judges=judges,
        # one id per rubric, and an episode has one rubric: nothing is averaged
        mix_judges=len(judges) > 1,
        reward=context.reward(standards),
        states=context.file.states,
    )
    folder = build_dataset(
        context.store, query, context.folder / "datasets", on_progress=context.on_progress
    )
    return StageOutput(path=str(folder.relative_to(context.folder)))


def make_ways(
    context: PipelineContext, label: str, dataset: StageState, start: StageState
) -> StageOutput:
    """A checkpoint that knows the most rewarded of the ways that were tried, and the neutral
    action.
    """
    settings = context.file.collect
    transitions = load_training_data(dataset.path).transitions
    ranking = rank_ways(transitions)
    count = max(1, round(settings.keep * len(ranking.best(len(ranking.ways)))))
    cosines = () if settings.share is None else (settings.share,)
    parent = load_checkpoint(start.path)
    kept = keep_best_ways(parent, ranking, count=count, cosines=cosines, keep_neutral=True)
    utterances = [turn.text for turn in dataset_turns(context.store, transitions)]
    return _save(context, label, name_ways(kept, transitions, utterances))


def make_planner(
    context: PipelineContext,
    label: str,
    dataset: StageState,
    start: StageState,
    *,
    settings: PlannerSettings,
) -> StageOutput:
    """A trained planner, or one that it is compared with."""
    data, base = load_training_data(dataset.path), load_checkpoint(start.path)
    if warning := learning_warning(data, settings):
        context.warn(f"{label}: {warning}")
    name, content = context.run_name(label), settings.model_dump(mode="json")
    record = new_training_record(
        name, settings.learner, code_version(), content, dict(data.provenance)
    )
    with log_to_store(context.store, record) as sink:
        work = _state_folder(context, label)
        planner = train_planner(
            data, base, settings, folder=work, sink=sink, on_progress=context.on_progress
        )
    planner, told = describe_planner(planner, context.store, data.transitions)
    output = _save(context, label, planner)
    metrics = {**planner.info.metrics, "coverage": dataset_coverage(dataset.path), **told}
    context.store.finish_training(name, checkpoint_id=planner.id, metrics=metrics)
    return output


def make_constant(
    context: PipelineContext, label: str, dataset: StageState, start: StageState, *, gamma: float
) -> StageOutput:
    """A checkpoint that always takes the best constant action, seen from now on by the discount."""
    data = load_training_data(dataset.path)
    best = constant_checkpoint(
        load_checkpoint(start.path),
        data.transitions,
        by_act=load_meta(dataset.path).query.reward.by_act,
        gamma=gamma,
        data=data.provenance,
        dtype=data.dtype,
    )
    return _save(context, label, best)


def make_blind(
    context: PipelineContext, label: str, planner: StageState, dataset: StageState
) -> StageOutput:
    """A checkpoint that does what the planner would do in other dialogues at the same turn."""
    transitions = load_training_data(dataset.path).transitions
    blind = blind_checkpoint(load_checkpoint(planner.path), transitions, seed=context.file.seed)
    return _save(context, label, blind)


@contextmanager
def _open_cloning(
    context: PipelineContext,
    label: str,
    start: StageState,
    replies: StageState,
    settings: ReplyTrainingFields,
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
    local = load_local_model(weights, dtype=dtype, device="auto", cpu_threads=context.cpu_threads)
    query = ReplyQuery(
        run=context.run_name(replies.label),
        train=settings.replies,
        dev=settings.tested if latent else DEV_REPLIES,
        test=settings.tested,
        seed=context.file.seed,
    )
    name = context.run_name(f"{label}-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}")
    with open_cloning_data(context.store, local, base, query, context.on_progress) as data:
        content = settings.model_dump(mode="json")
        record = new_training_record(
            name, label.split("-")[0], code_version(), content, data.provenance
        )
        with log_to_store(context.store, record) as sink:
            yield data, base, sink
        context.store.finish_training(name)


def _reply_training(
    context: PipelineContext, settings: ReplyTrainingFields
) -> ReplyTrainingSettings:
    return ReplyTrainingSettings(
        steps=settings.steps, batch_size=settings.batch_size, lr=settings.lr, seed=context.file.seed
    )


def _state_folder(context: PipelineContext, label: str) -> Path:
    """Where a training keeps its state until its checkpoint is saved."""
    return context.folder / f".{label}-training"


def _save(context: PipelineContext, label: str, checkpoint: Checkpoint) -> StageOutput:
    save_checkpoint(context.folder / label, checkpoint)
    shutil.rmtree(_state_folder(context, label), ignore_errors=True)
    return StageOutput(path=label)
