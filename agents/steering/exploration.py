"""Exploration: random deviations from an agent's planner, drawn from streams of their own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from agents.steering.exploration_kinds import EXPLORATIONS, ExplorationKind, ExploreTask
from agents.steering.planner import project_action
from agents.steering.projection import Projection
from agents.steering.steering_spec import ExploreSpec, RedrawInterval
from simworld.core.episode import Observation
from simworld.core.seeding import derive_seed, make_rng


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploration:
    """How an agent explores: by a kind of `exploration_kinds`, drawn anew for each turn, or once
    for an episode and seat.

    The random numbers depend on the observation alone and never on the cast: two agents that
    explore alike in one work item try the same. The paper explores with noise on the cloned action
    or with random directions only; ways of replying, and the same noise for a whole episode, are
    ours.
    """

    spec: ExploreSpec
    ways: Tensor | None = None  # (n, d'), those that the up-mapping knows
    kind: ExplorationKind[Any] = field(repr=False, compare=False)

    def explore_action(
        self, observation: Observation, planned: Tensor | None, size: int, projection: Projection
    ) -> Tensor:
        """An action (d',) float32, projected.

        Raises ValueError where there is no planned action to add noise to, and where an extension
        gives no action.
        """
        task = ExploreTask(
            observation=observation,
            rng=make_rng(_exploration_seed(observation, self.spec.per)),
            size=size,
            planned=None if planned is None else planned.detach().numpy(),
            ways=None if self.ways is None else self.ways.detach().numpy(),
        )
        settings = self.spec.settings if self.spec.extension else self.spec
        action = np.array(self.kind.explore(settings, task))
        if action.shape != (size,) or not np.isfinite(action).all():
            raise ValueError(
                f"exploration {self.spec.kind!r} gave no action of {size} finite numbers"
            )
        on = "sphere" if self.kind.always_on_sphere else projection
        return project_action(torch.from_numpy(action), on).float()


def make_exploration(spec: ExploreSpec, ways: Tensor | None = None) -> Exploration:
    """The exploration of a spec, with the ways that an up-mapping knows. Raises InputError."""
    return Exploration(spec=spec, ways=ways, kind=EXPLORATIONS.find(spec.kind).declaration)


def _exploration_seed(observation: Observation, per: RedrawInterval) -> int:
    if per == "turn":
        return derive_seed(observation.seed, "explore")
    return derive_seed(observation.episode_seed, observation.seat, "explore")
