"""Settings that all learners with a critic share, and the critic that they begin with."""

from __future__ import annotations

from typing import Any, Literal, Self

import torch
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from agents.steering.planner import Actor
from simworld.training.rl.learner import TrainingSettings
from simworld.training.rl.networks import TwinCritic


class ValueSettings(TrainingSettings):
    """Settings of learners that estimate values."""

    gamma: float = Field(0.99, ge=0, le=1)
    tau: float = Field(0.005, gt=0, le=1)  # how fast target networks follow
    # slower than the critics: it averages over the noise in their values
    actor_lr: float = Field(1e-4, gt=0, alias="actor_rate")
    critic_lr: float = Field(3e-4, gt=0, alias="critic_rate")
    critic_hidden: tuple[int, ...] = (256, 256)


class CriticSettings(ValueSettings):
    """Settings of learners whose critic may have layers, or be bilinear."""

    layer_norm: bool = False
    # bilinear: begins at the regression of `ridge` and keeps its penalties; the actor stays on the
    # shell of the data, and is that regression's to begin with where it has no hidden layers
    critic: Literal["mlp", "bilinear"] = "mlp"

    @model_validator(mode="after")
    def _a_bilinear_critic_has_no_layers(self) -> Self:
        layers = sorted({"critic_hidden", "layer_norm"} & self.model_fields_set)
        if self.critic == "bilinear" and layers:
            raise ValueError(f"a bilinear critic has no layers; remove {' and '.join(layers)}")
        return self

    @model_serializer(mode="wrap")
    def _without_critic(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leaves the kind of critic out where it is what it always was: hashes stay."""
        content: dict[str, Any] = serialize(self)
        if self.critic == "mlp":
            content.pop("critic", None)
        return content


def new_critic(actor: Actor, settings: CriticSettings, generator: torch.Generator) -> TwinCritic:
    """Gives twins with layers, of the actor's sizes."""
    return TwinCritic(
        actor.d_state,
        actor.d_action,
        hidden=settings.critic_hidden,
        layer_norm=settings.layer_norm,
        generator=generator,
    )
