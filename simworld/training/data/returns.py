"""Discounted returns of stored episodes, and where episodes begin."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simworld.training.data.transitions import Transitions


def monte_carlo_returns(transitions: Transitions, gamma: float) -> NDArray[np.float64]:
    """Gives the discounted return from each transition to the end of its episode, (N,); NaN where
    the episode was cut from outside.

    Returns are values of the policy that collected the data, not of the one that learns. Raises
    ValueError for transitions without `with_next_rows`.
    """
    next_rows = _next_rows(transitions)
    returns = np.where(transitions.terminals, transitions.rewards, np.nan).astype(np.float64)
    pending = np.flatnonzero(next_rows >= 0)
    while len(pending):  # one turn back per round
        candidates = transitions.rewards[pending] + gamma * returns[next_rows[pending]]
        ready = ~np.isnan(candidates)
        if not ready.any():
            break
        returns[pending[ready]] = candidates[ready]
        pending = pending[~ready]
    return returns


def episode_starts(transitions: Transitions) -> NDArray[np.int64]:
    """Gives the rows of transitions that begin an episode, (E,). Raises ValueError for transitions
    without `with_next_rows`.
    """
    next_rows = _next_rows(transitions)
    is_first = np.ones(len(transitions), dtype=bool)
    is_first[next_rows[next_rows >= 0]] = False
    return np.flatnonzero(is_first)


def _next_rows(transitions: Transitions) -> NDArray[np.int64]:
    if transitions.next_rows is None:
        raise ValueError("episodes are known of `Transitions.with_next_rows()` only")
    return transitions.next_rows
