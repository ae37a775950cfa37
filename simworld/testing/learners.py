"""Whether a learner keeps the promises of `simworld.training.rl.learner`."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from pydantic import BaseModel
from torch import Tensor

from agents.steering.planner import Actor
from simworld.testing.agents import NotConforming
from simworld.testing.extension_settings import check_settings_model
from simworld.training.actor_init import new_actor
from simworld.training.data.transitions import TransitionBatch
from simworld.training.rl.learner import Learner
from simworld.training.rl.planner_learners import LearnerKind, LearnerParts

S = TypeVar("S", bound=BaseModel)

D_STATE, D_ACTION, ROWS, STEPS = 5, 4, 16, 6


def check_learner(kind: LearnerKind[S], settings: S | None = None) -> None:
    """Passes if a learner trains the actor that it was given in place, gives finite numbers to log,
    learns the same from the same seed and batches, and goes on from its `state_dict` as if it had
    never stopped.

    Raises:
        NotConforming: it does not; the text says how.
    """
    settings = kind.settings() if settings is None else settings
    check_settings_model(settings)
    if kind.make is None:
        raise NotConforming("`make` is None: it is not trained step by step")
    batches = [_example_batch(step) for step in range(2 * STEPS)]
    learner = _new_learner(kind, settings)
    start = _weights(learner)
    for batch in batches[:STEPS]:
        _update(learner, batch)
    if all(torch.equal(a, b) for a, b in zip(start, _weights(learner), strict=True)):
        raise NotConforming(f"the actor is what it was after {STEPS} updates")
    state = copy.deepcopy(learner.state_dict())
    if not all(isinstance(value, Tensor) for value in state.values()):
        raise NotConforming("`state_dict` must hold tensors alone")
    again = _new_learner(kind, settings)
    for batch in batches[:STEPS]:
        _update(again, batch)
    if not _alike(learner, again):
        raise NotConforming("the same seed and batches gave another actor")
    resumed = _new_learner(kind, settings)
    resumed.load_state_dict(state)
    for batch in batches[STEPS:]:
        _update(learner, batch)
        _update(resumed, batch)
    if not _alike(learner, resumed):
        raise NotConforming(
            "what went on from `state_dict` came to another actor: it lacks something that updates"
            " depend on"
        )


def _new_learner(kind: LearnerKind[S], settings: S) -> Learner:
    actor = new_actor(D_STATE, D_ACTION, hidden=(8,), projection="sphere", seed=0)
    assert kind.make is not None
    learner = kind.make(settings, LearnerParts(actor=actor, seed=0))
    if not isinstance(learner.actor, Actor):
        raise NotConforming(f"`actor` must be an Actor; it is {type(learner.actor).__name__}")
    return learner


def _update(learner: Learner, batch: TransitionBatch) -> None:
    for name, value in learner.update(batch).items():
        if not isinstance(value, Tensor) or value.numel() != 1 or value.requires_grad:
            raise NotConforming(f"`update` must give detached tensors of one number; {name} is not")
        if not bool(value.isfinite()):
            raise NotConforming(f"`update` gave {name} = {value.item()}")
    actions = learner.actor(batch.states)
    if actions.shape != batch.actions.shape or not bool(actions.isfinite().all()):
        raise NotConforming("the actor no longer gives finite actions of the right size")


def _weights(learner: Learner) -> list[Tensor]:
    return [weight.detach().clone() for weight in learner.actor.parameters()]


def _alike(one: Learner, other: Learner) -> bool:
    pairs = zip(_weights(one), _weights(other), strict=True)
    return all(torch.equal(first, second) for first, second in pairs)


def _example_batch(step: int) -> TransitionBatch:
    """Standardised states, actions on the sphere, and rewards for going one way."""
    draw = torch.Generator().manual_seed(step)
    states = torch.randn(ROWS, D_STATE, generator=draw)
    raw = torch.randn(ROWS, D_ACTION, generator=draw)
    actions = raw * (D_ACTION**0.5 / raw.norm(dim=1, keepdim=True))
    return TransitionBatch(
        states=states,
        actions=actions,
        rewards=actions[:, 0] * states[:, 0],
        next_states=torch.randn(ROWS, D_STATE, generator=draw),
        terminals=(torch.arange(ROWS) % 2).float(),
        next_actions=actions.roll(1, 0),
        has_next=1 - (torch.arange(ROWS) % 2).float(),
    )
