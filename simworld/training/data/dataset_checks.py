"""Checks say in one line each why a dataset cannot be learned from, before any step is taken."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simworld.core.errors import InputError, Problem
from simworld.training.data.transitions import ACTION_ROWS, Transitions

# differences of rewards as small as these are made by taking off their mean
ROUNDING = 1e-9
RELATIVE_ROUNDING = 1e-6  # of the largest reward, which is float32


def check_trainable(transitions: Transitions, *, held_out: float) -> None:
    """Checks that transitions can be learned from. Raises InputError with every reason at once."""
    if not len(transitions):
        raise InputError(
            "the dataset has no transitions; does its query fit any stored, judged, steered"
            " episode?"
        )
    problems = []
    actions_finite, actions_vary = _check_actions(transitions.actions)
    rewards_finite = np.isfinite(transitions.rewards)
    for kind, finite in (("reward", rewards_finite), ("action", actions_finite)):
        if not finite.all():
            row = int(np.argmin(finite))
            episode = transitions.episode_names[transitions.episode_index[row]]
            problems.append(
                f"{np.count_nonzero(~finite)} of {len(finite)} transitions have a non-finite {kind}"
                f" (NaN or infinite), first in episode {episode}; leave such episodes out of the"
                " query"
            )
    if not actions_vary:
        problems.append(
            f"all {len(transitions)} transitions have the same action, so nothing can be learned"
            " about actions; collect with an exploring agent"
        )
    present = np.unique(transitions.family_index)
    if held_out and len(present) == 1:
        problems.append(
            f"all transitions are of one family, '{transitions.family_names[present[0]]}', and none"
            " can be held out to know when to stop; add scenarios, or train without (held-out 0)"
        )
    if problems:
        raise InputError(Problem(message) for message in problems)


def check_rewards(transitions: Transitions) -> None:
    """Checks that rewards differ. Raises InputError where they are all one, but for rounding: there
    is nothing to prefer.
    """
    rewards = transitions.rewards.astype(np.float64)
    if len(rewards) and np.ptp(rewards) <= max(ROUNDING, RELATIVE_ROUNDING * np.abs(rewards).max()):
        raise InputError(
            f"all {len(rewards)} rewards are {rewards[0]:.4g}, so no action is better than another;"
            " change the reward, or collect more"
        )


def _check_actions(actions: NDArray[np.float32]) -> tuple[NDArray[np.bool_], bool]:
    """Tells of actions (n, d'), which may lie in a file, which are finite (n,), and whether any
    differs from the first.
    """
    finite, vary = np.empty(len(actions), dtype=np.bool_), False
    for start in range(0, len(actions), ACTION_ROWS):
        chunk = actions[start : start + ACTION_ROWS]
        finite[start : start + ACTION_ROWS] = np.isfinite(chunk).all(1)
        vary = vary or bool((chunk != actions[0]).any())
    return finite, vary


def check_batch_size(transitions: Transitions, batch_size: int) -> None:
    """Checks the size of a batch. Raises InputError where it is larger than what there is to learn
    from.
    """
    if len(transitions) < batch_size:
        raise InputError(
            f"a batch of {batch_size} is more than the {len(transitions)} transitions to learn"
            " from; collect more episodes or take a smaller batch"
        )
