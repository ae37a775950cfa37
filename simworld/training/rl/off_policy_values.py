"""What a policy over ways of replying would have brought, told from acts that tried ways at random:
doubly robust and by family, so that two policies are compared in pairs.

Source: Dudík, Langford & Li 2011 (arXiv 1103.4601), eq. 1: the value that a fit foretells,
corrected on the acts that did what the policy would have done, by 1 / p of it. The correction has
the mean of the truth whatever the fit is; the fit takes luck away. Only for γ = 0: what comes
later is not followed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simworld.core.arrays import Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WaysData:
    """Acts that each took one of K ways, drawn without looking at the state."""

    way: NDArray[np.int64]  # (n,) in [0, K)
    reward: Floats  # (n,)
    family: NDArray[np.int64]  # (n,)
    fitted: Floats  # (n, K), each family's by a fit that did not see it

    @property
    def propensity(self) -> Floats:
        """How often each way was taken, (K,), as a share."""
        counts = np.bincount(self.way, minlength=self.fitted.shape[1]).astype(np.float64)
        return counts / len(self.way)


def doubly_robust(data: WaysData, chosen: NDArray[np.int64]) -> Floats:
    """Gives of each act what the chosen way would have brought, (n,); single values are noisy,
    their means are not biased.

    Args:
        data: the acts.
        chosen: (n,) ways in [0, K), each family's by a policy that did not see it.
    """
    rows = np.arange(len(chosen))
    foretold = data.fitted[rows, chosen]
    followed = data.way == chosen
    missed = data.reward - data.fitted[rows, data.way]
    corrected: Floats = foretold + np.where(followed, missed / data.propensity[chosen], 0.0)
    return corrected


def linear_doubly_robust(
    data: WaysData,
    ways: NDArray[np.floating],
    actions: NDArray[np.floating],
    foretold: Floats,
) -> Floats:
    """Gives of each act what another action would have brought, one that nobody tried included,
    (n,); the mean is not biased if rewards are linear in the action.

    The weight of an act is 1 + (b − ā)ᵀ Σ⁺ (a − ā), with ā and Σ the mean and covariance of the
    actions that were tried (the pseudo-inverse estimator: Swaminathan et al. 2017, arXiv
    1605.04812, eq. 4). For a way of several that no other ones add up to that is 1 / p where it was
    taken, else 0, as in `doubly_robust`.

    Args:
        data: the acts.
        ways: (K, d').
        actions: b for each act, (n, d'), each family's by a policy that did not see it.
        foretold: (n,) of it, by a fit that did not see the family.
    """
    shares = data.propensity
    centred = ways - shares @ ways
    covariance = centred.T @ (centred * shares[:, None])
    weights = centred @ np.linalg.pinv(covariance, rcond=1e-6, hermitian=True)  # (K, d')
    weight = 1 + ((actions - shares @ ways) * weights[data.way]).sum(1)
    missed = data.reward - data.fitted[np.arange(len(data.way)), data.way]
    corrected: Floats = foretold + weight * missed
    return corrected


def family_values(values: Floats, family: NDArray[np.int64]) -> Floats:
    """Gives the mean of each family that has acts, in the order of their numbers, (G,)."""
    present, index = np.unique(family, return_inverse=True)
    counts = np.bincount(index)
    means: Floats = np.bincount(index, weights=values, minlength=len(present)) / counts
    return means


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueDifference:
    """How much more one policy brings than another, over families."""

    mean: float
    se: float  # its standard error over families
    families: int

    @property
    def z(self) -> float:
        """The mean in standard errors; 0 where there is no difference at all."""
        return self.mean / self.se if self.se > 0 else 0.0


def compare_values(first: Floats, second: Floats, family: NDArray[np.int64]) -> ValueDifference:
    """Compares two policies by their values of the same acts, (n,), paired within families.

    Raises ValueError for fewer than two families.
    """
    return compare_family_values(family_values(first - second, family))


def compare_family_values(differences: Floats) -> ValueDifference:
    """Compares two policies by how much more the first brings in each family, (G,).

    Raises ValueError for fewer than two families.
    """
    if len(differences) < 2:
        raise ValueError("a standard error over families needs two of them")
    return ValueDifference(
        mean=float(differences.mean()),
        se=float(differences.std(ddof=1) / len(differences) ** 0.5),
        families=len(differences),
    )
