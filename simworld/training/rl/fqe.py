"""Fitted-Q evaluation: what a policy is worth on stored transitions that it did not learn from.

Source: Le, Voloshin & Yue 2019 (arXiv 1903.08738), algorithm 3. Deviation: target networks that
follow slowly, instead of rounds of regression. For choosing among policies see Paine et al. 2020
(arXiv 2007.09055). It is fitted on held-out families, not on those of training: an actor climbs the
noise in its own data's rewards, and an evaluation on the same data would pay it for that.

The estimate is noisy, and biased where the policy leaves the data: read differences between
checkpoints of one run, not its level. Every call starts from the same weights and draws the same
batches: checkpoints are compared on common random numbers.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from agents.steering.normalizer import Normalizer
from agents.steering.planner import Actor
from simworld.core.seeding import derive_seed, make_rng
from simworld.training.data.returns import episode_starts
from simworld.training.data.transitions import STATE_ROWS, Transitions
from simworld.training.rl.learner import TrainingSettings
from simworld.training.rl.networks import TwinCritic, soft_update
from simworld.training.rl.td3bc import critic_loss, td_target
from simworld.training.trainer import gradient_step


class FQESettings(TrainingSettings):
    """How fitted-Q evaluation fits its values. The weights decay by AdamW."""

    steps: int = Field(500, ge=1)
    batch_size: int = Field(256, ge=1)
    lr: float = Field(1e-3, gt=0, alias="rate")
    weight_decay: float = Field(1e-2, ge=0, alias="decay")
    tau: float = Field(0.02, gt=0, le=1)
    hidden: tuple[int, ...] = (256, 256)
    layer_norm: bool = False


def fitted_q(
    actor: Actor,
    transitions: Transitions,
    normalizer: Normalizer,
    settings: FQESettings,
    *,
    gamma: float,
    seed: int,
) -> float:
    """Gives the mean of `fitted_start_values`."""
    values = fitted_start_values(
        actor, transitions, normalizer, settings, gamma=gamma, seed=seed
    ).values
    # in parts, as they were read: sums of stored trainings stay what they are
    parts = [values[start : start + STATE_ROWS] for start in range(0, len(values), STATE_ROWS)]
    return sum(float(part.sum()) for part in parts) / len(values)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StartValues:
    """What a policy is worth from the first states of E episodes; for γ 0 in all of E states."""

    values: Tensor  # (E,) float32
    family: NDArray[np.int64]  # (E,)


def fitted_start_values(
    actor: Actor,
    transitions: Transitions,
    normalizer: Normalizer,
    settings: FQESettings,
    *,
    gamma: float,
    seed: int,
) -> StartValues:
    """Gives of each episode's first state Q^π(s₀, π(s₀)), in units of the rewards; for γ 0 of all
    states, for then a value is one act's.

    Args:
        actor: π, the policy that is evaluated.
        transitions: held out from training, after `with_next_rows`.
        normalizer: standardises the states for the actor and for the values.
        settings: of the fit.
        gamma: discount in [0, 1].
        seed: of the networks' first weights and of the batches.
    """
    weights_rng = torch.Generator().manual_seed(derive_seed(seed, "fitted-q", "weights"))
    critic = TwinCritic(
        actor.d_state,
        actor.d_action,
        hidden=settings.hidden,
        layer_norm=settings.layer_norm,
        generator=weights_rng,
    )
    target_critic = copy.deepcopy(critic)
    parameters, target_parameters = list(critic.parameters()), list(target_critic.parameters())
    optimiser = torch.optim.AdamW(
        parameters, lr=settings.lr, weight_decay=settings.weight_decay, fused=True
    )
    batch_rng = make_rng(derive_seed(seed, "fitted-q", "batches"))
    for _ in range(settings.steps):
        batch = transitions.sample(batch_rng, settings.batch_size).standardised(normalizer)
        with torch.no_grad():
            next_action = actor(batch.next_states)
            # the mean of both, not the smaller: this is to measure the policy, not to hold it back
            values = target_critic(batch.next_states, next_action).mean(0, keepdim=True)
            td_targets = td_target(batch, next_action, values, gamma=gamma)
        gradient_step(optimiser, [critic_loss(critic, batch, td_targets)])
        soft_update(target_parameters, parameters, settings.tau)
    # where nothing later counts, an episode's first act says nothing of its others: all are asked
    starts = episode_starts(transitions) if gamma else np.arange(len(transitions))
    starts = starts[np.argsort(transitions.state_rows[starts], kind="stable")]
    parts, rows = [], transitions.state_rows[starts]
    with torch.no_grad():
        for start in range(0, len(rows), STATE_ROWS):
            chunk = transitions.states[rows[start : start + STATE_ROWS]]
            states = normalizer.standardise(torch.from_numpy(chunk))
            parts.append(target_critic(states, actor(states)).mean(0))
    return StartValues(values=torch.cat(parts), family=transitions.family_index[starts])
