"""The best constant action: what a planner must beat to be more than a fixed prefix
(docs/design/dat.md, Arms).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from agents.steering.checkpoint import Checkpoint
from simworld.core.arrays import Floats
from simworld.core.errors import InputError
from simworld.training.data.dataset_checks import check_trainable
from simworld.training.data.transitions import ACTION_ROWS, Transitions
from simworld.training.data.variance_explained import fit_ridge, variance_explained
from simworld.training.rl.constant_ahead import best_constant_ahead
from simworld.training.rl.constant_choice import BestWay, best_way, find_ways


def best_constant(transitions: Transitions, *, by_act: bool) -> NDArray[np.float32]:
    """Gives the action (d',) float32 of length √d' for which a linear fit foretells the highest
    reward.

    Reward and action are centred by family, and w comes from ridge regression. From the mean action
    the answer goes in the direction of w, as far as the data lie from their mean, and is put on the
    sphere. For actions from all over the sphere that is √d' · w / |w|, the maximum of w · a; for
    actions near a planner's it is the furthest that the data speak of. Of data that tried ways it
    is a mixture of these, and the best single way is the answer where that brings more.

    Args:
        transitions: to choose by.
        by_act: fit each act's reward to its action, for rewards told apart act by act; else the sum
            of a seat's rewards in an episode to the mean of its actions.

    Raises:
        InputError: for data from which nothing can be learned about actions.
    """
    return choose_constant(transitions, by_act=by_act)[0]


def choose_constant(
    transitions: Transitions, *, by_act: bool
) -> tuple[NDArray[np.float32], BestWay | None]:
    """Gives `best_constant`, and where the data tried ways of replying, what it was chosen by."""
    check_trainable(transitions, held_out=0)
    weights = fit_ridge(*_regression_rows(transitions, by_act))
    if not float(np.linalg.norm(weights)) > 0:
        raise InputError(
            "within families rewards do not change with actions, so no constant action is best; "
            "collect more than one episode per family, with exploration"
        )
    mixture = _point_to(weights, transitions.actions)
    way = _find_best_way(transitions, weights, mixture, by_act)
    if way is not None and not way.is_mixture_better:
        return way.action, way
    return mixture.astype(np.float32), way


def _find_best_way(
    transitions: Transitions, weights: Floats, mixture: Floats, by_act: bool
) -> BestWay | None:
    """Gives the best single way; None for data that tried none, or that do not tell them apart."""
    ways = find_ways(transitions.actions)
    if ways is None:
        return None
    _, first, seat = np.unique(transitions.episode_index, return_index=True, return_inverse=True)
    if bool((ways[1] == ways[1][first][seat.ravel()]).all()):
        _, values, family = _regression_rows(transitions, by_act=False)
        rows = (transitions.actions[first], values, family)
    elif by_act:
        rows = _regression_rows(transitions, by_act)
    else:  # a score of the whole episode says little about one way of several
        return None
    return best_way(*rows, weights=weights, mixture=mixture)


def _point_to(weights: Floats, actions: NDArray[np.floating]) -> Floats:
    """Gives the action (d',) on the sphere that is furthest in the direction of the weights, from
    the mean of actions (n, d') as far as they lie from it.
    """
    mean, mean_square = _action_moments(actions)
    count, d_action = actions.shape
    # Rayleigh's statistic: n |mean|² of actions from all over the sphere has the mean d' and the
    # variance 2 d'
    if count * float(mean @ mean) < d_action + 6 * (2 * d_action) ** 0.5:
        mean, radius = np.zeros(d_action), mean_square**0.5
    else:
        radius = max(mean_square - float(mean @ mean), 0.0) ** 0.5
    best = mean + weights * (radius / float(np.linalg.norm(weights)))
    on_sphere: Floats = best * (len(best) ** 0.5 / float(np.linalg.norm(best)))
    return on_sphere


def constant_checkpoint(
    parent: Checkpoint,
    transitions: Transitions,
    *,
    by_act: bool,
    gamma: float = 0.0,
    data: Mapping[str, Any] | None = None,
    dtype: str = "",
) -> Checkpoint:
    """Makes a planner that always takes the best constant action through the parent's up-mapping.

    Args:
        parent: whose up-mapping it is.
        transitions: what it is chosen by.
        by_act: as `best_constant`.
        gamma: discount; above 0 a constant of data that tried ways is chosen by what is to come.
        data: what the checkpoint says about them.
        dtype: of the model in their episodes; empty: not known, so the parent's.

    Raises:
        InputError: as `best_constant`, or for actions of another size than the parent's.
    """
    if transitions.actions.shape[1] != parent.info.d_action:
        raise InputError(
            f"the dataset's actions have {transitions.actions.shape[1]} numbers, those of planner"
            f" {parent.id[:11]}… {parent.info.d_action}; choose the checkpoint that the data were"
            " collected with"
        )
    ahead = best_constant_ahead(transitions, gamma=gamma, seed=0) if gamma and by_act else None
    action, way = ahead or choose_constant(transitions, by_act=by_act)
    explained = variance_explained(*_regression_rows(transitions, by_act))
    metrics = {} if explained is None else {"r2": explained.r2}
    if way is not None:
        metrics |= {
            "way_value": way.way_value,
            "mixture_value": way.mixture_value,
            "is_mixture": float(way.is_mixture_better),
        }
    info = parent.info.derived(
        dtype=dtype or parent.info.dtype,
        actor=None,
        constant=True,
        data=dict(data or {}),
        metrics=metrics,
        parent=parent.id,
    )
    return replace(
        parent, info=info, actor=None, constant=torch.from_numpy(np.array(action)), blind=None
    )


def _action_moments(actions: NDArray[np.floating]) -> tuple[Floats, float]:
    """Gives the mean (d',) and the mean squared length of actions (n, d'), which may lie in a
    file.
    """
    total, squares = np.zeros(actions.shape[1]), 0.0
    for start in range(0, len(actions), ACTION_ROWS):
        chunk = actions[start : start + ACTION_ROWS].astype(np.float64)
        total += chunk.sum(0)
        squares += float(np.square(chunk).sum())
    return total / len(actions), squares / len(actions)


def _regression_rows(
    transitions: Transitions, by_act: bool
) -> tuple[NDArray[np.floating], Floats, NDArray[np.int64]]:
    """Gives actions (n, d'), what they brought (n,), and families (n,)."""
    episode = transitions.episode_index
    act_counts = np.bincount(episode, minlength=len(transitions.episode_names))
    rewards = transitions.rewards.astype(np.float64)
    if by_act:  # a part of the score is smaller where there are more of them
        return transitions.actions, rewards * act_counts[episode], transitions.family_index
    with_acts = np.flatnonzero(act_counts)
    total = np.bincount(episode, weights=rewards, minlength=len(act_counts)).astype(np.float64)
    actions, families = transitions.episode_actions(), transitions.episode_families
    return actions[with_acts], total[with_acts], families[with_acts]
