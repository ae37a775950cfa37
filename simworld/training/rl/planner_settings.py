"""The settings of a planner's training: which learner, with its own settings, what it sees, and
for how long.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from agents.steering.normalizer import Normalizer
from simworld.extensions import (
    ExtensionTable,
    check_pin,
    check_settings,
    drop_extension_fields,
    extension_name,
    pin_field,
    settings_field,
)
from simworld.training.data.fit_normalizer import turns_left_alone
from simworld.training.rl.awac import AWACSettings
from simworld.training.rl.bc import BCSettings
from simworld.training.rl.critic_settings import ValueSettings
from simworld.training.rl.iql import IQLSettings
from simworld.training.rl.learner import TrainingSettings
from simworld.training.rl.offline_training import LoopSettings
from simworld.training.rl.planner_learners import (
    LEARNERS,
    PLANNER_LEARNERS,
    foreign_settings,
    unwritten_blocks,
)
from simworld.training.rl.rebrac import ReBRACSettings
from simworld.training.rl.ridge import RidgeSettings
from simworld.training.rl.td3bc import TD3BCSettings


def _learners() -> ExtensionTable[Any]:
    return PLANNER_LEARNERS


class PlannerSettings(TrainingSettings):
    """Settings of a planner's training."""

    learner: Annotated[str, *extension_name(_learners, LEARNERS)] = "td3bc"
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
    settings: Any = settings_field()  # of an extension
    extension: str = pin_field()

    _settings = field_validator("settings", mode="before")(check_settings(_learners, "learner"))
    _pin = field_validator("extension")(check_pin(_learners, "learner"))

    @property
    def of_learner(self) -> BaseModel | None:
        """The learner's own settings; the constant has none."""
        if self.extension:
            return self.settings if isinstance(self.settings, BaseModel) else None
        own: BaseModel | None = getattr(self, self.learner, None)
        return own

    @property
    def _own_gamma(self) -> float | None:
        own = self.of_learner
        if self.extension:
            gamma = getattr(own, "gamma", None)
            return float(gamma) if isinstance(gamma, int | float) else None
        return own.gamma if isinstance(own, ValueSettings | RidgeSettings) else None

    @property
    def gamma(self) -> float:
        """The discount of the learner and of its evaluation; behaviour cloning, which has none, is
        evaluated with that of TD3+BC.
        """
        return self.td3bc.gamma if self._own_gamma is None else self._own_gamma

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
        return drop_extension_fields(content)

    @property
    def plans_ahead(self) -> bool:
        """Whether the learner itself has a discount above 0."""
        return bool(self._own_gamma)

    def with_gamma(self, gamma: float) -> PlannerSettings:
        """Gives the same settings with another discount of the learner, which has one."""
        key = "settings" if self.extension else self.learner
        block = getattr(self, key).model_copy(update={"gamma": gamma})
        return self.model_copy(update={key: block})

    def seen(self, normalizer: Normalizer) -> Normalizer:
        """Gives the normalizer by which as much of a state is seen as `sees` says."""
        return normalizer if self.sees == "everything" else turns_left_alone(normalizer)
