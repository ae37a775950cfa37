"""What all learners share: their protocol, the names of their settings, their optimiser."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from agents.steering.planner import Actor
from simworld.training.data.transitions import TransitionBatch
from simworld.training.rl.networks import Critic


class TrainingSettings(BaseModel):
    """Settings of offline learning. A field whose name in files is an older one has that as its
    alias, under which it is read and written; so ids and stored trainings stay what they are.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_by_name=True, serialize_by_alias=True
    )


class Learner(Protocol):
    """Learns an actor from batches; its state can be written down and read back at any moment."""

    @property
    def actor(self) -> Actor:
        """The policy as it is now."""

    @property
    def critic(self) -> Critic | None:
        """Its value estimate, where it has one."""

    def update(self, batch: TransitionBatch) -> Mapping[str, Tensor]:
        """Takes one step on a batch of standardised states, and gives detached scalars to log."""

    def state_dict(self) -> dict[str, Tensor]:
        """Gives everything that later updates depend on: weights, optimisers, counters, random
        numbers. Shares memory.
        """

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Goes on from what `state_dict` gave."""


def fused_adam(parameters: list[nn.Parameter], lr: float) -> torch.optim.Adam:
    """Gives Adam in one fused kernel."""
    return torch.optim.Adam(parameters, lr=lr, fused=True)
