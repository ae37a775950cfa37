"""The best constant action: what a planner must beat to be more than a fixed prefix (DESIGN §4, Arms)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from agents.steering.checkpoint import Checkpoint
from simworld.core.errors import InputError
from simworld.training.checks import check_trainable
from simworld.training.ridge import explained, fitted
from simworld.training.transitions import Transitions

Floats = NDArray[np.float64]


def best_constant(transitions: Transitions, *, by_act: bool) -> NDArray[np.float32]:
    """The action (d',) float32 of length √d' that a linear fit foretells the highest reward for, everywhere the same.

    Reward and action are centred by family, w comes from ridge regression, and the answer is √d' · w / |w|: the maximum of w · a
    on the sphere.

    Args:
        transitions: to choose by.
        by_act: fit each act's reward to its action, for rewards told apart act by act; else the sum of a seat's rewards in an
            episode to the mean of its actions.

    Raises:
        InputError: for data from which nothing can be learned about actions.
    """
    check_trainable(transitions, held_out=0)
    weights = fitted(*_rows(transitions, by_act))
    length = float(np.linalg.norm(weights))
    if not length > 0:
        raise InputError(
            "within families rewards do not change with actions, so no constant action is best; "
            "collect more than one episode per family, with exploration"
        )
    best: NDArray[np.float32] = (weights * (len(weights) ** 0.5 / length)).astype(np.float32)
    return best


def constant_checkpoint(
    parent: Checkpoint, transitions: Transitions, *, by_act: bool, data: Mapping[str, Any] | None = None
) -> Checkpoint:
    """A planner that always takes the best constant action through the parent's up-mapping; `data` says what it was chosen by.

    Raises:
        InputError: as `best_constant`, or for actions of another size than the parent's.
    """
    if transitions.actions.shape[1] != parent.info.d_action:
        raise InputError(
            f"the dataset's actions have {transitions.actions.shape[1]} numbers, those of planner {parent.id[:11]}… "
            f"{parent.info.d_action}; choose the checkpoint that the data were collected with"
        )
    action = best_constant(transitions, by_act=by_act)
    found = explained(*_rows(transitions, by_act))
    info = parent.info.model_copy(
        update={
            "actor": None,
            "constant": True,
            "data": dict(data or {}),
            "metrics": {} if found is None else {"r2": found.r2},
            "parent": parent.id,
        }
    )
    return Checkpoint(
        info=info, upmap=parent.upmap, mean=parent.mean, std=parent.std, constant=torch.from_numpy(action)
    )


def _rows(transitions: Transitions, by_act: bool) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Actions (n, d'), what they brought (n,), and families (n,)."""
    acts = np.bincount(transitions.episode, minlength=len(transitions.episodes))
    rewards = transitions.rewards.astype(np.float64)
    if by_act:  # a part of the score is smaller where there are more of them
        return transitions.actions.astype(np.float64), rewards * acts[transitions.episode], transitions.family
    sums = np.zeros((len(acts), transitions.actions.shape[1]))
    np.add.at(sums, transitions.episode, transitions.actions)
    present = np.flatnonzero(acts)
    family = np.zeros(len(acts), dtype=np.int64)
    family[transitions.episode] = transitions.family
    total = np.bincount(transitions.episode, weights=rewards, minlength=len(acts)).astype(np.float64)
    return sums[present] / acts[present, None], total[present], family[present]
