"""What there is to be learned from acts that tried ways of replying, told before a planner is
trained: the best single way against the regression that looks at the state, cross-fitted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from simworld.core.arrays import Floats
from simworld.core.errors import InputError
from simworld.training.data.fit_normalizer import normalizer_from_transitions
from simworld.training.data.transitions import Transitions
from simworld.training.rl.bilinear_fit import (
    FOLDS,
    BilinearData,
    bilinear_data,
    bilinear_values,
    choose_penalty,
    family_folds,
    fit_bilinear,
    state_features,
)
from simworld.training.rl.off_policy_values import (
    ValueDifference,
    WaysData,
    compare_values,
    doubly_robust,
)
from simworld.training.rl.ways_of_replying import MAX_WAYS

CLEAR_Z = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyInspection:
    """Values are means over families of an act's reward, in deviations of all rewards."""

    acts: int
    ways: int
    r2: float  # of the fit with the product of state and action, on unseen families
    r2_without_product: float
    best_way: float  # the value of the way that was best in the other folds
    regression: float  # of the way that the fit to the other folds calls best in each state
    difference: ValueDifference  # regression less best way

    @property
    def acts_needed(self) -> int | None:
        """How many acts would show the difference at z 4; None where there is none to show."""
        z = self.difference.z
        return round(self.acts * (CLEAR_Z / z) ** 2) if z > 0 else None


def inspect_policies(transitions: Transitions, *, seed: int = 0) -> PolicyInspection:
    """Compares the best way with the best way in each state, of rewards told apart act by act.

    Raises InputError where the acts did not try ways, or all rewards are one, or there are fewer
    than ten families.
    """
    ways, way = np.unique(np.asarray(transitions.actions), axis=0, return_inverse=True)
    way = way.ravel().astype(np.int64)
    if not 1 < len(ways) <= MAX_WAYS:
        raise InputError(
            f"{len(ways)} different actions in {len(transitions)} acts; policies are compared over"
            f" 2 to {MAX_WAYS} ways: collect with `explore: {{kind: ways}}`"
        )
    family = transitions.family_index
    if len(np.unique(family)) < 2 * FOLDS:
        raise InputError(
            f"{len(np.unique(family))} families; policies are compared over at least {2 * FOLDS}"
        )
    rewards = transitions.rewards.astype(np.float64)
    if not (deviation := float(rewards.std())) > 0:
        raise InputError(
            f"all {len(rewards)} rewards are {rewards[0]:g}, so no way is better than another"
        )
    rewards /= deviation
    states = torch.from_numpy(transitions.states[transitions.state_rows])
    features = state_features(normalizer_from_transitions(transitions).standardise(states))
    tried = torch.from_numpy(ways)
    mean_action = tried[torch.from_numpy(way)].mean(0)
    data = bilinear_data(features, tried[torch.from_numpy(way)], mean_action, family)
    targets = torch.from_numpy(rewards.astype(np.float32))
    choice = choose_penalty(data, targets, seed=seed)

    fitted = np.zeros((len(way), len(ways)))
    best_way = np.zeros(len(way), dtype=np.int64)
    codes = ((tried - mean_action) / ways.shape[1] ** 0.5) @ data.basis
    for mask in family_folds(family, FOLDS, seed=seed + 1):
        weights = fit_bilinear(data.rows(~mask), targets[torch.from_numpy(~mask)], choice.penalty)
        fitted[mask] = _values_of_ways(weights, data.rows(mask), codes)
        means = [rewards[~mask & (way == k)].mean() for k in range(len(ways))]
        best_way[mask] = int(np.argmax(means))
    ways_data = WaysData(way=way, reward=rewards, family=family, fitted=fitted)
    constant = doubly_robust(ways_data, best_way)
    planner = doubly_robust(ways_data, fitted.argmax(1))
    nothing = np.zeros_like(constant)
    return PolicyInspection(
        acts=len(way),
        ways=len(ways),
        r2=choice.r2,
        r2_without_product=choice.r2_without_product,
        best_way=compare_values(constant, nothing, family).mean,
        regression=compare_values(planner, nothing, family).mean,
        difference=compare_values(planner, constant, family),
    )


def _values_of_ways(weights: torch.Tensor, data: BilinearData, codes: torch.Tensor) -> Floats:
    """Gives Q of every way in every state, (n, K)."""
    columns = []
    for code in codes:
        taken = BilinearData(
            features=data.features,
            actions=code.expand(len(data.features), -1),
            family=data.family,
            basis=data.basis,
        )
        columns.append(bilinear_values(weights, taken).double().numpy())
    return np.stack(columns, 1)
