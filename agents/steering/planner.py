"""The planner: a standardised state becomes an action on the sphere, or in a box to compare with
other implementations.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from agents.steering.projection import Projection as Projection


def project_action(raw: Tensor, projection: Projection) -> Tensor:
    """Actions (…, d') of raw outputs: on the sphere of radius √d' (root mean square 1 per
    coordinate), or clipped to [-1, 1].

    A vector of length zero stays where it is.
    """
    if projection == "box":
        return raw.clamp(-1, 1)
    size = raw.shape[-1] ** 0.5
    length = raw.norm(dim=-1, keepdim=True).clamp_min(torch.finfo(raw.dtype).tiny)
    scaled: Tensor = raw * (size / length)
    return scaled


class Actor(nn.Module):
    """π(s) → a: a multilayer perceptron over standardised states (docs/design/dat.md; the released
    code normalises its output likewise).
    """

    def __init__(
        self,
        d_state: int,
        d_action: int,
        *,
        hidden: Sequence[int] = (256, 256),
        projection: Projection,
        radius: float | None = None,
    ) -> None:
        """New weights, drawn from torch's global generator: seed it or load a state dict.

        `box` squashes with tanh, as TD3's own actor does. With a radius it acts at that distance
        from its `centre` (d'), in the direction of the network's output, and projects that: so it
        stays where data of that mean and spread are. The centre begins at zero.
        """
        super().__init__()
        self.radius = radius
        self.centre: Tensor
        if radius is not None:
            self.register_buffer("centre", torch.zeros(d_action))
        self.d_state, self.d_action = d_state, d_action
        self.hidden, self.projection = tuple(hidden), projection
        sizes = [d_state, *hidden]
        layers: list[nn.Module] = []
        for before, after in pairwise(sizes):
            layers += [nn.Linear(before, after), nn.ReLU()]
        self.net = nn.Sequential(*layers, nn.Linear(sizes[-1], d_action))

    def forward(self, state: Tensor) -> Tensor:
        """(B, d') float32 from standardised states (B, d_s) float32."""
        raw: Tensor = self.net(state)
        if self.radius is not None:
            raw = self.centre + F.normalize(raw, dim=-1) * self.radius
        return torch.tanh(raw) if self.projection == "box" else project_action(raw, "sphere")
