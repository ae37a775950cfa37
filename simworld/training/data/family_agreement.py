"""Whether something goes with the reward in the same manner in one family as in others, tested by
permutations within families.

The statistic is Σ over pairs of different families of s_f · s_g, with s_f = Σ r x over the acts of
a family: with x whitened by the covariance and a penalty, what a ridge fit to the other families
foretells of a family, up to a factor. It needs no fit, so permutations take seconds; what is the
same within a family alone counts for nothing.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from simworld.core.arrays import Floats
from simworld.core.seeding import derive_seed, make_rng

ROUNDS = 199
# of the mean variance: directions that vary much more count alike, ones that vary less for less
PENALTY_SHARE = 0.1


def agreement_p(
    features: Tensor,
    rewards: Floats,
    family: NDArray[np.int64],
    *,
    by: Tensor | None = None,
    rounds: int = ROUNDS,
    seed: int = 0,
) -> float:
    """Gives the share of permutations within families, in (0, 1], in which families agree as much
    as they do.

    Args:
        features: x (n, d), centred within families and whitened here.
        rewards: r (n,); for a product, what is left of them beyond its factors.
        family: (n,).
        by: (n, k), centred likewise: x is then the product of each of these with each feature.
        rounds: permutations; memory grows with rounds · k · d.
        seed: of the permutations.
    """
    rng = make_rng(derive_seed(seed, "agreement"))
    width = features.shape[1] * (1 if by is None else by.shape[1])
    features = _whitened(features, family)
    by = None if by is None else _centred(by, family)
    total = torch.zeros(rounds + 1, width)
    within = torch.zeros(rounds + 1)
    for number in np.unique(family):
        rows = np.flatnonzero(family == number)
        index = torch.from_numpy(rows)
        table = np.tile(rewards[rows], (rounds + 1, 1))
        table[1:] = rng.permuted(table[1:], axis=1)
        permuted = torch.from_numpy(table).float()
        x = features[index]
        if by is None:
            sums = permuted @ x
        else:
            weighted = permuted[:, None] * by[index].T
            sums = (weighted.flatten(0, 1) @ x).reshape(rounds + 1, width)
        total += sums
        within += sums.square().sum(1)
    agreement = (total.square().sum(1) - within).numpy()
    # rounding must not make a difference of what is the same
    observed = agreement[0] - 1e-6 * abs(float(within[0]))
    return float(1 + np.count_nonzero(agreement[1:] >= observed)) / (rounds + 1)


def _centred(table: Tensor, family: NDArray[np.int64]) -> Tensor:
    """Takes the mean of its family off each row."""
    _, index = np.unique(family, return_inverse=True)
    rows = torch.from_numpy(index.ravel())
    sums = torch.zeros(int(rows.max()) + 1, table.shape[1]).index_add_(0, rows, table)
    means: Tensor = (sums / torch.bincount(rows)[:, None])[rows]
    return table - means


def _whitened(table: Tensor, family: NDArray[np.int64]) -> Tensor:
    centred = _centred(table, family)
    covariance = (centred.T @ centred).double() / len(centred)
    spectrum, vectors = torch.linalg.eigh(covariance)
    penalty = (PENALTY_SHARE * spectrum.mean()).clamp_min(1e-12)
    scale = (spectrum.clamp_min(0) + penalty).rsqrt()
    whitened: Tensor = centred @ (vectors * scale).float()
    return whitened
