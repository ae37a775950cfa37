"""A linear function of the action explains a share of the reward within families, measured on
families it was not fitted to.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simworld.core.arrays import Floats
from simworld.training.data.transitions import ACTION_ROWS

FOLDS = 10
# in units of the mean squared coordinate times n
RIDGE_PENALTIES = np.logspace(-4, 4, 17)


@dataclass(frozen=True, slots=True, kw_only=True)
class VarianceExplained:
    """Cross-validated R²; 0 or less: a linear function of the action foretells nothing beyond the
    family's mean.
    """

    r2: float
    n: int
    families: int  # with at least two rows, for others say nothing within themselves
    folds: int


@dataclass(slots=True)
class _Moments:
    xx: Floats
    xy: Floats
    yy: float = 0.0
    n: int = 0  # rows less one per family: degrees of freedom after centring


def variance_explained(
    x: NDArray[np.floating], y: NDArray[np.floating], family: NDArray[np.int64]
) -> VarianceExplained | None:
    """Gives R² of y (n,) on x (n, d), both centred by family, by ridge regression with whole
    families held out in turn.

    The penalty is chosen on the fitted families by generalised cross-validation (Golub, Heath &
    Wahba 1979). Closed form from second moments, so x may lie in a file. None where fewer than two
    families have two rows, or y never differs within one.
    """
    counts = np.bincount(family)
    usable = np.flatnonzero(counts > 1)
    if len(usable) < 2:
        return None
    folds = min(FOLDS, len(usable))
    fold_of = np.full(len(counts), -1)
    # folds of like size
    fold_of[usable[np.argsort(-counts[usable], kind="stable")]] = np.arange(len(usable)) % folds
    moments = _moments_by_fold(x, np.asarray(y, dtype=np.float64), family, counts, fold_of, folds)
    error = total = 0.0
    for fold in moments:
        others = [m for m in moments if m is not fold]
        weights = _solve_ridge(
            sum((m.xx for m in others), np.zeros_like(fold.xx)),
            sum((m.xy for m in others), np.zeros_like(fold.xy)),
            sum(m.yy for m in others),
            sum(m.n for m in others),
        )
        error += fold.yy - 2 * float(weights @ fold.xy) + float(weights @ fold.xx @ weights)
        total += fold.yy
    if not total > 0:
        return None
    return VarianceExplained(
        r2=1 - error / total, n=int(counts[usable].sum()), families=len(usable), folds=folds
    )


def fit_ridge(
    x: NDArray[np.floating], y: NDArray[np.floating], family: NDArray[np.int64]
) -> Floats:
    """Gives the ridge weights (d,) of y (n,) on x (n, d), both centred by family, fitted to all of
    them; see `variance_explained`.
    """
    counts = np.bincount(family)
    fold_of = np.where(counts > 1, 0, -1)
    (moments,) = _moments_by_fold(x, np.asarray(y, dtype=np.float64), family, counts, fold_of, 1)
    return _solve_ridge(moments.xx, moments.xy, moments.yy, moments.n)


def _moments_by_fold(
    x: NDArray[np.floating],
    y: Floats,
    family: NDArray[np.int64],
    counts: NDArray[np.int64],
    fold_of: NDArray[np.int64],
    folds: int,
) -> list[_Moments]:
    width = x.shape[1]
    present = np.maximum(counts, 1)
    sums = np.zeros((len(counts), width))
    for start in range(0, len(y), ACTION_ROWS):
        chunk = slice(start, start + ACTION_ROWS)
        np.add.at(sums, family[chunk], x[chunk])
    x_mean = sums / present[:, None]
    y_mean = np.bincount(family, weights=y) / present
    moments = [_Moments(np.zeros((width, width)), np.zeros(width)) for _ in range(folds)]
    for start in range(0, len(y), ACTION_ROWS):
        chunk = slice(start, start + ACTION_ROWS)
        families = family[chunk]
        rows, values = x[chunk] - x_mean[families], y[chunk] - y_mean[families]
        for fold in np.unique(fold_of[families]):
            if fold < 0:
                continue
            in_fold = fold_of[families] == fold
            inputs, target = rows[in_fold], values[in_fold]
            moments[fold].xx += inputs.T @ inputs
            moments[fold].xy += inputs.T @ target
            moments[fold].yy += float(target @ target)
    for fold, moment in enumerate(moments):
        moment.n = int((counts[fold_of == fold] - 1).sum())
    return moments


def _solve_ridge(xx: Floats, xy: Floats, yy: float, n: int) -> Floats:
    values, vectors = np.linalg.eigh(xx)
    values = np.clip(values, 0.0, None)
    scale = float(values.mean())
    if not scale > 0:
        return np.zeros_like(xy)
    rotated = vectors.T @ xy
    best_criterion, best_weights = np.inf, np.zeros_like(xy)
    for penalty in RIDGE_PENALTIES * scale:
        weights = rotated / (values + penalty)
        error = yy - 2 * float(weights @ rotated) + float(weights**2 @ values)
        degrees_of_freedom = n - float((values / (values + penalty)).sum())
        if (
            degrees_of_freedom > 0
            and (criterion := n * max(error, 0.0) / degrees_of_freedom**2) < best_criterion
        ):
            best_criterion, best_weights = criterion, weights
    return vectors @ best_weights
