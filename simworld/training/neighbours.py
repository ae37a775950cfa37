"""What one transition says about actions near its own.

The reply u of a transition was drawn at an action a, with the slope g = ∇ₐ log p(u | s, a). Near a, to first order, u is 1 +
g·δ times as likely at a + δ, so that

    E_u[(y − b)(1 + g·δ)] + b  ≈  E[y | s, a + δ]

for any b that does not depend on u: the goal of a transition, with the sampling of its reply corrected for, is a goal at a + δ
too. b is the critics' own value of (s, a), which takes out the noise that has nothing to do with the action (likelihood ratios
and their baseline: Williams 1992). Not in the DAT paper: there an action is only worth what its own reply brought, and in a
dialogue nearly all of that is the reply's luck.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from agents.steering.planner import Projection, project
from simworld.training.transitions import Batch


def neighbours(
    batch: Batch, goal: Tensor, value: Tensor, noise: Tensor, *, projection: Projection
) -> tuple[Batch, Tensor]:
    """The batch at other actions, and the critics' goals there, (B,).

    Args:
        batch: with slopes; a row whose slope is NaN stays where it is.
        goal: y at the batch's own actions, (B,).
        value: b, the critics' value of the batch's own actions, (B,).
        noise: to move by, (B, d'), in units of an action's coordinates.
        projection: where actions lie.
    """
    if batch.slope is None:
        raise ValueError("a batch without slopes says nothing about other actions")
    known = batch.slope.isfinite().all(-1, keepdim=True)
    moved = torch.where(known, project(batch.action + noise, projection), batch.action)
    # A likelihood is never negative, and beyond twice or nothing the first order says little.
    ratio = (batch.slope.nan_to_num() * (moved - batch.action)).sum(-1).clamp(-1, 1)
    return replace(batch, action=moved), goal + (goal - value) * ratio
