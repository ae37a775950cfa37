"""States are standardised here, for training and for acting."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Normalizer:
    """Standardises states: each coordinate less its mean in the training data, over its deviation
    there. Training and acting use this one.
    """

    mean: Tensor  # (d_s,) float32
    std: Tensor  # (d_s,) float32, above 0

    def standardise(self, state: Tensor) -> Tensor:
        """Standardised states (…, d_s)."""
        return (state - self.mean) / self.std
