"""Explorations as tests say them."""

from __future__ import annotations

from torch import Tensor

from agents.steering.exploration import Exploration, make_exploration
from agents.steering.steering_spec import ExploreSpec, RedrawInterval


def exploring(
    *, sigma: float | None = None, per: RedrawInterval = "turn", ways: Tensor | None = None
) -> Exploration:
    """Noise where there is a sigma, ways where there are some, else random directions."""
    kind = "noise" if sigma is not None else "random" if ways is None else "ways"
    return make_exploration(ExploreSpec(kind=kind, sigma=sigma, per=per), ways)
