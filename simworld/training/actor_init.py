"""New actors: their weights come from a seed of their own, and they may start at one action."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from agents.steering.planner import Actor, Projection

_LAST_LAYER_SCALE = 0.01  # of the last layer's usual weights


def new_actor(
    d_state: int,
    d_action: int,
    *,
    hidden: Sequence[int] = (256, 256),
    projection: Projection,
    seed: int,
    shell: tuple[Tensor, float] | None = None,
) -> Actor:
    """Gives an actor whose weights come from a seed; torch's global generator stays as it was.

    With a shell, a centre (d') and a radius, it acts on that alone.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        radius = None if shell is None else shell[1]
        actor = Actor(d_state, d_action, hidden=hidden, projection=projection, radius=radius)
    if shell is not None:
        actor.centre.copy_(shell[0])
    return actor


def init_to_action(actor: Actor, action: Tensor) -> None:
    """Makes an actor take nearly one action (d',) in all states; its gradients do not vanish."""
    last = actor.net[-1]
    assert isinstance(last, nn.Linear)
    with torch.no_grad():
        last.weight.mul_(_LAST_LAYER_SCALE)
        last.bias.copy_(action)
