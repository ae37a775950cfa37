"""Acts that tried ways of replying, with what a fit to other families foretells of every way in
every state: what policies over ways are compared by.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from simworld.core.arrays import Floats
from simworld.core.errors import InputError
from simworld.training.data.dataset_checks import check_rewards
from simworld.training.data.fit_normalizer import normalizer_from_transitions
from simworld.training.data.transitions import Transitions
from simworld.training.rl.bilinear_fit import (
    BilinearData,
    PenaltyChoice,
    bilinear_data,
    bilinear_values,
    choose_penalty,
    family_folds,
    fit_bilinear,
    prepend_ones,
    state_features,
)
from simworld.training.rl.off_policy_values import WaysData
from simworld.training.rl.ways_of_replying import MAX_WAYS


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CrossFittedWays:
    """Acts, the ways they took, and what fits and choices say that did not see their families."""

    ways: NDArray[np.float32]  # (K, d')
    data: WaysData
    bilinear: BilinearData
    targets: Tensor  # the rewards, (n,) float32
    choice: PenaltyChoice
    folds: tuple[NDArray[np.bool_], ...]  # of each, which acts (n,) are in it
    weights: tuple[Tensor, ...]  # of each, those of the fit that did not see it
    best_way: NDArray[np.int64]  # (n,), the way that brought most in the other folds

    def foretold(self, actions: NDArray[np.floating]) -> Floats:
        """Gives what one action for each fold, (folds, d'), would bring in each of its acts,
        (n,).
        """
        foretold = np.zeros(len(self.targets))
        codes = self.codes(actions)
        for number, (mask, weights) in enumerate(zip(self.folds, self.weights, strict=True)):
            taken = _taking(self.bilinear.rows(mask), codes[number])
            foretold[mask] = bilinear_values(weights, taken).double().numpy()
        return foretold

    def codes(self, actions: NDArray[np.floating]) -> Tensor:
        """Gives actions (k, d') less their mean, in the basis of the fit."""
        shifted = torch.from_numpy(np.asarray(actions, dtype=np.float32)) - self.mean_action
        codes: Tensor = (shifted / self.ways.shape[1] ** 0.5) @ self.bilinear.basis
        return codes

    @property
    def mean_action(self) -> Tensor:
        """The mean action of the acts, (d',)."""
        return torch.from_numpy(self.ways)[torch.from_numpy(self.data.way)].mean(0)


def find_ways(
    transitions: Transitions,
) -> tuple[NDArray[np.float32], NDArray[np.int64]] | None:
    """Gives the different actions of acts, (K, d'), and which of them each act took, (n,); None
    where they are not 2 to 256, or more than half as many as the acts: those are no ways.
    """
    ways, way = np.unique(np.asarray(transitions.actions), axis=0, return_inverse=True)
    if not 1 < len(ways) <= min(MAX_WAYS, len(way) / 2):
        return None
    return ways, way.ravel().astype(np.int64)


def drawn_each_act(transitions: Transitions, way: NDArray[np.int64]) -> bool:
    """Whether seats tried another way from one act to the next. A way that is kept for an episode
    shows in the states after it: then no way is drawn without looking at the state.
    """
    _, first, seat_of = np.unique(transitions.episode_index, return_index=True, return_inverse=True)
    return bool((way != way[first][seat_of]).any()) or len(first) == len(way)


def cross_fit_ways(transitions: Transitions, *, folds: int, seed: int = 0) -> CrossFittedWays:
    """Fits rewards to state and way in all folds of families but one, in turn.

    Args:
        transitions: of acts that tried ways.
        folds: how many; so many families at least.
        seed: of the folds.

    Raises:
        InputError: where the acts did not try ways, or all rewards are one, or there are fewer
            families than two for each fold.
    """
    if (found := find_ways(transitions)) is None:
        count = len(np.unique(np.asarray(transitions.actions), axis=0))
        raise InputError(
            f"{count} different actions in {len(transitions)} acts; policies are compared over"
            f" 2 to {MAX_WAYS} ways, tried again and again: collect with `explore: {{kind: ways}}`"
        )
    ways, way = found
    family = transitions.family_index
    check_fold_families(family, folds)
    check_rewards(transitions)
    rewards = transitions.rewards.astype(np.float64)
    states = torch.from_numpy(transitions.states[transitions.state_rows])
    features = state_features(normalizer_from_transitions(transitions).standardise(states))
    actions = torch.from_numpy(ways)[torch.from_numpy(way)]
    bilinear = bilinear_data(features, actions, actions.mean(0), family)
    targets = torch.from_numpy(rewards.astype(np.float32))
    choice = choose_penalty(bilinear, targets, seed=seed)
    masks = tuple(family_folds(family, folds, seed=seed + 1))
    weights = tuple(
        fit_bilinear(bilinear.rows(~mask), targets[torch.from_numpy(~mask)], choice.penalty)
        for mask in masks
    )
    codes = ((torch.from_numpy(ways) - actions.mean(0)) / ways.shape[1] ** 0.5) @ bilinear.basis
    fitted = np.zeros((len(way), len(ways)))
    best_way = np.zeros(len(way), dtype=np.int64)
    for mask, fold_weights in zip(masks, weights, strict=True):
        of_fold = prepend_ones(bilinear.features[torch.from_numpy(mask)])
        fitted[mask] = (of_fold @ (prepend_ones(codes) @ fold_weights).T).double().numpy()
        best_way[mask] = best_mean(way[~mask], rewards[~mask], len(ways))
    return CrossFittedWays(
        ways=ways,
        data=WaysData(way=way, reward=rewards, family=family, fitted=fitted),
        bilinear=bilinear,
        targets=targets,
        choice=choice,
        folds=masks,
        weights=weights,
        best_way=best_way,
    )


def best_mean(way: NDArray[np.int64], rewards: Floats, ways: int) -> int:
    """Gives the way with the highest mean reward, of those that were taken at all."""
    counts = np.bincount(way, minlength=ways)
    sums = np.bincount(way, weights=rewards, minlength=ways)
    means = np.where(counts > 0, sums / np.maximum(counts, 1), -np.inf)
    return int(np.argmax(means))


def check_fold_families(family: NDArray[np.int64], folds: int) -> None:
    """Raises InputError where there are fewer than two families for each fold."""
    if (present := len(np.unique(family))) < 2 * folds:
        raise InputError(
            f"{present} families; policies are compared over at least {2 * folds}, two for each of"
            f" {folds} folds"
        )


def _taking(data: BilinearData, code: Tensor) -> BilinearData:
    """Gives the same acts, all with one action."""
    return BilinearData(
        features=data.features,
        actions=code.expand(len(data.features), -1),
        family=data.family,
        basis=data.basis,
    )
