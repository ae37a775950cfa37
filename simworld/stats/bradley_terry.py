"""Strengths from games: the model of Bradley and Terry with Davidson's ties, fitted by Newton's
method.
"""

from __future__ import annotations

import numpy as np
from scipy.special import softmax

from simworld.core.arrays import Floats

_MAX_STEPS = 100
_TOLERANCE = 1e-6  # the next step of Newton's method would be about the square of it


def fit_bradley_terry(
    counts: Floats,
    agents: int,
    ridge: float,
    *,
    warm_start: tuple[Floats, Floats] | None = None,
    score_shift: Floats | None = None,
) -> tuple[Floats, Floats]:
    """θ (R, K) and ν (R,) for R data sets, by Newton's method on the concave penalised
    log-likelihood. Two equal agents tie with probability ν / (2 + ν); ν is 0 where nothing tied.

    A pair is an exponential family in θ_i − θ_j and log ν; its statistics are the score of i (1, ½,
    0) and whether it was a tie.

    Args:
        counts: (3, R, P) won by the first, won by the second, and tied, by pair of agents, in the
            order of `np.triu_indices`.
        agents: K.
        ridge: of the prior.
        warm_start: a solution, θ (1, K) and ν (1,), not far from those of the data sets: it
            saves half of the steps.
        score_shift: (R, K) added to the score of each agent beyond its games, 0 in sum: the most
            likely θ among those with some value of score_shift · θ.
    """
    won, lost, tied = counts
    n_sets, n_pairs = won.shape
    sign = np.zeros((n_pairs, agents))  # +1 for the first of a pair, −1 for the second
    sign[np.arange(n_pairs), np.triu_indices(agents, 1)[0]] = 1
    sign[np.arange(n_pairs), np.triu_indices(agents, 1)[1]] = -1
    squares = np.einsum("pi,pj->pij", sign, sign).reshape(n_pairs, -1)
    played, score = won + lost + tied, won + tied / 2
    with_ties = bool(tied.any())
    theta, log_tie = np.zeros((n_sets, agents)), np.zeros(n_sets)
    if warm_start is not None:
        theta += warm_start[0]
        log_tie += np.log(warm_start[1]) if with_ties else 0.0
    gradient = np.zeros((n_sets, agents + 1))
    information = np.zeros((n_sets, agents + 1, agents + 1))
    for _ in range(_MAX_STEPS):
        p_win, p_tie = outcome_probabilities(theta @ sign.T, log_tie if with_ties else None)
        mean = p_win + p_tie / 2
        gradient[:, :-1] = (score - played * mean) @ sign - ridge * theta
        if score_shift is not None:
            gradient[:, :-1] += score_shift
        variance = played * (p_win + p_tie / 4 - mean**2)
        information[:, :-1, :-1] = (variance @ squares).reshape(
            n_sets, agents, agents
        ) + ridge * np.eye(agents)
        if with_ties:
            expected = played * p_tie
            gradient[:, -1] = (tied - expected).sum(1) - ridge * log_tie
            information[:, :-1, -1] = information[:, -1, :-1] = (expected * (0.5 - mean)) @ sign
            information[:, -1, -1] = (expected * (1 - p_tie)).sum(1) + ridge
        else:
            information[:, -1, -1] = 1
        step = np.linalg.solve(information, gradient[..., None])[..., 0]
        # A full step from afar may overshoot; two units of θ are odds of seven to one.
        step *= np.minimum(1, 2 / np.maximum(np.abs(step).max(1, keepdims=True), 1e-300))
        theta += step[:, :-1]
        log_tie += step[:, -1]
        if np.abs(step).max() < _TOLERANCE:
            break
    return theta, np.exp(log_tie) if with_ties else np.zeros(n_sets)


def outcome_probabilities(gap: Floats, log_tie: Floats | None) -> tuple[Floats, Floats]:
    """P(the first wins) and P(tie), both (R, P), from θ of the first less θ of the second."""
    logits = [gap / 2, -gap / 2]
    if log_tie is not None:
        logits.append(np.broadcast_to(log_tie[:, None], gap.shape))
    probabilities = softmax(np.stack(logits), axis=0)
    return probabilities[0], probabilities[2] if log_tie is not None else np.zeros_like(gap)
