"""Exploration: where an agent leaves its planner to try something else, by random numbers that have names of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from agents.steering.planner import project
from agents.steering.projection import Projection
from simworld.core.episode import Observation
from simworld.core.seeding import derive_seed, generator

Per = Literal["turn", "episode"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploration:
    """Random directions, or noise on the planner's action; drawn anew for each turn, or once for an episode and seat.

    The random numbers depend on the observation alone and never on the cast: two agents that explore alike in one work item try
    the same. The paper explores with noise on the cloned action or with random directions only; the same noise for a whole
    episode is ours.
    """

    sigma: float | None  # standard deviation of the noise for each coordinate of an action; None: random directions
    per: Per = "turn"

    def explore(self, observation: Observation, planned: Tensor | None, size: int, projection: Projection) -> Tensor:
        """An action (d',) float32: uniform on the sphere of radius √d', or the planned one with noise, projected again.

        Raises ValueError where there is no planned action to add noise to.
        """
        drawn = generator(_stream(observation, self.per)).standard_normal(size)
        if self.sigma is None:
            return project(torch.from_numpy(drawn), "sphere").float()
        if planned is None:
            raise ValueError("noise needs a planned action")
        noise = torch.from_numpy((self.sigma * drawn).astype(np.float32))
        return project(planned + noise, projection)


def _stream(observation: Observation, per: Per) -> int:
    if per == "turn":
        return derive_seed(observation.seed, "explore")
    return derive_seed(observation.episode_seed, observation.seat, "explore")
