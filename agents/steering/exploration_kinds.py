"""In which ways an agent can explore: one table. No torch: agent files are checked without it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from simworld.core.episode import Observation
from simworld.extensions import ExtensionTable, NoSettings

if TYPE_CHECKING:
    from agents.steering.steering_spec import ExploreSpec

S = TypeVar("S", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExploreTask:
    """One action that is to be tried."""

    observation: Observation
    # the only source of chance: of the seat's turn or episode, whatever the cast is
    rng: np.random.Generator
    size: int  # d', the numbers of an action
    # (d',), what the planner would do; None: the kind needs no planner
    planned: NDArray[np.float32] | None
    # (n, d'), the ways of replying that a latent up-mapping knows; None: it knows none
    ways: NDArray[np.float32] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplorationKind(Generic[S]):
    """A way to explore: what an entry point of `simworld.explorations` is."""

    settings: type[S]  # of the key `settings`; of a built-in kind, the whole `explore`
    # gives an action (d',), which is put onto the sphere of the planner
    explore: Callable[[S, ExploreTask], NDArray[np.floating]]
    needs_planner: bool = True  # False: an up-mapping without a planner will do
    always_on_sphere: bool = False  # also where the planner's actions lie in a box


def _random(spec: ExploreSpec, task: ExploreTask) -> NDArray[np.floating]:
    """Any direction."""
    return task.rng.standard_normal(task.size)


def _noise(spec: ExploreSpec, task: ExploreTask) -> NDArray[np.floating]:
    """The planned action with noise on each coordinate."""
    standard_normal = task.rng.standard_normal(task.size)
    if task.planned is None:
        raise ValueError("noise needs a planned action")
    noise: NDArray[np.float32] = ((spec.sigma or 0.0) * standard_normal).astype(np.float32)
    return task.planned + noise


def _ways(spec: ExploreSpec, task: ExploreTask) -> NDArray[np.floating]:
    """A way of replying, all as likely."""
    if task.ways is None:
        raise ValueError("there are no ways of replying to choose from")
    way: NDArray[np.float32] = task.ways[int(task.rng.integers(len(task.ways)))]
    return way


EXPLORATIONS: ExtensionTable[ExplorationKind[Any]] = ExtensionTable(
    group="simworld.explorations",
    what="exploration",
    declaration=ExplorationKind,
    builtin={
        "random": ExplorationKind(
            settings=NoSettings, explore=_random, needs_planner=False, always_on_sphere=True
        ),
        "noise": ExplorationKind(settings=NoSettings, explore=_noise),
        "ways": ExplorationKind(settings=NoSettings, explore=_ways, needs_planner=False),
    },
)
