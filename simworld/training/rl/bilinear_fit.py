"""Ridge regression of what acts brought on the state, the action and their product: the bilinear
value in closed form, with penalties chosen by cross-validation over families.

Q(s, a) = c + u·φ + w·α + αᵀMφ, with φ = `state_features(s)` and α = (a − ā) / √d', ā the mean
action of the data. This is kernel ridge regression with K = (1 + φ·φ′)(1 + α·α′) where all
penalties are one; here the product has a penalty of its own. Solved by conjugate gradients
(Hestenes & Stiefel 1952) on the (1 + d') (1 + d_s) weights, so that neither the kernel's matrix
nor the products of features are ever held: memory grows with n (d_s + d') alone. Actions that lie
in few dimensions are fitted in those, which changes nothing but the time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from simworld.core.errors import InputError
from simworld.core.seeding import derive_seed, make_rng

FOLDS = 5
PENALTIES = (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
# of the product's penalty to the others'; the last leaves state and action without a product
PRODUCT_RATIOS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, float("inf"))
MAX_ITERATIONS = 200
TOLERANCE = 1e-3  # of the residual to the right side
RANK_TOLERANCE = 1e-8  # squared length along a direction, to the longest one: rounding


def state_features(states: Tensor) -> Tensor:
    """Gives φ (B, d_s) of standardised states (B, d_s) whose last number is the share of turns
    left: it counts for as much as all others together.
    """
    width = max(1, states.shape[-1] - 1)
    return torch.cat((states[..., :-1] / width**0.5, states[..., -1:]), -1)


@dataclass(frozen=True, slots=True, kw_only=True)
class BilinearPenalty:
    """Squared weights are held down by so much each."""

    single: float  # of c, u and w
    product: float  # of M; infinite: M is 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BilinearData:
    """What a bilinear value is fitted to; n acts."""

    features: Tensor  # φ (n, d_s) float32
    actions: Tensor  # α (n, k) float32, in `basis`
    family: NDArray[np.int64]  # (n,)
    basis: Tensor  # (d', k) float32, columns of length 1 at right angles

    def rows(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> BilinearData:
        """Some acts, in the order chosen."""
        index = torch.from_numpy(chosen)
        return replace(
            self,
            features=self.features[index],
            actions=self.actions[index],
            family=self.family[chosen],
        )


def bilinear_data(
    features: Tensor, actions: Tensor, mean_action: Tensor, family: NDArray[np.int64]
) -> BilinearData:
    """Makes the data of features φ (n, d_s), actions a (n, d') and families (n,)."""
    shifted = (actions - mean_action) / actions.shape[1] ** 0.5
    spectrum, vectors = torch.linalg.eigh(shifted.double().T @ shifted.double())
    basis = vectors[:, spectrum > RANK_TOLERANCE * spectrum.amax()].float()
    return BilinearData(features=features, actions=shifted @ basis, family=family, basis=basis)


def fit_bilinear(
    data: BilinearData, targets: Tensor, penalty: BilinearPenalty, start: Tensor | None = None
) -> Tensor:
    """Gives the weights (1 + k, 1 + d_s): c and u in the first row, w and M in the others.

    Args:
        data: the acts.
        targets: what they brought, (n,) float32.
        penalty: of squared weights.
        start: weights to begin with, of a fit nearby.
    """
    actions, features = prepend_ones(data.actions), prepend_ones(data.features)
    penalties = torch.full((actions.shape[1], features.shape[1]), penalty.single)
    # a weight that may not be there is one that never moves
    open_weights = torch.ones_like(penalties)
    if penalty.product == float("inf"):
        open_weights[1:, 1:] = 0
    else:
        penalties[1:, 1:] = penalty.product
    penalties[0, 0] = 1e-3  # the level is free

    def apply_normal_matrix(weights: Tensor) -> Tensor:
        fitted = ((actions @ weights) * features).sum(1)
        return open_weights * (actions.T @ (features * fitted[:, None]) + penalties * weights)

    right_side = open_weights * (actions.T @ (features * targets[:, None]))
    weights = torch.zeros_like(right_side) if start is None else start * open_weights
    residual = right_side - apply_normal_matrix(weights)
    direction, squared_residual = residual.clone(), residual.square().sum()
    tolerance = TOLERANCE**2 * right_side.square().sum()
    for _ in range(MAX_ITERATIONS):
        if squared_residual <= tolerance:
            break
        image = apply_normal_matrix(direction)
        step = squared_residual / (direction * image).sum()
        weights = weights + step * direction
        residual = residual - step * image
        before, squared_residual = squared_residual, residual.square().sum()
        direction = residual + squared_residual / before * direction
    return weights


def bilinear_values(weights: Tensor, data: BilinearData) -> Tensor:
    """Gives Q (n,) of the acts."""
    return ((prepend_ones(data.actions) @ weights) * prepend_ones(data.features)).sum(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PenaltyChoice:
    """The penalty that foretold unseen families best, and how well."""

    penalty: BilinearPenalty
    r2: float  # on unseen families
    r2_without_product: float  # of the best fit in which state and action do not meet


def choose_penalty(data: BilinearData, targets: Tensor, *, seed: int) -> PenaltyChoice:
    """Chooses by five-fold cross-validation over families: first a penalty for state and action by
    themselves, then, near it, that of their product.

    Raises InputError where all targets are equal, or of one family.
    """
    folds = tuple(family_folds(data.family, FOLDS, seed=seed))
    if len(folds) < 2:
        raise InputError(
            "all acts are of one family, and the regression chooses its penalties by how well it"
            " foretells others; add scenarios"
        )
    if bool((targets == targets[0]).all()):
        raise InputError(
            f"all {len(targets)} acts are worth the same, so nothing can be learned from them;"
            " change the reward, or collect more"
        )
    total = float(sum(((targets[mask] - targets[~mask].mean()) ** 2).sum() for mask in folds))
    errors: dict[BilinearPenalty, float] = {}
    starts: dict[int, Tensor] = {}

    def error(penalty: BilinearPenalty) -> float:
        if penalty not in errors:
            errors[penalty] = 0.0
            for number, mask in enumerate(folds):
                held = torch.from_numpy(mask)
                weights = fit_bilinear(
                    data.rows(~mask), targets[~held], penalty, starts.get(number)
                )
                starts[number] = weights
                missed = bilinear_values(weights, data.rows(mask)) - targets[held]
                errors[penalty] += float(missed.square().sum())
        return errors[penalty]

    def best(high_to_low: Sequence[BilinearPenalty]) -> BilinearPenalty:
        """The best of penalties from high to low; below two that got worse nothing is better."""
        tried: list[BilinearPenalty] = []
        for penalty in high_to_low:
            tried.append(penalty)
            if len(tried) > 2 and error(tried[-1]) > error(tried[-2]) > error(tried[-3]):
                break
        return min(tried, key=error)

    without_product = best(
        [BilinearPenalty(single=p, product=float("inf")) for p in reversed(PENALTIES)]
    )
    chosen = without_product
    for single in (without_product.single, without_product.single * 3, without_product.single / 3):
        with_product = [
            BilinearPenalty(single=single, product=single * r) for r in PRODUCT_RATIOS[::-1]
        ]
        chosen = min(chosen, best(with_product), key=error)
    return PenaltyChoice(
        penalty=chosen,
        r2=1 - error(chosen) / total,
        r2_without_product=1 - error(without_product) / total,
    )


def family_folds(
    family: NDArray[np.int64], count: int, *, seed: int
) -> Iterator[NDArray[np.bool_]]:
    """Gives of each fold which rows (n,) are in it; whole families, drawn by the seed."""
    present = np.unique(family)
    order = make_rng(derive_seed(seed, "folds")).permutation(len(present))
    for fold in range(min(count, len(present))):
        yield np.isin(family, present[order[fold :: min(count, len(present))]])


def prepend_ones(table: Tensor) -> Tensor:
    """Gives a table (n, k) with a column of ones before it, (n, 1 + k)."""
    return torch.cat((table.new_ones(len(table), 1), table), 1)
