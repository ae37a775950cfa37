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


def best_constant(transitions: Transitions, *, by_act: bool) -> NDArray[np.float32]:
    """Gives the action (d',) float32 of length √d' for which a linear fit foretells the highest
    reward.

    Reward and action are centred by family, and w comes from ridge regression. From the mean action
    the answer goes in the direction of w, as far as the data lie from their mean, and is put on the
    sphere. For actions from all over the sphere that is √d' · w / |w|, the maximum of w · a; for
    actions near a planner's it is the furthest that the data speak of.

    Args:
        transitions: to choose by.
        by_act: fit each act's reward to its action, for rewards told apart act by act; else the sum
            of a seat's rewards in an episode to the mean of its actions.

    Raises:
        InputError: for data from which nothing can be learned about actions.
    """
    check_trainable(transitions, held_out=0)
    weights = fit_ridge(*_regression_rows(transitions, by_act))
    weights_norm = float(np.linalg.norm(weights))
    if not weights_norm > 0:
        raise InputError(
            "within families rewards do not change with actions, so no constant action is best; "
            "collect more than one episode per family, with exploration"
        )
    mean, mean_square = _action_moments(transitions.actions)
    count, d_action = transitions.actions.shape
    # Rayleigh's statistic: n |mean|² of actions from all over the sphere has the mean d' and the
    # variance 2 d'
    if count * float(mean @ mean) < d_action + 6 * (2 * d_action) ** 0.5:
        mean, radius = np.zeros(d_action), mean_square**0.5
    else:
        radius = max(mean_square - float(mean @ mean), 0.0) ** 0.5
    best = mean + weights * (radius / weights_norm)
    on_sphere: NDArray[np.float32] = (
        best * (len(best) ** 0.5 / float(np.linalg.norm(best)))
    ).astype(np.float32)
    return on_sphere


def constant_checkpoint(
    parent: Checkpoint,
    transitions: Transitions,
    *,
    by_act: bool,
    data: Mapping[str, Any] | None = None,
    dtype: str = "",
) -> Checkpoint:
    """Makes a planner that always takes the best constant action through the parent's up-mapping.

    Args:
        parent: whose up-mapping it is.
        transitions: what it is chosen by.
        by_act: as `best_constant`.
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
    action = best_constant(transitions, by_act=by_act)
    explained = variance_explained(*_regression_rows(transitions, by_act))
    info = parent.info.derived(
        dtype=dtype or parent.info.dtype,
        actor=None,
        constant=True,
        data=dict(data or {}),
        metrics={} if explained is None else {"r2": explained.r2},
        parent=parent.id,
    )
    return replace(parent, info=info, actor=None, constant=torch.from_numpy(action), blind=None)


def _action_moments(actions: NDArray[np.float32]) -> tuple[Floats, float]:
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
