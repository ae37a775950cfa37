"""A dataset and a clone become a trained planner: a learner starts from the clone, is trained, and
its actor is put into a checkpoint.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from agents.steering.checkpoint import ActorInfo, Checkpoint, EncoderInfo
from agents.steering.normalizer import Normalizer
from agents.steering.planner import Actor
from agents.steering.state_encoders import is_lm_encoder
from simworld.core.errors import InputError
from simworld.core.progress import MetricsSink, ReportProgress
from simworld.core.seeding import derive_seed
from simworld.training.actor_init import init_to_action, new_actor
from simworld.training.data.dataset_checks import check_rewards, check_trainable
from simworld.training.data.dataset_folder import load_meta, load_transitions
from simworld.training.data.family_splits import split_transitions
from simworld.training.data.fit_normalizer import normalizer_from_transitions
from simworld.training.data.future_rewards import when_actions_pay
from simworld.training.data.transitions import Transitions
from simworld.training.rl.best_constant import best_constant, constant_checkpoint
from simworld.training.rl.critic_settings import CriticSettings
from simworld.training.rl.cross_fitted_training import (
    cross_fitted_metrics,
    is_constant,
    train_cross_fitted,
)
from simworld.training.rl.fold_values import ScaledActor
from simworld.training.rl.learner import Learner
from simworld.training.rl.networks import Critic
from simworld.training.rl.offline_training import train_offline
from simworld.training.rl.planner_learners import LearnerParts, make_learner
from simworld.training.rl.planner_settings import PlannerSettings
from simworld.training.rl.ridge import bilinear_regression, ridge_actor
from simworld.training.trainer import TrainingRecorder
from simworld.training.training_state import TrainingFile

STATE_FILE = "training.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingData:
    """Transitions to train on, and what a checkpoint says about them."""

    transitions: Transitions
    encoder_id: str  # of what made the states
    provenance: Mapping[str, Any]  # query, rows, sha256
    dtype: str = ""  # of the model in the episodes; empty: not known
    states: str = ""  # the spec of what made the states anew; empty: they are the stored ones
    by_act: bool = True  # whether rewards tell the acts of a seat in an episode apart


def load_training_data(folder: Path) -> TrainingData:
    """Reads the data of a dataset's folder. Raises InputError where it holds none, or a damaged
    one.
    """
    meta = load_meta(folder)
    return TrainingData(
        transitions=load_transitions(folder),
        encoder_id=meta.encoder_id,
        provenance=meta.provenance(),
        dtype=meta.dtype,
        states=meta.query.states,
        by_act=meta.query.reward.by_act,
    )


def learning_warning(data: TrainingData, settings: PlannerSettings) -> str | None:
    """Says in one line what the settings cannot learn from the data, before anything is trained;
    None where nothing is known to speak against them.
    """
    if settings.gamma > 0 or settings.learner == "bc":
        return None
    pays = when_actions_pay(data.transitions)
    return pays.warning(0.0) if pays is not None and pays.only_later else None


def train_planner(
    data: TrainingData,
    clone: Checkpoint,
    settings: PlannerSettings,
    *,
    folder: Path | None = None,
    sink: MetricsSink = lambda step, metrics: None,
    on_progress: ReportProgress = lambda done, total, note: None,
) -> Checkpoint:
    """Trains an actor, and gives a checkpoint of it with the clone's up-mapping.

    Training starts from the clone's actor and its normalizer, without which it would be another
    policy. Where there is none, or `fresh` is set, a new actor starts with the normalizer of the
    data; nearly at the clone's constant action, if it has one and `fresh` is not set. Ridge and a
    bilinear critic begin at the data alone; the learner `constant` gives the best constant action.

    Args:
        data: what to learn from.
        clone: whose up-mapping the planner's actions go through.
        settings: of the learner, its actor and the training.
        folder: where the state is kept to go on from; a training of other data or settings is
            refused, but that it may be longer.
        sink: gets the metrics of each evaluation.
        on_progress: told after each step.

    Raises:
        InputError: for data that was not made with this up-mapping's sizes and encoder, or that
            cannot be learned from; for losses that are no longer finite.
    """
    encoder = _check_encoder(data, clone)
    transitions = data.transitions
    if settings.learner == "constant":
        check_rewards(transitions)
        return _constant_planner(data, clone, encoder, settings, {})
    cross_fitted = settings.loop.stopping == "cross_fitted"
    check_trainable(transitions, held_out=0 if cross_fitted else settings.loop.held_out)
    if settings.learner != "bc":
        check_rewards(transitions)
    if cross_fitted:  # what it may end at: refused now rather than then
        best_constant(transitions, by_act=data.by_act)
    if settings.scale_rewards and (deviation := float(transitions.rewards.std())) > 0:
        transitions = replace(
            transitions, rewards=(transitions.rewards / deviation).astype(np.float32)
        )
    if settings.learner == "ridge":
        normalizer = settings.seen(normalizer_from_transitions(transitions))
        actor, metrics = ridge_actor(
            transitions.with_next_rows(), normalizer, settings.ridge, seed=settings.loop.seed
        )
        if cross_fitted:
            metrics |= _cross_fitted_ridge(data, transitions, settings)
    else:
        identity = {
            "clone": clone.id,
            "data": data.provenance.get("sha256", ""),
            **settings.model_dump(mode="json", exclude={"loop"}),
            **settings.loop.model_dump(mode="json", exclude={"steps"}),
        }
        file = TrainingFile(path=folder / STATE_FILE, identity=identity) if folder else None
        recorder = TrainingRecorder(file=file, sink=sink, on_progress=on_progress)
        if cross_fitted:
            # whatever is held out, is held out of what a learner gets
            loop = settings.loop.model_copy(update={"held_out": 0.0})
            of_part = settings.model_copy(update={"loop": loop})
            position, normalizer, actor = train_cross_fitted(
                lambda part: _make_learner(clone, of_part, part),
                transitions,
                loop,
                gamma=settings.gamma,
                by_act=data.by_act,
                recorder=recorder,
            )
        else:
            learner, start_normalizer = _make_learner(clone, settings, transitions)
            actor = learner.actor
            position, normalizer = train_offline(
                learner,
                transitions,
                settings.loop,
                gamma=settings.gamma,
                normalizer=start_normalizer,
                recorder=recorder,
            )
        actor.load_state_dict(position.best_weights)
        steps = {"best_step": float(position.best_step), "steps": float(position.step)}
        metrics = {**position.best_metrics, **steps}
    if is_constant(metrics):
        return _constant_planner(data, clone, encoder, settings, metrics)
    actor.requires_grad_(False)
    planner_info = clone.info.derived(
        dtype=data.dtype or clone.info.dtype,
        encoder=encoder,
        d_state=transitions.states.shape[1],
        actor=ActorInfo(hidden=actor.hidden, projection=actor.projection, radius=actor.radius),
        constant=False,
        data={**data.provenance, "settings": settings.model_dump(mode="json")},
        metrics=metrics,
        parent=clone.id,
    )
    mean, std = normalizer.mean, normalizer.std
    return replace(
        clone, info=planner_info, actor=actor, mean=mean, std=std, constant=None, blind=None
    )


def _cross_fitted_ridge(
    data: TrainingData, transitions: Transitions, settings: PlannerSettings
) -> dict[str, float]:
    """Gives the regression's gain over the best constant action on families not seen."""

    def fit(part: Transitions) -> ScaledActor:
        normalizer = settings.seen(normalizer_from_transitions(part))
        seed = settings.loop.seed
        return (
            ridge_actor(part.with_next_rows(), normalizer, settings.ridge, seed=seed)[0],
            normalizer,
        )

    return cross_fitted_metrics(
        fit, transitions, settings.loop, gamma=settings.gamma, by_act=data.by_act
    )


def _constant_planner(
    data: TrainingData,
    clone: Checkpoint,
    encoder: EncoderInfo,
    settings: PlannerSettings,
    metrics: Mapping[str, float],
) -> Checkpoint:
    """Gives the best constant action; its metrics and those of the training, which has some where
    nothing that was learned is known to beat it.
    """
    best = constant_checkpoint(
        clone,
        data.transitions,
        by_act=data.by_act,
        data={**data.provenance, "settings": settings.model_dump(mode="json")},
        dtype=data.dtype,
    )
    d_state = data.transitions.states.shape[1]
    told = {**metrics, "constant": 1.0} if metrics else best.info.metrics
    info = best.info.derived(encoder=encoder, d_state=d_state, metrics=told)
    if d_state == clone.info.d_state:
        return replace(best, info=info)
    return replace(best, info=info, mean=torch.zeros(d_state), std=torch.ones(d_state))


def _start_actor(
    clone: Checkpoint, settings: PlannerSettings, transitions: Transitions
) -> tuple[Actor, Normalizer]:
    """Gives the actor that training begins with, and the normalizer of its states."""
    info = clone.info
    if clone.actor is not None and not settings.fresh:
        return copy.deepcopy(clone.actor).requires_grad_(True), settings.seen(clone.normalizer)
    seed = derive_seed(settings.loop.seed, "actor")
    actor = new_actor(
        transitions.states.shape[1],
        info.d_action,
        hidden=settings.hidden,
        projection="sphere",
        seed=seed,
    )
    if clone.constant is not None and not settings.fresh:
        init_to_action(actor, clone.constant)
    return actor, _training_families(settings, transitions)[1]


def _make_learner(
    clone: Checkpoint, settings: PlannerSettings, transitions: Transitions
) -> tuple[Learner, Normalizer]:
    """Gives the learner, and the normalizer of its states: its actor's from elsewhere, if it has
    one, else that of the families that are learned from.
    """
    seed = derive_seed(settings.loop.seed, "td3bc")
    own = settings.of_learner
    critic: Critic | None = None
    if isinstance(own, CriticSettings) and own.critic == "bilinear":
        actor, normalizer, critic = _bilinear_start(settings, transitions)
    else:
        actor, normalizer = _start_actor(clone, settings, transitions)
    parts = LearnerParts(actor=actor, seed=seed, critic=critic)
    learner = make_learner(settings.learner, own, parts)
    return learner, normalizer


def _bilinear_start(
    settings: PlannerSettings, transitions: Transitions
) -> tuple[Actor, Normalizer, Critic]:
    """Gives the actor and the critic of the regression on the families that are learned from."""
    loop = settings.loop
    training, normalizer = _training_families(settings, transitions)
    regression = bilinear_regression(training, normalizer, gamma=settings.gamma, seed=loop.seed)
    if settings.hidden:
        d_state, d_action = transitions.states.shape[1], transitions.actions.shape[1]
        actor = new_actor(
            d_state,
            d_action,
            hidden=settings.hidden,
            projection="sphere",
            seed=derive_seed(loop.seed, "actor"),
            shell=(regression.mean_action, regression.radius),
        )
    else:
        actor = regression.actor(regression.fit())
    return actor, normalizer, regression.critic(seed=loop.seed)


def _training_families(
    settings: PlannerSettings, transitions: Transitions
) -> tuple[Transitions, Normalizer]:
    """Gives the acts that will be learned from, and the normalizer of their states."""
    loop = settings.loop
    check_trainable(transitions, held_out=loop.held_out)
    training, _ = split_transitions(transitions, held_out=loop.held_out, seed=loop.seed)
    return training, settings.seen(normalizer_from_transitions(training))


def _check_encoder(data: TrainingData, clone: Checkpoint) -> EncoderInfo:
    """Gives the encoder that the planner will read states with. Raises InputError where states or
    actions are not those of the checkpoint.
    """
    info, transitions = clone.info, data.transitions
    sizes = (transitions.states.shape[1], transitions.actions.shape[1])
    if data.states and clone.actor is None and sizes[1] == info.d_action:
        # An up-mapping reads no states, so any fit it.
        return EncoderInfo(kind="text", id=data.encoder_id, model=data.states)
    if sizes != (info.d_state, info.d_action):
        raise InputError(
            f"the dataset has states of {sizes[0]} and actions of {sizes[1]} numbers; checkpoint"
            f" {clone.id[:11]}… takes {info.d_state} and {info.d_action}; take the checkpoint that"
            " the episodes were played with, or one cloned from it"
        )
    if clone.actor is None and info.encoder.kind == "lm" and is_lm_encoder(data.encoder_id):
        # An up-mapping reads no states: it fits those of the model that were recorded with it,
        # whatever the prompt was.
        return EncoderInfo(kind="lm", id=data.encoder_id)
    if data.encoder_id != info.encoder.id:
        raise InputError(
            f"the dataset's states were made by encoder {data.encoder_id[:12]}, those of checkpoint"
            f" {clone.id[:11]}… by {info.encoder.id[:12]}; choose the data with --encoder, or"
            " another checkpoint"
        )
    return info.encoder
