"""Discounted returns of stored episodes, and where episodes begin."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simworld.training.data.transitions import Transitions


def monte_carlo_returns(transitions: Transitions, gamma: float) -> NDArray[np.float64]:
    """Gives the discounted return from each transition to the end of its episode, (N,); NaN where
    the episode was cut from outside.

    Returns are values of the policy that collected the data, not of the one that learns. Raises
    ValueError for transitions that are not `followed`.
    """
    following = _following(transitions)
    returns = np.where(transitions.terminal, transitions.rewards, np.nan).astype(np.float64)
    waiting = np.flatnonzero(following >= 0)
    while len(waiting):  # one turn back per round
        found = transitions.rewards[waiting] + gamma * returns[following[waiting]]
        known = ~np.isnan(found)
        if not known.any():
            break
        returns[waiting[known]] = found[known]
        waiting = waiting[~known]
    return returns


def first_rows(transitions: Transitions) -> NDArray[np.int64]:
    """Gives the rows of transitions that begin an episode, (E,). Raises ValueError for transitions
    that are not `followed`.
    """
    following = _following(transitions)
    begins = np.ones(len(transitions), dtype=bool)
    begins[following[following >= 0]] = False
    return np.flatnonzero(begins)


def _following(transitions: Transitions) -> NDArray[np.int64]:
    if transitions.next_row is None:
        raise ValueError("episodes are known of `Transitions.followed()` only")
    return transitions.next_row
