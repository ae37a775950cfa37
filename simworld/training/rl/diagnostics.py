"""Diagnostics of a learner: its values against the data's returns, and what its actor does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.steering.normalizer import Normalizer
from simworld.core.seeding import derive_seed, make_rng
from simworld.training.data.returns import monte_carlo_returns
from simworld.training.data.transitions import TransitionBatch, Transitions
from simworld.training.rl.learner import Learner

MAX_DIAGNOSTIC_ROWS = 2048  # enough for a correlation to within .03


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DiagnosticBatch:
    """Standardised transitions that a learner is measured on again and again, and their Monte-Carlo
    returns (B,), NaN where unknown.
    """

    batch: TransitionBatch
    returns: NDArray[np.float64]


def draw_diagnostic_batch(
    transitions: Transitions, normalizer: Normalizer, *, gamma: float, seed: int
) -> DiagnosticBatch:
    """Draws at most 2,048 of the transitions (after `with_next_rows`) by the seed."""
    order = make_rng(derive_seed(seed, "diagnostic_batch")).permutation(len(transitions))
    rows = np.sort(order[:MAX_DIAGNOSTIC_ROWS])
    returns = monte_carlo_returns(transitions, gamma)[rows]
    return DiagnosticBatch(batch=transitions.batch(rows).standardised(normalizer), returns=returns)


@torch.no_grad()
def diagnose(learner: Learner, diagnostic_batch: DiagnosticBatch) -> dict[str, float]:
    """Gives the learner's state in a few numbers, by name.

    - `bc_distance`: mean((π(s) − a)²).
    - `action_shift`: |mean π(s) − mean a| by the root mean square distance of the a from their
      mean. The data speak of about 1; far above 2 the critic is taken at its word. Missing where
      all a are one.
    - `action_dispersion`: 1 − |mean π(s)|² / mean |π(s)|²; 0 where every state gets the same
      action, 1 where they cancel out.

    With a critic also:

    - `mean_abs_q`: mean |Q₁(s, π(s))|.

    And where returns are known:

    - `mean_return`: the mean Monte-Carlo return of the same transitions.
    - `q_bias`: the mean of Q₁(s, a) less that return. The return is the collecting policy's, so a
      learner that improves has a positive bias.
    - `q_correlation`: of the same two over transitions (Pearson).
    """
    batch = diagnostic_batch.batch
    action = learner.actor(batch.states)
    diagnostics = {
        "bc_distance": (action - batch.actions).square().mean().item(),
        "action_dispersion": dispersion(action),
    }
    mean_action = batch.actions.mean(0)
    if data_spread := (batch.actions - mean_action).square().sum(-1).mean().sqrt().item():
        diagnostics["action_shift"] = (action.mean(0) - mean_action).norm().item() / data_spread
    if learner.critic is None:
        return diagnostics
    diagnostics["mean_abs_q"] = learner.critic.q1(batch.states, action).abs().mean().item()
    has_return = ~np.isnan(diagnostic_batch.returns)
    if has_return.any():
        q_values = learner.critic.q1(batch.states, batch.actions).double().numpy()[has_return]
        returns = diagnostic_batch.returns[has_return]
        diagnostics["mean_return"] = float(returns.mean())
        diagnostics["q_bias"] = float((q_values - returns).mean())
        if q_values.std() > 0 and returns.std() > 0:
            diagnostics["q_correlation"] = float(np.corrcoef(q_values, returns)[0, 1])
    return diagnostics


def dispersion(actions: Tensor) -> float:
    """Gives 1 − |mean a|² / mean |a|², in [0, 1], of actions (B, d'); 0 where all are zero."""
    mean_square = actions.square().sum(-1).mean()
    resultant = actions.mean(0).square().sum()
    return (1 - resultant / mean_square).clamp(0, 1).item() if mean_square > 0 else 0.0
