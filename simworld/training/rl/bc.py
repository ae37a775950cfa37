"""Behaviour cloning: the actor of TD3+BC without a critic, the arm that shows what the values
add.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from agents.steering.planner import Actor
from simworld.training.data.transitions import TransitionBatch
from simworld.training.rl.learner import TrainingSettings, fused_adam
from simworld.training.trainer import gradient_step
from simworld.training.training_state import StateParts, collect_tensors, load_tensors


class BCSettings(TrainingSettings):
    """Settings of behaviour cloning."""

    actor_lr: float = Field(3e-4, gt=0, alias="actor_rate")


class BC:
    """The learner that minimises mean((π(s) − a)²)."""

    critic = None

    def __init__(self, actor: Actor, settings: BCSettings) -> None:
        """Takes the actor as it is and trains it in place."""
        self.actor = actor
        self._adam = fused_adam(list(actor.parameters()), settings.actor_lr)
        self._parts: StateParts = {"actor": actor, "adam": self._adam}

    def update(self, batch: TransitionBatch) -> Mapping[str, Tensor]:
        loss = F.mse_loss(self.actor(batch.states), batch.actions)
        gradient_step(self._adam, [loss])
        return {"bc_distance": loss.detach()}

    def state_dict(self) -> dict[str, Tensor]:
        return collect_tensors(self._parts)

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        load_tensors(self._parts, state)
