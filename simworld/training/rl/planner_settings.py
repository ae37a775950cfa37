"""The settings of a planner's training: which learner, with its own settings, what it sees, and
for how long.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import SerializerFunctionWrapHandler, model_serializer, model_validator

from agents.steering.normalizer import Normalizer
from simworld.training.data.fit_normalizer import turns_left_alone
from simworld.training.rl.awac import AWACSettings
from simworld.training.rl.bc import BCSettings
from simworld.training.rl.critic_settings import ValueSettings
from simworld.training.rl.iql import IQLSettings
from simworld.training.rl.learner import TrainingSettings
from simworld.training.rl.offline_training import LoopSettings
from simworld.training.rl.planner_learners import (
    LearnerName,
    foreign_settings,
    unwritten_blocks,
)
from simworld.training.rl.rebrac import ReBRACSettings
from simworld.training.rl.ridge import RidgeSettings
from simworld.training.rl.td3bc import TD3BCSettings


class PlannerSettings(TrainingSettings):
    """Settings of a planner's training."""

    learner: LearnerName = "td3bc"
    fresh: bool = False  # a new actor, although the clone has one
    hidden: tuple[int, ...] = (256, 256)  # of a new actor
    # to a deviation of 1: a part of a score is smaller than what new critics say by chance
    scale_rewards: bool = True
    # turns_left: the share of turns left is all that it reads of a state
    sees: Literal["everything", "turns_left"] = "everything"
    # of one learner each, and refused where it is another
    td3bc: TD3BCSettings = TD3BCSettings()
    rebrac: ReBRACSettings = ReBRACSettings()
    iql: IQLSettings = IQLSettings()
    awac: AWACSettings = AWACSettings()
    bc: BCSettings = BCSettings()
    ridge: RidgeSettings = RidgeSettings()  # of its loop the seed alone counts
    loop: LoopSettings = LoopSettings()

    @property
    def of_learner(self) -> TrainingSettings | None:
        """The learner's own settings; the constant has none."""
        own: TrainingSettings | None = getattr(self, self.learner, None)
        return own

    @property
    def gamma(self) -> float:
        """The discount of the learner and of its evaluation; behaviour cloning, which has none, is
        evaluated with that of TD3+BC.
        """
        own = self.of_learner
        return own.gamma if isinstance(own, ValueSettings | RidgeSettings) else self.td3bc.gamma

    @model_validator(mode="after")
    def _of_this_learner(self) -> Self:
        if problem := foreign_settings(self.model_fields_set, [self.learner]):
            raise ValueError(problem)
        return self

    @model_serializer(mode="wrap")
    def _without_other_learners(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leaves out what came to be after hashes did, but for its own learner, and `sees` where it
        sees everything: they stay.
        """
        content: dict[str, Any] = serialize(self)
        for name in unwritten_blocks(self.learner):
            content.pop(name, None)
        if self.sees == "everything":
            content.pop("sees", None)
        return content

    @property
    def plans_ahead(self) -> bool:
        """Whether the learner itself has a discount above 0."""
        own = self.of_learner
        return isinstance(own, ValueSettings | RidgeSettings) and own.gamma > 0

    def with_gamma(self, gamma: float) -> PlannerSettings:
        """Gives the same settings with another discount of the learner, which has one."""
        block = getattr(self, self.learner).model_copy(update={"gamma": gamma})
        return self.model_copy(update={self.learner: block})

    def seen(self, normalizer: Normalizer) -> Normalizer:
        """Gives the normalizer by which as much of a state is seen as `sees` says."""
        return normalizer if self.sees == "everything" else turns_left_alone(normalizer)
