"""A `Normalizer` is fitted to the states that a planner learns from.

A deviation that is nearly 0 would blow a coordinate up, and cloning and the offline learners keep
that from happening by two rules. Both stay as they are, float32 and float64 included: mean and
deviation are part of a checkpoint's content, from which its id comes, so the same data must go on
giving the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from agents.steering.normalizer import Normalizer
from simworld.training.data.transitions import STATE_ROWS, Transitions

# added to the deviation, as in TD3+BC's own code
EPSILON = 1e-3
MIN_DEVIATION = 1e-6  # a deviation
UNSEEN = 1e30  # a deviation over which nothing is left of a number


def normalizer_from_states(states: Sequence[Tensor]) -> Normalizer:
    """Fits to states (d_s,) in memory; a coordinate that hardly varies is left at its scale."""
    stacked = torch.stack(list(states))
    std = stacked.std(0, correction=0)
    return Normalizer(
        mean=stacked.mean(0), std=torch.where(std > MIN_DEVIATION, std, torch.ones_like(std))
    )


def normalizer_from_transitions(transitions: Transitions) -> Normalizer:
    """Fits to the states in which actions were taken; adds 1e-3 to the deviation."""
    total = np.zeros(transitions.states.shape[1])
    squares = np.zeros_like(total)
    rows = np.sort(transitions.state_rows)
    # keeps the difference of squares exact where means are large
    origin = transitions.states[rows[0]].astype(np.float64)
    for start in range(0, len(rows), STATE_ROWS):
        chunk = transitions.states[rows[start : start + STATE_ROWS]].astype(np.float64) - origin
        total += chunk.sum(0)
        squares += np.square(chunk).sum(0)
    mean = total / len(rows)
    std = np.sqrt(np.maximum(squares / len(rows) - mean**2, 0)) + EPSILON
    return Normalizer(
        mean=torch.from_numpy((mean + origin).astype(np.float32)),
        std=torch.from_numpy(std.astype(np.float32)),
    )


def turns_left_alone(normalizer: Normalizer) -> Normalizer:
    """Gives a normalizer by which of a state the last number alone is seen, the share of turns
    left: all others become nothing, in training and in acting.
    """
    std = torch.full_like(normalizer.std, UNSEEN)
    std[-1] = normalizer.std[-1]
    return Normalizer(mean=normalizer.mean, std=std)
