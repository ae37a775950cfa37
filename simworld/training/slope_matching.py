"""What one transition says about actions near its own, as a sample of the critics' slope.

The reply u of a transition was drawn at an action a, with the slope g = ∇ₐ log p(u | s, a). Near a, u is 1 + g·δ times as likely
at a + δ, so that for any b that does not depend on u

    ∇ₐ E[y | s, a] = E_u[(y − b) g]

(the score function, Williams 1992). (y − b) g is therefore a sample of the slope of the critics at (s, a), as the goal y is a
sample of their value, and they are fitted to both (derivatives as well as values: Sobolev training, arXiv 1706.04859). b is the
critics' own value of (s, a), which takes out the noise that has nothing to do with the action. Not in the DAT paper: there an
action is only worth what its own reply brought, and in a dialogue nearly all of that is the reply's luck.
"""

from __future__ import annotations

import torch
from torch import Tensor

from simworld.training.networks import TwinCritic
from simworld.training.transitions import Batch


def slope_loss(critic: TwinCritic, batch: Batch, advantage: Tensor) -> Tensor:
    """Σₖ mean(|∇ₐQₖ(s, a) − A g|²) / F over both critics, F the mean square of the slopes' coordinates.

    The noise of A g has F times the variance of that of a goal, so both losses count as what they say is sure. A row without a
    slope (NaN) counts as 0.

    Args:
        critic: Q₁ and Q₂.
        batch: with slopes.
        advantage: A = y − b of each row, (B,).

    Raises:
        ValueError: the batch has no slopes at all.
    """
    if batch.slope is None:
        raise ValueError("a batch without slopes says nothing about other actions")
    known = batch.slope.isfinite().all(-1, keepdim=True)
    slope = torch.where(known, batch.slope, 0.0)
    size = slope.square().sum() / (known.sum() * slope.shape[-1]).clamp_min(1)
    action = batch.action.detach().requires_grad_(True)
    values = critic(batch.state, action)
    own = [torch.autograd.grad(value.sum(), action, create_graph=True)[0] for value in values]
    off = [(gradient - advantage[:, None] * slope) * known for gradient in own]
    return torch.stack(off).square().sum((0, 2)).mean() / size.clamp_min(torch.finfo(size.dtype).tiny)
