"""Ratings that games bound on one side only, or on neither: of who won every game, lost every game,
and the like.

An agent that has won all its games may be a little better than the others or better without end.
The data have no upper bound, and a bootstrap, in which it wins every game of every resample too,
would give an interval of no width.
What they do bound is how low its rating can be: the bound is that at which the games are 20 times
less likely than at best (a profile likelihood, one-sided 95 %). For this a family counts as one
game between two agents, since its games may all hang on the same thing. Where an agent has beaten
another in each of F families, it is the exact bound: the chance of winning p with p^F = 0.05.

Who is unbounded is a question of who took points from whom (Ford 1957, The American Mathematical
Monthly 64, 28–33): beside j, the rating of i has an upper bound exactly if a chain of agents leads
from j to i, each of whom took points from the next; and a lower one if a chain leads from i to j.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from simworld.core.arrays import Bools, Floats
from simworld.stats.bradley_terry import fit_bradley_terry, outcome_probabilities

_WEAK_RIDGE = 1e-4  # a ridge that keeps what has no bound finite, and matters no further
_BISECTION_STEPS = 40


def find_unbounded(took_points: Bools, anchor: int | None) -> tuple[Bools, Bools, Floats]:
    """Whose rating has no upper bound (K,), whose no lower one (K,), and beside what each is rated
    (K, K), weights by row.

    Agents are rated beside the anchor; without one, beside the largest set of agents who all took
    points from each other, directly or through others; without such a set, beside all whom games
    link to them.

    Args:
        took_points: (K, K) whether the agent of the row took at least half a point from that of the
            column.
        anchor: index of the agent that all others are compared with, or None.
    """
    reaches, linked = (
        transitive_closure(took_points),
        transitive_closure(took_points | took_points.T),
    )
    reference = np.array([_references(reaches, np.flatnonzero(group), anchor) for group in linked])
    no_upper = np.array([not reaches[others, i].all() for i, others in enumerate(reference)])
    no_lower = np.array([not reaches[i, others].all() for i, others in enumerate(reference)])
    return no_upper, no_lower, reference / reference.sum(1, keepdims=True)


def likelihood_bounds(
    counts: Floats,
    agents: Sequence[int],
    sides: Sequence[int],
    reference: Floats,
    *,
    odds: float = 20.0,
) -> Floats:
    """θ of some agents beside others at their one bound, (n,).

    Args:
        counts: (3, F, P) as for `fit_bradley_terry`, by family.
        agents: (n,) indices of those that are bounded on one side.
        sides: (n,) -1 where that is the lower one, +1 where it is the upper one.
        reference: (n, K) weights of those whom each is compared with.
        odds: how much less likely the games are at the bound than at best.
    """
    # a family is one game of a pair
    per_pair = (counts / np.maximum(1, counts.sum(0))).sum(1)[:, None]
    n = reference.shape[1]
    direction = (np.eye(n)[list(agents)] - reference) * np.array(sides)[:, None]
    best = _log_likelihood(per_pair, *fit_bradley_terry(per_pair, n, _WEAK_RIDGE))
    copies = np.repeat(per_pair, len(agents), axis=1)
    low, high = np.zeros(len(agents)), np.full(len(agents), 2 * float(per_pair.sum()))
    theta = np.zeros((len(agents), n))
    for _ in range(_BISECTION_STEPS):
        shift = (low + high) / 2
        theta, tie = fit_bradley_terry(
            copies, n, _WEAK_RIDGE, score_shift=direction * shift[:, None]
        )
        within_odds = best - _log_likelihood(copies, theta, tie) < np.log(odds)
        low, high = np.where(within_odds, shift, low), np.where(within_odds, high, shift)
    bounds: Floats = (theta * direction).sum(1) * np.array(sides)
    return bounds


def transitive_closure(edges: Bools) -> Bools:
    """Whether a chain leads from each to each."""
    closure = edges | np.eye(len(edges), dtype=np.bool_)
    for k in range(len(closure)):
        closure |= np.outer(closure[:, k], closure[k])
    return closure


def _log_likelihood(counts: Floats, theta: Floats, nu: Floats) -> Floats:
    """The logarithm of the likelihood of each data set, (R,)."""
    first, second = np.triu_indices(theta.shape[1], 1)
    won, tied = outcome_probabilities(
        theta[:, first] - theta[:, second], np.log(nu) if nu.any() else None
    )
    probabilities = np.stack([won, np.maximum(0.0, 1 - won - tied), tied])
    log_likelihood: Floats = (counts * np.log(np.maximum(probabilities, 1e-300))).sum(axis=(0, 2))
    return log_likelihood


def _references(reaches: Bools, group: NDArray[np.int64], anchor: int | None) -> Bools:
    """Beside whom a group of linked agents is rated, (K,)."""
    reference = np.zeros(len(reaches), dtype=np.bool_)
    if anchor is not None and anchor in group:
        reference[anchor] = True
        return reference
    mutual = reaches & reaches.T
    sizes = mutual[group].sum(1)
    largest = group[sizes == sizes.max()]
    reference[largest if len(largest) == sizes.max() > 1 else group] = True
    return reference
