"""Which learners a planner can be trained by, and whose settings are whose."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from agents.steering.planner import Actor
from simworld.extensions import ExtensionTable, NoSettings
from simworld.training.rl.awac import AWAC, AWACSettings
from simworld.training.rl.bc import BC, BCSettings
from simworld.training.rl.extension_learner import ExtensionLearner
from simworld.training.rl.iql import IQL, IQLSettings
from simworld.training.rl.learner import Learner
from simworld.training.rl.networks import Critic
from simworld.training.rl.rebrac import ReBRACSettings
from simworld.training.rl.ridge import RidgeSettings
from simworld.training.rl.td3bc import TD3BC, TD3BCSettings
from simworld.yamlfile import join_with_and

S = TypeVar("S", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnerParts:
    """What a learner begins with, besides its settings."""

    actor: Actor  # trained in place: from states (B, d_s) to actions (B, d') on their sphere
    seed: int  # of all that it draws
    critic: Critic | None = None  # to begin with, where a setting of a built-in learner asks for it


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnerKind(Generic[S]):
    """A way to learn: what an entry point of `simworld.learners` is."""

    # of the key `settings`; of a built-in learner, of the key that has its name. Where they have a
    # `gamma`, that is the discount of evaluations too.
    settings: type[S]
    # None: not trained step by step, `train_planner` has its closed form
    make: Callable[[S, LearnerParts], Learner] | None


def _td3bc(settings: TD3BCSettings, parts: LearnerParts) -> Learner:
    return TD3BC(parts.actor, settings, seed=parts.seed, critic=parts.critic)


def _rebrac(settings: ReBRACSettings, parts: LearnerParts) -> Learner:
    return TD3BC(parts.actor, settings.td3bc(parts.actor.d_action), seed=parts.seed)


def _iql(settings: IQLSettings, parts: LearnerParts) -> Learner:
    return IQL(parts.actor, settings, seed=parts.seed, critic=parts.critic)


def _awac(settings: AWACSettings, parts: LearnerParts) -> Learner:
    return AWAC(parts.actor, settings, seed=parts.seed, critic=parts.critic)


def _bc(settings: BCSettings, parts: LearnerParts) -> Learner:
    return BC(parts.actor, settings)


PLANNER_LEARNERS: ExtensionTable[LearnerKind[Any]] = ExtensionTable(
    group="simworld.learners",
    what="learner",
    declaration=LearnerKind,
    builtin={
        "td3bc": LearnerKind(settings=TD3BCSettings, make=_td3bc),
        "rebrac": LearnerKind(settings=ReBRACSettings, make=_rebrac),
        "iql": LearnerKind(settings=IQLSettings, make=_iql),
        "awac": LearnerKind(settings=AWACSettings, make=_awac),
        "bc": LearnerKind(settings=BCSettings, make=_bc),
        "ridge": LearnerKind(settings=RidgeSettings, make=None),
        "constant": LearnerKind(settings=NoSettings, make=None),
    },
)
LEARNERS = tuple(PLANNER_LEARNERS.builtin)
# of those that have settings, each under the key that it has in files
LEARNER_SETTINGS: Mapping[str, type[BaseModel]] = {
    name: kind.settings
    for name, kind in PLANNER_LEARNERS.builtin.items()
    if kind.settings is not NoSettings
}


def make_learner(name: str, settings: BaseModel | None, parts: LearnerParts) -> Learner:
    """Gives the learner of a name.

    Raises:
        InputError: an extension that makes none, or does something wrong later.
        ValueError: a built-in one that is not trained step by step.
    """
    entry = PLANNER_LEARNERS.find(name)
    make = entry.declaration.make
    if make is None:
        raise ValueError(f"{name} is not trained step by step")
    if not entry.identity:
        learner: Learner = make(settings, parts)
        return learner
    return ExtensionLearner(
        lambda: make(settings, parts), f"learner {entry.name!r} of {entry.source}"
    )


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
