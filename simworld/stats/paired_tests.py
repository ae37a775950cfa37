"""Paired comparisons of two agents or arms: differences in equal circumstances, their mean, and
how sure it is.

A pair is one family, scenario, seat, partners and repeat, played by both. Differences are averaged
over the repeats of a cell, over the cells of a family, and then over the families, which count as
independent of each other, and nothing smaller does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from simworld.core.arrays import Floats
from simworld.core.counts import counted
from simworld.core.seeding import derive_seed, make_rng
from simworld.stats.intervals import tail_probability

ENOUGH_FAMILIES = 20  # below it intervals of skewed differences cover less than they say
MAX_EXACT_FAMILIES = 14  # up to it all 2 ** G sign flips are counted
RANDOM_FLIPS = 20_000  # drawn above it
_FLIPS_PER_BATCH = 2048  # of drawn signs at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedComparison:
    """How much higher the first arm is than the second. What too few families cannot give is
    None.
    """

    mean: float  # over families
    se: float | None  # standard error of the mean
    z: float | None  # mean / se
    p: float | None  # two-sided, t with G − 1 degrees of freedom
    sign_p: float | None  # two-sided, sign flips of whole families
    low: float | None  # bootstrap over families
    high: float | None
    pairs: int
    cells: int
    families: int  # G
    p_holm: float | None = None  # p corrected for the dimensions tested beside it: `with_holm_p`

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know about these numbers, one line each."""
        if self.families < 2:
            return (
                (
                    f"{self.families} family: no z, p or interval; they need at least 2, and"
                    f" {ENOUGH_FAMILIES} to be trusted"
                ),
            )
        notes = []
        if self.families < ENOUGH_FAMILIES:
            notes.append(
                f"{counted(self.families, 'family', 'families')}: fewer than {ENOUGH_FAMILIES}, so"
                " p and interval are rough"
            )
        if self.z is None:
            notes.append(
                "every family has the same difference: z is not defined; see the sign-flip p"
            )
        return tuple(notes)


def compare_pairs(
    families: NDArray[Any],
    cells: NDArray[Any],
    differences: Floats,
    *,
    level: float = 0.95,
    rounds: int = 2000,
    seed: int = 0,
) -> PairedComparison | None:
    """How much higher one side is than the other in equal circumstances; None without a difference.

    Sums are exact, so the order of the differences means nothing; turning their signs turns those
    of mean, z and interval and changes no p.

    Args:
        families: (n,) names, or numbers in the order of names.
        cells: (n,) what tells cells apart, each in one family.
        differences: (n,) finite, or NaN where one side has no value.
        level: of the interval, in (0, 1).
        rounds: bootstrap resamples.
        seed: of the resampling and of drawn sign flips.
    """
    paired = ~np.isnan(differences)
    if not paired.any():
        return None
    _, first, cell = np.unique(cells[paired], return_index=True, return_inverse=True)
    cell_means = _group_means(cell, differences[paired])
    family = np.unique(families[paired][first], return_inverse=True)[1]
    family_means = _group_means(family, cell_means)
    count = len(family_means)
    mean = _mean(family_means)
    se = z = p = sign_p = low = high = None
    if count > 1:
        se = float(family_means.std(ddof=1)) / math.sqrt(count)
        if se > 1e-12 * float(np.abs(family_means).max()):  # else only rounding differs
            z = mean / se
            p = 2 * float(stdtr(count - 1, -abs(z)))
        sign_p = sign_flip_p(family_means, seed=seed)
        low, high = _bootstrap_interval(family_means, level=level, rounds=rounds, seed=seed)
    return PairedComparison(
        mean=mean,
        se=se,
        z=z,
        p=p,
        sign_p=sign_p,
        low=low,
        high=high,
        pairs=int(paired.sum()),
        cells=len(cell_means),
        families=count,
    )


def sign_flip_p(differences: NDArray[np.float64], *, seed: int = 0) -> float:
    """How often random signs give a sum at least as far from 0, (0, 1]: all signs of up to 14
    families, else drawn ones.

    Needs no normal distribution, but differences that are symmetric around 0 if there is no effect.
    """
    count = len(differences)
    scale = float(np.abs(differences).sum())
    if scale == 0:
        return 1.0
    observed = abs(float(differences.sum())) - 1e-9 * scale  # equal sums in another order are equal
    if count <= MAX_EXACT_FAMILIES:
        bits = (np.arange(2**count)[:, None] >> np.arange(count)) & 1
        return float(np.mean(np.abs((2 * bits - 1) @ differences) >= observed))
    rng = make_rng(derive_seed("sign flips", seed))
    as_extreme = 0
    for start in range(0, RANDOM_FLIPS, _FLIPS_PER_BATCH):
        signs = 2 * rng.integers(2, size=(min(_FLIPS_PER_BATCH, RANDOM_FLIPS - start), count)) - 1
        as_extreme += int(np.count_nonzero(np.abs(signs @ differences) >= observed))
    # what was observed counts as one of the draws, so p is never 0
    return (as_extreme + 1) / (RANDOM_FLIPS + 1)


def holm_adjusted(p_values: Sequence[float | None]) -> list[float | None]:
    """The p of several tests made together, corrected by Holm's step-down method; None stays None
    and counts for nothing.
    """
    ordered = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, i) in enumerate(ordered):
        largest = max(largest, min(1.0, p * (len(ordered) - rank)))
        adjusted[i] = largest
    return adjusted


def with_holm_p(comparisons: Mapping[str, PairedComparison]) -> dict[str, PairedComparison]:
    """The same comparisons, by dimension, each with its `p_holm`."""
    adjusted = holm_adjusted([comparison.p for comparison in comparisons.values()])
    return {
        name: replace(comparison, p_holm=p)
        for (name, comparison), p in zip(comparisons.items(), adjusted, strict=True)
    }


def _group_means(group: NDArray[np.intp], values: Floats) -> Floats:
    """The mean of each group's values, (groups,); `group` (n,) numbers them from 0."""
    ends = np.cumsum(np.bincount(group)).tolist()
    ordered = values[np.argsort(group, kind="stable")].tolist()
    return np.array([_mean(ordered[a:b]) for a, b in zip([0, *ends], ends, strict=False)])


def _mean(values: Sequence[float] | Floats) -> float:
    return math.fsum(values) / len(values)


def _bootstrap_interval(
    family_means: NDArray[np.float64], *, level: float, rounds: int, seed: int
) -> tuple[float, float]:
    resamples = make_rng(derive_seed("bootstrap", seed)).integers(
        len(family_means), size=(rounds, len(family_means))
    )
    tail = tail_probability(len(family_means), level)
    low, high = np.quantile(family_means[resamples].mean(axis=1), [tail, 1 - tail])
    return float(low), float(high)
