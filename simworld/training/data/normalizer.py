"""Standardised states: each coordinate less the data's mean, over the data's deviation."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from simworld.training.data.transitions import TransitionBatch, Transitions

# added to the deviation, as in TD3+BC's own code, so that a constant coordinate stays finite
EPSILON = 1e-3
ROWS = 2048  # read at a time, for states may be mapped from a file


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Normalizer:
    """Mean and deviation of each coordinate of the state, (d_s,) float32."""

    mean: Tensor
    std: Tensor

    def states(self, state: Tensor) -> Tensor:
        """Standardised states (…, d_s)."""
        return (state - self.mean) / self.std

    def batch(self, batch: TransitionBatch) -> TransitionBatch:
        """The same batch with standardised states."""
        return replace(
            batch, state=self.states(batch.state), next_state=self.states(batch.next_state)
        )


def fit_normalizer(transitions: Transitions) -> Normalizer:
    """The scale of the states in which the transitions' actions were taken; the deviation has 1e-3
    added.
    """
    total = np.zeros(transitions.states.shape[1])
    squares = np.zeros_like(total)
    rows = np.sort(transitions.state)
    origin = transitions.states[rows[0]].astype(
        np.float64
    )  # keeps the difference of squares exact where means are large
    for start in range(0, len(rows), ROWS):
        part = transitions.states[rows[start : start + ROWS]].astype(np.float64) - origin
        total += part.sum(0)
        squares += np.square(part).sum(0)
    mean = total / len(rows)
    std = np.sqrt(np.maximum(squares / len(rows) - mean**2, 0)) + EPSILON
    return Normalizer(
        mean=torch.from_numpy((mean + origin).astype(np.float32)),
        std=torch.from_numpy(std.astype(np.float32)),
    )
