"""Exploration: random deviations from an agent's planner, drawn from streams of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from agents.steering.planner import project_action
from agents.steering.projection import Projection
from simworld.core.episode import Observation
from simworld.core.seeding import derive_seed, make_rng

RedrawInterval = Literal["turn", "episode"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploration:
    """Random directions, ways of replying, or noise on the planner's action.

    They are drawn anew for each turn, or once for an episode and seat.

    The random numbers depend on the observation alone and never on the cast: two agents that
    explore alike in one work item try the same. The paper explores with noise on the cloned action
    or with random directions only; ways of replying, and the same noise for a whole episode, are
    ours.
    """

    # standard deviation of the noise on each coordinate of an action; None: no planner, no noise
    sigma: float | None
    per: RedrawInterval = "turn"
    # (n, d'), the actions to choose from, all as likely; None: random directions
    ways: Tensor | None = None

    def explore_action(
        self, observation: Observation, planned: Tensor | None, size: int, projection: Projection
    ) -> Tensor:
        """An action (d',) float32: uniform on the sphere of radius √d', a way, or the planned one
        with noise, projected.

        Raises ValueError where there is no planned action to add noise to.
        """
        rng = make_rng(_exploration_seed(observation, self.per))
        if self.ways is not None:
            return project_action(self.ways[int(rng.integers(len(self.ways)))], projection)
        standard_normal = rng.standard_normal(size)
        if self.sigma is None:
            return project_action(torch.from_numpy(standard_normal), "sphere").float()
        if planned is None:
            raise ValueError("noise needs a planned action")
        noise = torch.from_numpy((self.sigma * standard_normal).astype(np.float32))
        return project_action(planned + noise, projection)


def _exploration_seed(observation: Observation, per: RedrawInterval) -> int:
    if per == "turn":
        return derive_seed(observation.seed, "explore")
    return derive_seed(observation.episode_seed, observation.seat, "explore")
