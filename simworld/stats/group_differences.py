"""How far groups differ beyond luck: their means as random effects, and a permutation test.

Of many groups the one that looks best is in part lucky. A random effect is a mean drawn to that of
all groups by τ² / (τ² + s²), with s its standard error and τ² the variance between groups
(DerSimonian & Laird 1986, Controlled Clinical Trials 7, 177–188).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simworld.core.arrays import Floats
from simworld.core.seeding import derive_seed, make_rng


def random_effects(group: NDArray[np.int64], values: Floats) -> tuple[Floats, float]:
    """The mean of each group drawn to the mean of all, (k,), and the deviation τ between groups.

    Args:
        group: (n,) from 0 to k - 1, each present.
        values: (n,), with one variance within all groups.
    """
    count = np.bincount(group)
    means = np.bincount(group, weights=values) / count
    dof = max(1, len(values) - len(count))
    error = float(np.square(values - means[group]).sum()) / dof / count  # squared, of each mean
    if not error.any():  # nothing is luck
        return means, float(means.std(ddof=1)) if len(means) > 1 else 0.0
    weight = 1 / error
    grand_mean = float(weight @ means / weight.sum())
    excess = float(weight @ np.square(means - grand_mean)) - (len(means) - 1)
    variance = max(0.0, excess / float(weight.sum() - np.square(weight).sum() / weight.sum()))
    grand_mean = float(np.average(means, weights=1 / (variance + error)))
    return grand_mean + (means - grand_mean) * variance / (variance + error), variance**0.5


def permutation_p(
    group: NDArray[np.int64],
    values: Floats,
    family: NDArray[np.int64],
    *,
    rounds: int = 2000,
    seed: int = 0,
) -> float:
    """The share of permutations within families, in (0, 1], whose groups have means as far apart as
    these.

    Valid for dependent values too, if groups were assigned at random.

    Args:
        group: (n,) from 0 to k - 1, each present.
        values: (n,).
        family: (n,).
        rounds: permutations.
        seed: of the permutations.
    """
    rng = make_rng(derive_seed(seed, "permutations"))
    group_sizes, family_order = np.bincount(group), np.argsort(family, kind="stable")

    def between_groups(column: Floats) -> float:
        return float((np.square(np.bincount(group, weights=column)) / group_sizes).sum())

    observed, extreme, shuffled = between_groups(values) * (1 - 1e-9), 1, np.empty_like(values)
    for _ in range(rounds):
        shuffled[family_order] = values[np.lexsort((rng.random(len(values)), family))]
        extreme += between_groups(shuffled) >= observed
    return extreme / (rounds + 1)
