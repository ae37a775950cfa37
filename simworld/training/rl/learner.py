"""What a learner is, and how its optimisers are kept as plain tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor, nn

from agents.steering.planner import Actor
from simworld.training.data.transitions import TransitionBatch
from simworld.training.rl.networks import TwinCritic


class Learner(Protocol):
    """Learns an actor from batches; what it is at any moment can be written down and read back."""

    @property
    def actor(self) -> Actor:
        """The policy as it is now."""

    @property
    def critic(self) -> TwinCritic | None:
        """Its value estimate, where it has one."""

    def update(self, batch: TransitionBatch) -> Mapping[str, Tensor]:
        """One step on a batch of standardised states; gives detached scalars to log."""

    def state(self) -> dict[str, Tensor]:
        """Everything that later updates depend on: weights, optimisers, counters, random numbers.
        Shares memory.
        """

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Goes on from what `state` gave."""


def adam(parameters: list[nn.Parameter], rate: float) -> torch.optim.Adam:
    """Adam in one fused kernel."""
    return torch.optim.Adam(parameters, lr=rate, fused=True)


def optimiser_state(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Its moments and counters as "<parameter's number>.<name>"; empty before the first step."""
    kept = optimiser.state_dict()["state"]
    return {
        f"{number}.{name}": value
        for number, values in kept.items()
        for name, value in values.items()
    }


def load_optimiser(optimiser: torch.optim.Optimizer, state: Mapping[str, Tensor]) -> None:
    """Goes on from what `optimiser_state` gave."""
    whole = optimiser.state_dict()
    whole["state"] = {}
    for key, value in state.items():
        number, _, name = key.partition(".")
        whole["state"].setdefault(int(number), {})[name] = value.clone()
    optimiser.load_state_dict(whole)


def prefixed(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors under "<prefix>.<name>"."""
    return {f"{prefix}.{name}": value for name, value in state.items()}


def under(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors that `prefixed` put under a prefix."""
    start = prefix + "."
    return {
        name.removeprefix(start): value for name, value in state.items() if name.startswith(start)
    }
