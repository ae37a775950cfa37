"""AWAC: a critic of the actor's own values, and regression to the actions that are better than
the actor's (Nair et al. 2020, arXiv 2006.09359). The maths only; the training loop drives it.

Deviations: the actor is deterministic (see `weighted_regression.py`), so A(s, a) = Q(s, a) − Q(s,
π(s)), the smaller of the twins each time, where the paper draws an action from π; and weights are
cut at 100. The paper's λ is 1 / β.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor

from agents.steering.planner import Actor
from simworld.training.data.transitions import TransitionBatch
from simworld.training.rl.critic_settings import CriticSettings, new_critic
from simworld.training.rl.learner import fused_adam
from simworld.training.rl.networks import Critic, soft_update
from simworld.training.rl.td3bc import critic_loss, td_target
from simworld.training.rl.weighted_regression import advantage_weights, weighted_actor_loss
from simworld.training.trainer import gradient_step
from simworld.training.training_state import StateParts, collect_tensors, load_tensors


class AWACSettings(CriticSettings):
    """Settings of AWAC."""

    # of advantages, in deviations of the reward; 0 would be behaviour cloning
    beta: float = Field(10.0, gt=0)


class AWAC:
    """The learner: an actor, twin critics, and the critics' target networks."""

    def __init__(
        self, actor: Actor, settings: AWACSettings, *, seed: int, critic: Critic | None = None
    ) -> None:
        """Takes the actor as it is and trains it in place; the critics too, where they are given,
        else they start from the seed.
        """
        self.actor, self._settings = actor, settings
        generator = torch.Generator().manual_seed(seed)
        self.critic: Critic = critic or new_critic(actor, settings, generator)
        self.target_critic = copy.deepcopy(self.critic)
        self._adam_actor = fused_adam(list(actor.parameters()), settings.actor_lr)
        self._adam_critic = fused_adam(list(self.critic.parameters()), settings.critic_lr)
        self._parts: StateParts = {
            "actor": actor,
            "critic": self.critic,
            "target_critic": self.target_critic,
            "adam_actor": self._adam_actor,
            "adam_critic": self._adam_critic,
        }

    def update(self, batch: TransitionBatch) -> Mapping[str, Tensor]:
        """Takes one step of the critics, one of the actor, and one of the target networks."""
        loss = critic_loss(self.critic, batch, self.td_target(batch))
        metrics = {"critic_loss": loss.detach()}
        if (penalty := self.critic.penalty()) is not None:
            loss = loss + penalty
        gradient_step(self._adam_critic, [loss])
        weights = advantage_weights(self.advantages(batch), self._settings.beta)
        loss, parts = weighted_actor_loss(self.actor, batch, weights)
        gradient_step(self._adam_actor, [loss])
        targets, online = self.target_critic.parameters(), self.critic.parameters()
        soft_update(list(targets), list(online), self._settings.tau)
        return metrics | parts

    @torch.no_grad()
    def td_target(self, batch: TransitionBatch) -> Tensor:
        """Gives what the critics are fitted to, (B,): r + γ (1 − done) min Q̄(s', π(s'))."""
        next_action = self.actor(batch.next_states)
        next_values = self.target_critic(batch.next_states, next_action)
        return td_target(batch, next_action, next_values, gamma=self._settings.gamma)

    @torch.no_grad()
    def advantages(self, batch: TransitionBatch) -> Tensor:
        """Gives min Q(s, a) − min Q(s, π(s)), (B,)."""
        own: Tensor = self.critic(batch.states, self.actor(batch.states)).amin(0)
        taken: Tensor = self.critic(batch.states, batch.actions).amin(0)
        return taken - own

    def state_dict(self) -> dict[str, Tensor]:
        return collect_tensors(self._parts)

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        load_tensors(self._parts, state)
