"""Values of states, V(s), for learners that have them beside their critics."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from simworld.training.rl.bilinear_critic import BilinearCritic
from simworld.training.rl.bilinear_fit import prepend_ones, state_features


class StateValue(nn.Module, ABC):
    """V(s) → (B,) float32; states (B, d_s) are standardised."""

    @abstractmethod
    def penalty(self) -> Tensor:
        """Gives what is added to its loss to hold its weights down, a scalar."""


class PerceptronValue(StateValue):
    """A multilayer perceptron; its first weights are drawn as those of critics are."""

    def __init__(self, d_state: int, *, hidden: Sequence[int], generator: torch.Generator) -> None:
        super().__init__()
        sizes = [d_state, *hidden]
        layers: list[nn.Module] = []
        for before, after in pairwise(sizes):
            layers += [_drawn_layer(before, after, generator), nn.ReLU()]
        self.net = nn.Sequential(*layers, _drawn_layer(sizes[-1], 1, generator))

    def forward(self, state: Tensor) -> Tensor:
        """Gives V (B,)."""
        values: Tensor = self.net(state)[..., 0]
        return values

    def penalty(self) -> Tensor:
        return torch.zeros(())


class LinearValue(StateValue):
    """V(s) = c + u·φ(s), which begins where a bilinear critic is at the mean action, and is held
    down as that is.
    """

    penalties: Tensor

    def __init__(self, critic: BilinearCritic) -> None:
        super().__init__()
        self.weights = nn.Parameter(critic.weights.detach()[:, 0].mean(0))
        self.register_buffer("penalties", critic.penalties[0].clone())

    def forward(self, state: Tensor) -> Tensor:
        """Gives V (B,)."""
        values: Tensor = prepend_ones(state_features(state)) @ self.weights
        return values

    def penalty(self) -> Tensor:
        total: Tensor = (self.weights.square() * self.penalties).sum()
        return total


def _drawn_layer(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    layer: nn.Linear = nn.Linear(inputs, outputs, device="meta").to_empty(device="cpu")
    bound = 1 / math.sqrt(inputs)
    with torch.no_grad():
        for part in (layer.weight, layer.bias):
            part.uniform_(-bound, bound, generator=generator)
    return layer
