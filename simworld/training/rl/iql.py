"""IQL: values of the best actions that the data have, by expectile regression, without asking for
any other action (Kostrikov, Nair & Levine 2021, arXiv 2110.06169). The maths only; the training
loop drives it.

Deviation: the actor is deterministic (see `weighted_regression.py`). The order of the updates, and
the weights' limit of 100, are those of the authors' code.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor

from agents.steering.planner import Actor
from simworld.training.data.transitions import TransitionBatch
from simworld.training.rl.bilinear_critic import BilinearCritic
from simworld.training.rl.critic_settings import CriticSettings, new_critic
from simworld.training.rl.learner import fused_adam
from simworld.training.rl.networks import Critic, soft_update
from simworld.training.rl.state_values import LinearValue, PerceptronValue, StateValue
from simworld.training.rl.td3bc import critic_loss
from simworld.training.rl.weighted_regression import advantage_weights, weighted_actor_loss
from simworld.training.trainer import gradient_step
from simworld.training.training_state import StateParts, collect_tensors, load_tensors


class IQLSettings(CriticSettings):
    """Settings of IQL. The value of states has the critics' layers and learning rate."""

    expectile: float = Field(0.7, gt=0, lt=1)  # .5: the mean of the data's actions
    # of advantages, in deviations of the reward; 0 would be behaviour cloning
    beta: float = Field(10.0, gt=0)


def expectile_loss(errors: Tensor, expectile: float) -> Tensor:
    """Gives the scalar mean(|τ − 1(e < 0)| e²) of errors e = Q(s, a) − V(s), (B,)."""
    weights = torch.where(errors > 0, expectile, 1 - expectile)
    return (weights * errors.square()).mean()


class IQL:
    """The learner: an actor, twin critics, their target networks, and the value of states."""

    def __init__(
        self, actor: Actor, settings: IQLSettings, *, seed: int, critic: Critic | None = None
    ) -> None:
        """Takes the actor as it is and trains it in place; the critics too, where they are given,
        else they start from the seed. The value begins where a bilinear critic is at the mean
        action, else from the seed.
        """
        self.actor, self._settings = actor, settings
        generator = torch.Generator().manual_seed(seed)
        self.critic: Critic = critic or new_critic(actor, settings, generator)
        self.target_critic = copy.deepcopy(self.critic)
        self.value: StateValue = (
            LinearValue(self.critic)
            if isinstance(self.critic, BilinearCritic)
            else PerceptronValue(actor.d_state, hidden=settings.critic_hidden, generator=generator)
        )
        self._adam_actor = fused_adam(list(actor.parameters()), settings.actor_lr)
        self._adam_critic = fused_adam(list(self.critic.parameters()), settings.critic_lr)
        self._adam_value = fused_adam(list(self.value.parameters()), settings.critic_lr)
        self._parts: StateParts = {
            "actor": actor,
            "critic": self.critic,
            "target_critic": self.target_critic,
            "value": self.value,
            "adam_actor": self._adam_actor,
            "adam_critic": self._adam_critic,
            "adam_value": self._adam_value,
        }

    def update(self, batch: TransitionBatch) -> Mapping[str, Tensor]:
        """Takes one step of the value, of the actor, of the critics, and of the target networks, in
        this order.
        """
        settings = self._settings
        loss = expectile_loss(self.advantages(batch), settings.expectile)
        metrics = {"value_loss": loss.detach()}
        gradient_step(self._adam_value, [loss + self.value.penalty()])
        weights = advantage_weights(self.advantages(batch).detach(), settings.beta)
        loss, parts = weighted_actor_loss(self.actor, batch, weights)
        gradient_step(self._adam_actor, [loss])
        loss = critic_loss(self.critic, batch, self.td_target(batch))
        metrics |= {"critic_loss": loss.detach(), **parts}
        if (penalty := self.critic.penalty()) is not None:
            loss = loss + penalty
        gradient_step(self._adam_critic, [loss])
        targets, online = self.target_critic.parameters(), self.critic.parameters()
        soft_update(list(targets), list(online), settings.tau)
        return metrics

    def advantages(self, batch: TransitionBatch) -> Tensor:
        """Gives min Q̄(s, a) − V(s), (B,), with a gradient for V alone."""
        with torch.no_grad():
            taken: Tensor = self.target_critic(batch.states, batch.actions).amin(0)
        advantages: Tensor = taken - self.value(batch.states)
        return advantages

    @torch.no_grad()
    def td_target(self, batch: TransitionBatch) -> Tensor:
        """Gives what the critics are fitted to, (B,): r + γ (1 − done) V(s')."""
        carried = self._settings.gamma * (1 - batch.terminals)
        targets: Tensor = batch.rewards + carried * self.value(batch.next_states)
        return targets

    def state_dict(self) -> dict[str, Tensor]:
        return collect_tensors(self._parts)

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        load_tensors(self._parts, state)
