"""Whether an exploration keeps the promises of `agents.steering.exploration_kinds`."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from agents.steering.exploration_kinds import ExplorationKind, ExploreTask
from simworld.core.seeding import make_rng
from simworld.testing.agents import NotConforming
from simworld.testing.extension_settings import check_settings_model
from simworld.testing.fakes import example_observations

S = TypeVar("S", bound=BaseModel)

SIZE = 4


def check_exploration(kind: ExplorationKind[S], settings: S | None = None) -> None:
    """Passes if an exploration gives an action of the right size, the same from the same random
    numbers and others from others.

    Raises:
        NotConforming: it does not; the text says how.
    """
    settings = kind.settings() if settings is None else settings
    check_settings_model(settings)
    tried = [_explore(kind, settings, seed) for seed in range(20)]
    for seed, action in enumerate(tried):
        if action.shape != (SIZE,) or not np.isfinite(action).all():
            raise NotConforming(f"expected an action of {SIZE} finite numbers, found {action!r}")
        if not np.array_equal(_explore(kind, settings, seed), action):
            raise NotConforming("the same random numbers gave another action")
    if all(np.array_equal(action, tried[0]) for action in tried):
        raise NotConforming("it tries the same action always, so nothing is explored")


def _explore(kind: ExplorationKind[S], settings: S, seed: int) -> NDArray[np.floating]:
    planned = np.array([2.0, 0.0, 0.0, 0.0], dtype=np.float32)
    task = ExploreTask(
        observation=example_observations()[0],
        rng=make_rng(seed),
        size=SIZE,
        planned=planned if kind.needs_planner else None,
        ways=2 * np.eye(SIZE, dtype=np.float32),
    )
    return np.array(kind.explore(settings, task))
