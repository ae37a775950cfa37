"""Credit assignment: a score shared out among a seat's utterances, as parts that sum to it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditAssignment:
    """A score over the n utterances of one seat in one episode."""

    parts: NDArray[np.float64]  # (n,), they sum to the score
    # (n,), sum to 1: parts − level × baseline_shares are rewards that sum to score − level
    baseline_shares: NDArray[np.float64]


def family_means(scores: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Family → mean score, from (family, score) pairs."""
    by_family: dict[str, list[float]] = {}
    for family, score in scores:
        by_family.setdefault(family, []).append(score)
    return {family: math.fsum(values) / len(values) for family, values in by_family.items()}


def credit_at_end(score: float, n: int) -> CreditAssignment:
    """The whole score with the last utterance, nothing before (DAT, arXiv 2406.11978)."""
    at_end = np.zeros(n)
    at_end[-1] = 1.0
    return CreditAssignment(parts=score * at_end, baseline_shares=at_end)


def credit_uniformly(score: float, n: int) -> CreditAssignment:
    """The score in equal shares for every utterance."""
    shares = np.full(n, 1.0 / n)
    return CreditAssignment(parts=score * shares, baseline_shares=shares)


def credit_by_weights(score: float, weights: Sequence[float]) -> CreditAssignment:
    """The score in shares proportional to weights, or equal ones where all are 0.

    Raises ValueError for a weight that is negative or NaN.
    """
    shares = np.asarray(weights, dtype=np.float64)
    if not (np.isfinite(shares).all() and (shares >= 0).all()):
        raise ValueError(f"weights are numbers of at least 0, found {list(weights)}")
    largest = shares.max()
    if largest == 0:
        return credit_uniformly(score, len(shares))
    shares = shares / largest  # the sum of huge weights is not finite, that of tiny ones 0
    normalised = shares / shares.sum()
    return CreditAssignment(parts=score * normalised, baseline_shares=normalised)


def credit_by_changes(scores: Sequence[float]) -> CreditAssignment:
    """The change by each utterance: the score after it less that before; `scores[-1]` is the last.

    The first utterance gets its full score. Where scores are centred, the whole family mean is
    subtracted from it.
    """
    at_first = np.zeros(len(scores))
    at_first[0] = 1.0
    return CreditAssignment(
        parts=np.diff(np.asarray(scores, dtype=np.float64), prepend=0.0), baseline_shares=at_first
    )


def credit_by_measurement(values: Sequence[float]) -> CreditAssignment:
    """A number measured on each utterance, by n: the parts sum to their mean."""
    return CreditAssignment(
        parts=np.asarray(values, dtype=np.float64) / len(values),
        baseline_shares=np.full(len(values), 1 / len(values)),
    )
