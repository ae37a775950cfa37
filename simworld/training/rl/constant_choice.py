"""The best constant of data that tried ways of replying: the best single way, or a mixture of ways.

A way is worth its mean as a random effect, for the one that looks best is in part lucky. A mixture
was never tried: a linear fit points to it, and foretells its value, if between ways all is linear.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simworld.core.arrays import Floats
from simworld.stats.group_differences import random_effects
from simworld.training.data.transitions import ACTION_ROWS
from simworld.training.rl.ways_of_replying import MAX_WAYS


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BestWay:
    """The single way that brought most, and what the mixture would bring; in scores, more than the
    mean of all that was tried.
    """

    action: NDArray[np.float32]  # (d',)
    way_value: float
    mixture_value: float

    @property
    def is_mixture_better(self) -> bool:
        """Whether the mixture is foretold to bring more than the way."""
        return self.mixture_value > self.way_value


def find_ways(
    actions: NDArray[np.float32], max_ways: int = MAX_WAYS
) -> tuple[NDArray[np.float32], NDArray[np.int64]] | None:
    """Gives the different actions (K, d') and which of them each act took (n,); None where there
    are too many to be ways. Actions may lie in a file.
    """
    numbers: dict[bytes, int] = {}
    way = np.empty(len(actions), dtype=np.int64)
    for start in range(0, len(actions), ACTION_ROWS):
        rows, inverse = np.unique(actions[start : start + ACTION_ROWS], axis=0, return_inverse=True)
        found = [numbers.setdefault(row.tobytes(), len(numbers)) for row in rows]
        if len(numbers) > max_ways:
            return None
        way[start : start + ACTION_ROWS] = np.array(found)[inverse.ravel()]
    tried = np.frombuffer(b"".join(numbers), dtype=actions.dtype)
    return tried.reshape(len(numbers), actions.shape[1]), way


def best_way(
    actions: NDArray[np.floating],
    values: Floats,
    family: NDArray[np.int64],
    *,
    weights: Floats,
    mixture: Floats,
) -> BestWay | None:
    """Gives the best single way beside the mixture's value; None where these are no ways: more than
    256 actions, or not tried twice each on average.

    Args:
        actions: what was done, (n, d'), each in one piece: of one act, or kept all episode.
        values: what it brought, (n,).
        family: (n,).
        weights: of a linear fit of values to actions, (d',).
        mixture: the action (d',) that it points to.
    """
    found = find_ways(np.asarray(actions, dtype=np.float32))
    if found is None or 2 * len(found[0]) > len(actions):
        return None
    ways, way = found
    family_sizes = np.maximum(np.bincount(family), 1)
    family_means = np.bincount(family, weights=values) / family_sizes
    effects, _ = random_effects(way, values - family_means[family])
    best = int(np.argmax(effects))
    mean_action = np.average(ways.astype(np.float64), axis=0, weights=np.bincount(way))
    return BestWay(
        action=ways[best],
        way_value=float(effects[best]),
        mixture_value=float(weights @ (mixture - mean_action)),
    )
