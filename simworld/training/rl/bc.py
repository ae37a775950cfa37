"""Behaviour cloning: the actor of TD3+BC without a critic, the arm that shows what the values
add.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor
from torch.nn import functional as F

from agents.steering.planner import Actor
from simworld.training.data.transitions import TransitionBatch
from simworld.training.rl.learner import adam, load_optimiser, optimiser_state, prefixed, under


class BcSettings(BaseModel):
    """How the actor is fitted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    actor_rate: float = Field(3e-4, gt=0)


class Bc:
    """The learner: minimises mean((π(s) − a)²)."""

    critic = None

    def __init__(self, actor: Actor, settings: BcSettings) -> None:
        """Takes the actor as it is and trains it in place."""
        self._actor = actor
        self._adam = adam(list(actor.parameters()), settings.actor_rate)

    @property
    def actor(self) -> Actor:
        return self._actor

    def update(self, batch: TransitionBatch) -> Mapping[str, Tensor]:
        loss = F.mse_loss(self._actor(batch.state), batch.action)
        self._adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._adam.step()
        return {"bc_distance": loss.detach()}

    def state(self) -> dict[str, Tensor]:
        return {
            **prefixed("actor", self._actor.state_dict()),
            **prefixed("adam", optimiser_state(self._adam)),
        }

    def load(self, state: Mapping[str, Tensor]) -> None:
        self._actor.load_state_dict(under("actor", state))
        load_optimiser(self._adam, under("adam", state))
