"""Blind actions: what a planner chose for other dialogues at the same turn. An agent that does as
well with them does not read the dialogue it is in.
"""

from __future__ import annotations

import torch
from torch import Tensor

from simworld.core.episode import Observation
from simworld.core.seeding import derive_seed, make_rng

_SAME = 1e-6  # a difference of shares: rounding


def draw_blind_action(pairs: Tensor, observation: Observation, state: Tensor) -> Tensor:
    """The action (d',) of one of those pairs whose share of turns left is nearest to the state's.

    Which one depends on the observation's seed alone, as with exploration: not on who else plays.

    Args:
        pairs: (n, 1 + d'), each a share of turns left and the action that was chosen then.
        observation: of the seat.
        state: raw (d_s,), of which the last number alone is read, the share of turns left.
    """
    distance = (pairs[:, 0] - state[-1]).abs()
    nearest = torch.nonzero(distance <= distance.min() + _SAME).ravel()
    rng = make_rng(derive_seed(observation.seed, "blind"))
    return pairs[nearest[int(rng.integers(len(nearest)))], 1:]
