"""The best constant action where acts pay later: by what is to come if it is taken ever after.

A fit of each act's reward to its action knows nothing of what the act leads to. Here every way of
replying that the data tried, and the mixture of every two, is valued by fitted-Q evaluation of the
policy that always takes it (the regression of `ridge`, with that action in place of the best one).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import torch
from numpy.typing import NDArray

from simworld.core.arrays import Floats
from simworld.training.data.fit_normalizer import normalizer_from_transitions
from simworld.training.data.transitions import Transitions
from simworld.training.rl.constant_choice import BestWay, find_ways
from simworld.training.rl.ridge import bilinear_regression

MAX_MIXED = 8  # ways of which every two are mixed: 28 mixtures


def best_constant_ahead(
    transitions: Transitions, *, gamma: float, seed: int
) -> tuple[NDArray[np.float32], BestWay] | None:
    """Gives the constant action (d',) of length √d' that brings most, and the values it was chosen
    by; None for data that tried no ways of replying.

    A value is the discounted sum of rewards from an episode's first act on, as a mean over families
    of means over a seat's episodes. It is foretold, and the highest of several is in part luck.

    Args:
        transitions: to choose by.
        gamma: discount, above 0.
        seed: of the regression's folds.
    """
    found = find_ways(transitions.actions)
    if found is None or 2 * len(found[0]) > len(transitions):
        return None
    with_next = transitions.with_next_rows()
    normalizer = normalizer_from_transitions(with_next)
    regression = bilinear_regression(with_next, normalizer, gamma=gamma, seed=seed)
    firsts = regression.first_rows
    family = regression.data.family[firsts]

    def value(action: NDArray[np.float32]) -> float:
        to_come = regression.value_of_constant(torch.from_numpy(action), firsts).double().numpy()
        sums = np.bincount(family, weights=to_come)
        counts = np.bincount(family)
        return float((sums[counts > 0] / counts[counts > 0]).mean())

    ways = found[0].copy()  # not of a file that is open for reading alone
    way_values = np.array([value(way) for way in ways])
    best_way = int(np.argmax(way_values))
    likely = ways[np.argsort(-way_values)[:MAX_MIXED]]
    mixtures = list(_mix_pairs(likely))
    mixture_values = np.array([value(mixture) for mixture in mixtures] or [-np.inf])
    best_mixture = int(np.argmax(mixture_values))
    choice = BestWay(
        action=ways[best_way],
        way_value=float(way_values[best_way]),
        mixture_value=float(mixture_values[best_mixture]),
    )
    return mixtures[best_mixture] if choice.is_mixture_better else ways[best_way], choice


def _mix_pairs(ways: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """Gives halfway between every two ways (d',), on the sphere; none between opposite ones."""
    for first, second in combinations(ways.astype(np.float64), 2):
        between: Floats = first + second
        length = float(np.linalg.norm(between))
        if length > 1e-6 * float(np.linalg.norm(first)):
            yield (between * (len(between) ** 0.5 / length)).astype(np.float32)
