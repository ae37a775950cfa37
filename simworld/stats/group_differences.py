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
        group: (n,) from 0 to k - 1, each there.
        values: (n,), with one variance within all groups.
    """
    count = np.bincount(group)
    means = np.bincount(group, weights=values) / count
    freedom = max(1, len(values) - len(count))
    error = float(np.square(values - means[group]).sum()) / freedom / count  # squared, of each mean
    if not error.any():  # nothing is luck
        return means, float(means.std(ddof=1)) if len(means) > 1 else 0.0
    weight = 1 / error
    centre = float(weight @ means / weight.sum())
    spread = float(weight @ np.square(means - centre)) - (len(means) - 1)
    variance = max(0.0, spread / float(weight.sum() - np.square(weight).sum() / weight.sum()))
    centre = float(np.average(means, weights=1 / (variance + error)))
    return centre + (means - centre) * variance / (variance + error), variance**0.5


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
        group: (n,) from 0 to k - 1, each there.
        values: (n,).
        family: (n,).
        rounds: permutations.
        seed: of the permutations.
    """
    rng = make_rng(derive_seed(seed, "permutations"))
    count, place = np.bincount(group), np.argsort(family, kind="stable")

    def apart(given: Floats) -> float:
        return float((np.square(np.bincount(group, weights=given)) / count).sum())

    found, more, shuffled = apart(values) * (1 - 1e-9), 1, np.empty_like(values)
    for _ in range(rounds):
        shuffled[place] = values[np.lexsort((rng.random(len(values)), family))]
        more += apart(shuffled) >= found
    return more / (rounds + 1)
