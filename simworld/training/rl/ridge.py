"""The regression that a learner must beat: the best action by a bilinear value in closed form.

For γ = 0 this is contextual regression: the reward is fitted to state, action and their product,
and the actor goes where the fit is highest. For γ > 0 the fit is repeated on r + γ max Q(s', ·), as
often as an episode has acts (fitted-Q iteration: Ernst, Geurts & Wehenkel 2005, JMLR 6), which
reaches the end of every episode. The actor stays on the shell where the data are: from their mean
action ā it goes as far as they lie from it, in the direction of w + Mφ(s).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from agents.steering.normalizer import Normalizer
from agents.steering.planner import Actor
from simworld.core.seeding import derive_seed, make_rng
from simworld.training.actor_init import new_actor
from simworld.training.data.returns import monte_carlo_returns
from simworld.training.data.transitions import Transitions
from simworld.training.rl.bilinear_fit import (
    BilinearData,
    PenaltyChoice,
    bilinear_data,
    choose_penalty,
    fit_bilinear,
    state_features,
)
from simworld.training.rl.learner import TrainingSettings

MAX_ROWS = 20_000  # acts that are fitted, drawn evenly: more would not change what they say


class RidgeSettings(TrainingSettings):
    """Settings of the regression; its penalties are chosen by cross-validation."""

    gamma: float = Field(0.0, ge=0, le=1)


def ridge_actor(
    transitions: Transitions, normalizer: Normalizer, settings: RidgeSettings, *, seed: int
) -> tuple[Actor, Mapping[str, float]]:
    """Gives a linear actor on the shell of the data, and how well the fit foretells families that
    it does not see: `r2`, and `r2_without_product` of the best fit by which all states would get
    one action.

    Args:
        transitions: `with_next_rows`.
        normalizer: of the states.
        settings: the discount.
        seed: of the folds, and of the rows where there are too many.
    """
    rows = _rows(len(transitions), seed)
    batch = transitions.batch(rows).standardised(normalizer)
    features = state_features(batch.states)
    mean_action = batch.actions.mean(0)
    radius = float((batch.actions - mean_action).square().sum(1).mean().sqrt())
    data = bilinear_data(features, batch.actions, mean_action, transitions.family_index[rows])
    rewards = batch.rewards
    # what follows is in them, so the penalties fit a value and not a reward alone
    returns = torch.from_numpy(monte_carlo_returns(transitions, settings.gamma)[rows]).float()
    choice = choose_penalty(data, torch.where(returns.isnan(), rewards, returns), seed=seed)
    weights = fit_bilinear(data, rewards, choice.penalty)
    if settings.gamma:
        following = state_features(batch.next_states)
        carried = settings.gamma * (1 - batch.terminals)
        for _ in range(_longest(transitions) - 1):
            best = _best_values(weights, following, data, radius)
            weights = fit_bilinear(data, rewards + carried * best, choice.penalty, weights)
    return _actor(weights, data, mean_action, radius), _metrics(choice)


def _rows(count: int, seed: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    order = make_rng(derive_seed(seed, "ridge")).permutation(count)
    return np.sort(order[:MAX_ROWS])


def _longest(transitions: Transitions) -> int:
    return int(np.bincount(transitions.episode_index).max())


def _best_values(weights: Tensor, features: Tensor, data: BilinearData, radius: float) -> Tensor:
    """Gives max Q(s, ·) over the shell, (B,): there w·α + αᵀMφ is at most |w + Mφ| radius/√d'."""
    level = weights[0, 0] + features @ weights[0, 1:]
    slopes = weights[1:, 0] + features @ weights[1:, 1:].T
    best: Tensor = level + slopes.norm(dim=1) * radius / data.basis.shape[0] ** 0.5
    return best


def _actor(weights: Tensor, data: BilinearData, mean_action: Tensor, radius: float) -> Actor:
    d_state, d_action = data.features.shape[1], data.basis.shape[0]
    actor = new_actor(
        d_state, d_action, hidden=(), projection="sphere", seed=0, shell=(mean_action, radius)
    )
    # the features are the states times this
    scale = state_features(torch.ones(d_state))
    last = actor.net[-1]
    assert isinstance(last, nn.Linear)
    with torch.no_grad():
        last.weight.copy_(data.basis @ weights[1:, 1:] * scale)
        last.bias.copy_(data.basis @ weights[1:, 0])
    return actor


def _metrics(choice: PenaltyChoice) -> dict[str, float]:
    return {"r2": choice.r2, "r2_without_product": choice.r2_without_product}
