"""Which learners a planner can be trained by, and whose settings are whose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, get_args

from simworld.training.rl.awac import AWACSettings
from simworld.training.rl.bc import BCSettings
from simworld.training.rl.iql import IQLSettings
from simworld.training.rl.learner import TrainingSettings
from simworld.training.rl.rebrac import ReBRACSettings
from simworld.training.rl.ridge import RidgeSettings
from simworld.training.rl.td3bc import TD3BCSettings
from simworld.yamlfile import join_with_and

LearnerName = Literal["td3bc", "rebrac", "iql", "awac", "bc", "ridge", "constant"]
LEARNERS: tuple[LearnerName, ...] = get_args(LearnerName)
# each under the key that it has in files; the constant has none
LEARNER_SETTINGS: Mapping[str, type[TrainingSettings]] = {
    "td3bc": TD3BCSettings,
    "rebrac": ReBRACSettings,
    "iql": IQLSettings,
    "awac": AWACSettings,
    "bc": BCSettings,
    "ridge": RidgeSettings,
}
# in the settings of these learners whether they are used or not: stored hashes have them
_ALWAYS_WRITTEN = ("td3bc", "bc")
_WRITE_THEM = ("td3bc", "bc", "ridge")


def unwritten_blocks(learner: str) -> set[str]:
    """Gives the settings that are left out of what is written of a training by this learner."""
    written = {learner, *(_ALWAYS_WRITTEN if learner in _WRITE_THEM else ())}
    return set(LEARNER_SETTINGS) - written


def foreign_settings(given: Iterable[str], learners: Sequence[str]) -> str | None:
    """Says in one line which of the keys given hold settings of learners that are not among those
    asked for; None where none does.
    """
    foreign = [name for name in LEARNER_SETTINGS if name in given and name not in learners]
    if not foreign:
        return None
    of, asked = join_with_and(foreign), join_with_and(learners)
    is_ = "learner is" if len(learners) == 1 else "learners are"
    return (
        f"{', '.join(foreign)}: settings of {of}, but the {is_} {asked}; remove them, or say so in"
        " `learner`"
    )
