"""The regression that a learner must beat: the best action by a bilinear value in closed form.

For γ = 0 this is contextual regression: the reward is fitted to state, action and their product,
and the actor goes where the fit is highest. For γ > 0 the fit is repeated on r + γ max Q(s', ·), as
often as an episode has acts (fitted-Q iteration: Ernst, Geurts & Wehenkel 2005, JMLR 6), which
reaches the end of every episode. The actor stays on the shell where the data are: from their mean
action ā it goes as far as they lie from it, in the direction of w + Mφ(s).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from agents.steering.normalizer import Normalizer
from agents.steering.planner import Actor
from simworld.core.seeding import derive_seed, make_rng
from simworld.training.actor_init import new_actor
from simworld.training.data.returns import monte_carlo_returns
from simworld.training.data.transitions import Transitions
from simworld.training.rl.bilinear_critic import BilinearCritic
from simworld.training.rl.bilinear_fit import (
    BilinearData,
    PenaltyChoice,
    bilinear_data,
    bilinear_values,
    choose_penalty,
    fit_bilinear,
    prepend_ones,
    state_features,
)
from simworld.training.rl.learner import TrainingSettings

MAX_RATIO = 1000  # of penalties in training: steps under an infinite one are noise
MAX_ROWS = 20_000  # acts that are fitted, drawn evenly: more would not change what they say


class RidgeSettings(TrainingSettings):
    """Settings of the regression; its penalties are chosen by cross-validation."""

    gamma: float = Field(0.0, ge=0, le=1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BilinearRegression:
    """Acts to regress on, with the penalties that foretold unseen families best."""

    data: BilinearData
    rewards: Tensor  # (n,)
    next_features: Tensor  # (n, d_s); of no meaning where `terminals`
    terminals: Tensor  # (n,)
    first_rows: NDArray[np.int64]  # those of n that are the first of a seat in an episode
    mean_action: Tensor  # (d',)
    radius: float  # how far actions lie from their mean
    horizon: int  # acts of the longest episode
    gamma: float
    choice: PenaltyChoice

    def fit(self, rows: NDArray[np.int64] | None = None, constant: Tensor | None = None) -> Tensor:
        """Gives the weights (1 + d', 1 + d_s) of Q, fitted to all acts or to some: of always
        choosing what is best by it, or of always taking a constant action (d',).
        """
        chosen = np.arange(len(self.rewards)) if rows is None else rows
        index, data = torch.from_numpy(chosen), self.data.rows(chosen)
        rewards, penalty = self.rewards[index], self.choice.penalty
        weights = fit_bilinear(data, rewards, penalty)
        if self.gamma:
            following = self.next_features[index]
            carried = self.gamma * (1 - self.terminals[index])
            for _ in range(self.horizon - 1):
                if constant is None:
                    to_come = _best_values(weights, following, data, self.radius)
                else:
                    to_come = bilinear_values(weights, self._always(constant, following))
                weights = fit_bilinear(data, rewards + carried * to_come, penalty, weights)
        return torch.cat((weights[:1], self.data.basis @ weights[1:]))

    def value_of_constant(self, action: Tensor, rows: NDArray[np.int64]) -> Tensor:
        """Gives what is to come (n,) in the states of some acts, if an action (d',) is taken there
        and ever after.
        """
        weights = self.fit(constant=action)
        return (prepend_ones(self.data.features[torch.from_numpy(rows)]) @ weights.T) @ torch.cat(
            (torch.ones(1), self._shift(action))
        )

    def _shift(self, action: Tensor) -> Tensor:
        shifted: Tensor = (action - self.mean_action) / len(action) ** 0.5
        return shifted

    def _always(self, action: Tensor, features: Tensor) -> BilinearData:
        """The acts of taking one action in states of these features (n, d_s)."""
        taken = (self._shift(action) @ self.data.basis).expand(len(features), -1)
        return replace(self.data, features=features, actions=taken)

    def actor(self, weights: Tensor) -> Actor:
        """Gives the linear actor on the shell of the data that goes in the direction of w + Mφ."""
        d_action, d_state = weights.shape[0] - 1, weights.shape[1] - 1
        shell = (self.mean_action, self.radius)
        actor = new_actor(d_state, d_action, hidden=(), projection="sphere", seed=0, shell=shell)
        last = actor.net[-1]
        assert isinstance(last, nn.Linear)
        with torch.no_grad():
            # the features are the states times this
            last.weight.copy_(weights[1:, 1:] * state_features(torch.ones(d_state)))
            last.bias.copy_(weights[1:, 0])
        return actor

    def critic(self, *, seed: int) -> BilinearCritic:
        """Gives twins that were fitted to families drawn with replacement: a common start would
        make them one.
        """
        rng = make_rng(derive_seed(seed, "twins"))
        rows_by_family = [
            np.flatnonzero(self.data.family == family) for family in np.unique(self.data.family)
        ]
        twins = []
        for _ in range(2):
            drawn = rng.integers(len(rows_by_family), size=len(rows_by_family))
            twins.append(self.fit(np.concatenate([rows_by_family[family] for family in drawn])))
        penalty = self.choice.penalty
        penalties = torch.full_like(twins[0], penalty.single)
        penalties[1:, 1:] = min(penalty.product, MAX_RATIO * penalty.single)
        penalties[0, 0] = 0
        return BilinearCritic(torch.stack(twins), self.mean_action, penalties / len(self.rewards))


def bilinear_regression(
    transitions: Transitions, normalizer: Normalizer, *, gamma: float, seed: int
) -> BilinearRegression:
    """Chooses the penalties of a regression on transitions (`with_next_rows`).

    Args:
        transitions: at most 20,000 of them are used, drawn evenly.
        normalizer: of the states.
        gamma: discount.
        seed: of the folds and of the rows.
    """
    order = make_rng(derive_seed(seed, "ridge")).permutation(len(transitions))
    rows = np.sort(order[:MAX_ROWS])
    batch = transitions.batch(rows).standardised(normalizer)
    mean_action = batch.actions.mean(0)
    data = bilinear_data(
        state_features(batch.states), batch.actions, mean_action, transitions.family_index[rows]
    )
    # what follows is in returns, so the penalties fit a value and not a reward alone
    returns = torch.from_numpy(monte_carlo_returns(transitions, gamma)[rows]).float()
    targets = torch.where(returns.isnan(), batch.rewards, returns)
    return BilinearRegression(
        data=data,
        rewards=batch.rewards,
        next_features=state_features(batch.next_states),
        terminals=batch.terminals,
        first_rows=np.flatnonzero(
            np.isin(rows, np.unique(transitions.episode_index, return_index=True)[1])
        ),
        mean_action=mean_action,
        radius=float((batch.actions - mean_action).square().sum(1).mean().sqrt()),
        horizon=int(np.bincount(transitions.episode_index).max()),
        gamma=gamma,
        choice=choose_penalty(data, targets, seed=seed),
    )


def ridge_actor(
    transitions: Transitions, normalizer: Normalizer, settings: RidgeSettings, *, seed: int
) -> tuple[Actor, dict[str, float]]:
    """Gives the regression's actor, and how well the fit foretells families that it does not see:
    `r2`, and `r2_without_product` of the best fit by which all states would get one action.
    """
    regression = bilinear_regression(transitions, normalizer, gamma=settings.gamma, seed=seed)
    choice = regression.choice
    metrics = {"r2": choice.r2, "r2_without_product": choice.r2_without_product}
    return regression.actor(regression.fit()), metrics


def _best_values(weights: Tensor, features: Tensor, data: BilinearData, radius: float) -> Tensor:
    """Gives max Q(s, ·) over the shell, (B,): there w·α + αᵀMφ is at most |w + Mφ| radius/√d'."""
    level = weights[0, 0] + features @ weights[0, 1:]
    slopes = weights[1:, 0] + features @ weights[1:, 1:].T
    best: Tensor = level + slopes.norm(dim=1) * radius / data.basis.shape[0] ** 0.5
    return best
