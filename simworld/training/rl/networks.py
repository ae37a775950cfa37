"""The twin critics of learners, computed together, and the update of target networks."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import get_ema_multi_avg_fn

_LINEAR_SCALE = 0.01  # of a linear critic's weights, by those usual


class Critic(nn.Module, ABC):
    """Q₁ and Q₂ (s, a) → (2, B) float32; states (B, d_s) are standardised, actions (B, d')."""

    @abstractmethod
    def q1(self, state: Tensor, action: Tensor) -> Tensor:
        """Gives Q₁ alone, (B,) float32. The action gets a gradient, the critic's weights do not."""

    def actor_value(self, state: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """Gives what the actor climbs, (B,), and its size, a scalar without a gradient, by which
        its weight against staying near the data is normalised: here Q₁ and mean |Q₁|.
        """
        value = self.q1(state, action)
        return value, value.detach().abs().mean()

    def penalty(self) -> Tensor | None:
        """Gives what is added to the critic's loss to hold its weights down; here nothing."""
        return None


class TwinCritic(Critic):
    """Q₁ and Q₂ (s, a) → (2, B): two multilayer perceptrons with weights of their own, in one
    product per layer.

    LayerNorm, where wanted, stands after each hidden activation, as in ReBRAC (arXiv 2305.09836).
    """

    def __init__(
        self,
        d_state: int,
        d_action: int,
        *,
        hidden: Sequence[int] = (256, 256),
        layer_norm: bool = False,
        generator: torch.Generator,
    ) -> None:
        """Draws weights and biases evenly in ±1/√inputs, as `nn.Linear` does.

        Without hidden layers they are a hundredth of that: where the data say nothing about a
        direction, a linear critic keeps what it began with, and the actor would go that way.
        """
        super().__init__()
        sizes = [d_state + d_action, *hidden, 1]
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        self.gains, self.shifts = nn.ParameterList(), nn.ParameterList()
        for inputs, outputs in pairwise(sizes):
            bound = (1 if hidden else _LINEAR_SCALE) / math.sqrt(inputs)
            self.weights.append(
                torch.empty(2, inputs, outputs).uniform_(-bound, bound, generator=generator)
            )
            self.biases.append(
                torch.empty(2, 1, outputs).uniform_(-bound, bound, generator=generator)
            )
        for size in hidden if layer_norm else ():
            self.gains.append(torch.ones(2, 1, size))
            self.shifts.append(torch.zeros(2, 1, size))

    def forward(self, state: Tensor, action: Tensor) -> Tensor:
        """Gives both values, (2, B) float32; states (B, d_s) are standardised, actions (B, d')."""
        return _q_values(self._layers(), torch.cat((state, action), -1), critics=2)

    def q1(self, state: Tensor, action: Tensor) -> Tensor:
        layers = [[part.detach()[:1] for part in layer] for layer in self._layers()]
        return _q_values(layers, torch.cat((state, action), -1), critics=1)[0]

    def _layers(self) -> list[list[Tensor]]:
        """Gives of each layer the weight and the bias, and where it is normalised the gain and the
        shift.
        """
        layers = [[weight, bias] for weight, bias in zip(self.weights, self.biases, strict=True)]
        # the last layer has none
        for layer, *norm in zip(layers, self.gains, self.shifts, strict=False):
            layer += norm
        return layers


def _q_values(layers: Sequence[Sequence[Tensor]], inputs: Tensor, *, critics: int) -> Tensor:
    hidden = inputs.expand(critics, *inputs.shape)
    for index, (weight, bias, *norm) in enumerate(layers):
        hidden = torch.baddbmm(bias, hidden, weight)
        if index < len(layers) - 1:
            hidden = F.relu(hidden)
        if norm:
            hidden = F.layer_norm(hidden, hidden.shape[-1:]) * norm[0] + norm[1]
    return hidden[..., 0]


def soft_update(targets: Sequence[Tensor], online: Sequence[Tensor], tau: float) -> None:
    """Moves the weights of target networks a share τ towards those that learn, in place."""
    with torch.no_grad():
        get_ema_multi_avg_fn(1 - tau)(targets, online, 0)  # type: ignore[no-untyped-call]
