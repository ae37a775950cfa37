"""Strengths from games: the model of Bradley and Terry with Davidson's ties, fitted by Newton's
method.
"""

from __future__ import annotations

import numpy as np
from scipy.special import softmax

from simworld.core.arrays import Floats

_STEPS = 100
_CLOSE = 1e-6  # the next step of Newton's method would be about the square of it


def fit_bradley_terry(
    counts: Floats,
    agents: int,
    ridge: float,
    *,
    near: tuple[Floats, Floats] | None = None,
    tilt: Floats | None = None,
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
        near: a solution, θ (1, K) and ν (1,), that those of the data sets are not far from: it
            saves half of the steps.
        tilt: (R, K) added to the score of each agent beyond its games, 0 in sum: the most likely θ
            among those with some value of tilt · θ.
    """
    won, lost, tied = counts
    sets, pairs = won.shape
    sign = np.zeros((pairs, agents))  # +1 for the first of a pair, −1 for the second
    sign[np.arange(pairs), np.triu_indices(agents, 1)[0]] = 1
    sign[np.arange(pairs), np.triu_indices(agents, 1)[1]] = -1
    squares = np.einsum("pi,pj->pij", sign, sign).reshape(pairs, -1)
    played, score = won + lost + tied, won + tied / 2
    with_ties = bool(tied.any())
    theta, log_tie = np.zeros((sets, agents)), np.zeros(sets)
    if near is not None:
        theta += near[0]
        log_tie += np.log(near[1]) if with_ties else 0.0
    gradient = np.zeros((sets, agents + 1))
    information = np.zeros((sets, agents + 1, agents + 1))
    for _ in range(_STEPS):
        p_win, p_tie = outcome_probabilities(theta @ sign.T, log_tie if with_ties else None)
        mean = p_win + p_tie / 2
        gradient[:, :-1] = (score - played * mean) @ sign - ridge * theta
        if tilt is not None:
            gradient[:, :-1] += tilt
        variance = played * (p_win + p_tie / 4 - mean**2)
        information[:, :-1, :-1] = (variance @ squares).reshape(
            sets, agents, agents
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
        if np.abs(step).max() < _CLOSE:
            break
    return theta, np.exp(log_tie) if with_ties else np.zeros(sets)


def outcome_probabilities(gap: Floats, log_tie: Floats | None) -> tuple[Floats, Floats]:
    """P(the first wins) and P(tie), both (R, P), from θ of the first less θ of the second."""
    logits = [gap / 2, -gap / 2]
    if log_tie is not None:
        logits.append(np.broadcast_to(log_tie[:, None], gap.shape))
    shares = softmax(np.stack(logits), axis=0)
    return shares[0], shares[2] if log_tie is not None else np.zeros_like(gap)
