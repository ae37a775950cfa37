"""Checks say in one line each why a dataset cannot be learned from, before any step is taken; and
the split by family.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simworld.core.errors import InputError, Problem
from simworld.core.seeding import derive_seed
from simworld.training.data.transitions import ACTION_ROWS, Transitions


def check_trainable(transitions: Transitions, *, held_out: float) -> None:
    """Checks that transitions can be learned from. Raises InputError with every reason at once."""
    if not len(transitions):
        raise InputError(
            "the dataset has no transitions; does its query fit any stored, judged, steered"
            " episode?"
        )
    problems = []
    finite, varied = _actions(transitions.actions)
    for what, good in (("reward", np.isfinite(transitions.rewards)), ("action", finite)):
        if not good.all():
            first = transitions.episodes[transitions.episode[int(np.argmin(good))]]
            problems.append(
                f"{np.count_nonzero(~good)} of {len(good)} transitions have a non-finite {what}"
                f" (NaN or infinite), first in episode {first}; leave such episodes out of the"
                " query"
            )
    if not varied:
        problems.append(
            f"all {len(transitions)} transitions have the same action, so nothing can be learned"
            " about actions; collect with an exploring agent"
        )
    families = np.unique(transitions.family)
    if held_out and len(families) == 1:
        problems.append(
            f"all transitions are of one family, '{transitions.families[families[0]]}', and none"
            " can be held out to know when to stop; add scenarios, or train without (held-out 0)"
        )
    if problems:
        raise InputError(Problem(message=message) for message in problems)


def _actions(actions: NDArray[np.float32]) -> tuple[NDArray[np.bool_], bool]:
    """Tells of actions (n, d'), which may lie in a file, which are finite (n,), and whether any
    differs from the first.
    """
    finite, varied = np.empty(len(actions), dtype=np.bool_), False
    for start in range(0, len(actions), ACTION_ROWS):
        part = actions[start : start + ACTION_ROWS]
        finite[start : start + ACTION_ROWS] = np.isfinite(part).all(1)
        varied = varied or bool((part != actions[0]).any())
    return finite, varied


def split_families(
    transitions: Transitions, *, held_out: float, seed: int
) -> tuple[Transitions, Transitions | None]:
    """Splits transitions into those to learn from and those held out, None where the share is 0.

    `held_out` is a share of the families; at least one stands on either side. Which ones depends on
    their names and the seed alone.
    """
    if not held_out:
        return transitions.followed(), None
    present = sorted(
        np.unique(transitions.family),
        key=lambda f: derive_seed(seed, "held out", transitions.families[f]),
    )
    count = min(max(1, round(held_out * len(present))), len(present) - 1)
    held = np.isin(transitions.family, present[:count])
    return (
        transitions.take(np.flatnonzero(~held)).followed(),
        transitions.take(np.flatnonzero(held)).followed(),
    )


def check_batch(learning: Transitions, batch_size: int) -> None:
    """Checks the size of a batch. Raises InputError where it is larger than what there is to learn
    from.
    """
    if len(learning) < batch_size:
        raise InputError(
            f"a batch of {batch_size} is more than the {len(learning)} transitions to learn from; "
            "collect more episodes or take a smaller batch"
        )
