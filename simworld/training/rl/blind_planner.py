"""A planner that is given the state of another dialogue at the same turn: what a planner must beat
to have read the one it is in.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from agents.steering.checkpoint import Checkpoint
from simworld.core.seeding import derive_seed, make_rng
from simworld.training.data.transitions import Transitions

PAIRS = 512  # at most


def blind_checkpoint(planner: Checkpoint, transitions: Transitions, *, seed: int) -> Checkpoint:
    """Makes a checkpoint that at each turn takes the action which the planner chooses in a stored
    state with as many turns left, whatever is said now.

    Args:
        planner: with a policy; its up-mapping is kept.
        transitions: whose states it is asked about, 512 at most.
        seed: of which.
    """
    rows = spread_rows(transitions, PAIRS, seed=seed)
    states = torch.from_numpy(np.array(transitions.states[transitions.state_rows[rows]]))
    with torch.no_grad():
        pairs = torch.cat((states[:, -1:], planner.choose_actions(states)), 1)
    info = planner.info.derived(
        actor=None, constant=False, blind=len(pairs), metrics={}, parent=planner.id
    )
    return replace(planner, info=info, actor=None, constant=None, blind=pairs)


def spread_rows(transitions: Transitions, count: int, *, seed: int) -> NDArray[np.int64]:
    """Draws rows of transitions, at most so many, as evenly over the shares of turns left as there
    are any, and within these over families; sorted.
    """
    order = make_rng(derive_seed(seed, "blind")).permutation(len(transitions))
    shares = np.asarray(transitions.states[transitions.state_rows, -1])[order]
    _, turn = np.unique(shares, return_inverse=True)
    turn, family = turn.ravel(), transitions.family_index[order]
    in_both = _ranks(np.stack((turn, family), 1), np.arange(len(order)))
    in_turn = _ranks(turn[:, None], in_both)
    chosen = np.argsort(in_turn, kind="stable")[:count]
    return np.sort(order[chosen])


def _ranks(groups: NDArray[np.int64], key: NDArray[np.int64]) -> NDArray[np.int64]:
    """Gives each row's place within its group (n, k), from 0, by the key (n,) and then as given."""
    _, group = np.unique(groups, axis=0, return_inverse=True)
    by_group = np.lexsort((key, group.ravel()))
    sizes = np.bincount(group.ravel())
    ranks = np.empty(len(key), dtype=np.int64)
    ranks[by_group] = np.arange(len(key)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return ranks
