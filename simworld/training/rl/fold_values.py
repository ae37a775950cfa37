"""What policies are worth in families that they did not learn from, all families together: each
fold of families is valued with the actor that was trained without it.

Two ways to tell. For γ = 0 and ways that were drawn turn by turn, doubly robust values of the way
nearest to the actor's action: not biased, whatever the fit is. Else fitted-Q evaluation, fitted to
the fold: it knows no luck of its own fit, so its standard error over families is too small, and it
is biased where the policy leaves the data. Both value all actors on the same acts or the same
random numbers, so that differences are paired within families.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from agents.steering.normalizer import Normalizer
from agents.steering.planner import Actor
from simworld.core.arrays import Floats
from simworld.core.errors import InputError
from simworld.training.actor_init import new_actor
from simworld.training.data.fit_normalizer import normalizer_from_transitions
from simworld.training.data.transitions import STATE_ROWS, Transitions
from simworld.training.rl.best_constant import best_constant
from simworld.training.rl.bilinear_fit import family_folds
from simworld.training.rl.cross_fitted_ways import (
    CrossFittedWays,
    check_fold_families,
    cross_fit_ways,
    drawn_each_act,
    find_ways,
)
from simworld.training.rl.fqe import FQESettings, fitted_start_values
from simworld.training.rl.off_policy_values import doubly_robust, family_values

# an actor, and the scale of its states
ScaledActor = tuple[Actor, Normalizer]


class FoldValues(Protocol):
    """Values actors by families that they did not see."""

    @property
    def folds(self) -> Sequence[NDArray[np.bool_]]:
        """Of each fold, which acts (n,) are in it."""

    @property
    def constant(self) -> Floats:
        """The values of the best constant action of the other folds, (G,) by family."""

    def of(self, actors: Sequence[ScaledActor]) -> Floats:
        """Gives the values of actors, one for each fold and trained without it, (G,) by family."""


def open_fold_values(
    transitions: Transitions,
    *,
    folds: int,
    gamma: float,
    fqe: FQESettings,
    by_act: bool,
    seed: int,
) -> FoldValues:
    """Gives what values actors by these transitions.

    Args:
        transitions: all there are to learn from.
        folds: of families.
        gamma: discount.
        fqe: of the evaluation where values are not doubly robust.
        by_act: whether rewards tell acts apart.
        seed: of folds, networks and batches.

    Raises:
        InputError: for too few families, or rewards that are all one.
    """
    found = find_ways(transitions)
    if gamma == 0 and found is not None and drawn_each_act(transitions, found[1]):
        return DoublyRobustValues(transitions, folds=folds, seed=seed)
    return FittedQValues(
        transitions, folds=folds, gamma=gamma, settings=fqe, by_act=by_act, seed=seed
    )


class DoublyRobustValues:
    """Means over a family's acts of what the nearest way would have brought."""

    def __init__(self, transitions: Transitions, *, folds: int, seed: int) -> None:
        """Raises InputError as `cross_fit_ways`."""
        self._transitions = transitions
        self._fitted: CrossFittedWays = cross_fit_ways(transitions, folds=folds, seed=seed)
        self.folds = self._fitted.folds
        self.constant = self._values(self._fitted.best_way)

    def of(self, actors: Sequence[ScaledActor]) -> Floats:
        chosen = np.zeros(len(self._transitions), dtype=np.int64)
        for mask, (actor, normalizer) in zip(self.folds, actors, strict=True):
            rows = self._transitions.state_rows[mask]
            chosen[mask] = nearest_ways(
                actor, normalizer, self._transitions.states, rows, self._fitted.ways
            )
        return self._values(chosen)

    def _values(self, chosen: NDArray[np.int64]) -> Floats:
        data = self._fitted.data
        return family_values(doubly_robust(data, chosen), data.family)


class FittedQValues:
    """Means over a family's episodes of their first states' fitted values."""

    def __init__(
        self,
        transitions: Transitions,
        *,
        folds: int,
        gamma: float,
        settings: FQESettings,
        by_act: bool,
        seed: int,
    ) -> None:
        """Raises InputError for too few families."""
        check_fold_families(transitions.family_index, folds)
        self._settings, self._gamma, self._seed = settings, gamma, seed
        self._families = int(transitions.family_index.max()) + 1
        self.folds = tuple(family_folds(transitions.family_index, folds, seed=seed + 1))
        self._held = [
            transitions.select(np.flatnonzero(mask)).with_next_rows() for mask in self.folds
        ]
        d_state = transitions.states.shape[1]
        constants = []
        for mask in self.folds:
            others = transitions.select(np.flatnonzero(~mask))
            # of the states of its evaluation, as an actor's are
            normalizer = normalizer_from_transitions(others)
            constants.append((constant_actor(_constant(others, by_act), d_state), normalizer))
        self.constant = self.of(constants)

    def of(self, actors: Sequence[ScaledActor]) -> Floats:
        values = np.full(self._families, np.nan)
        for held, (actor, normalizer) in zip(self._held, actors, strict=True):
            start = fitted_start_values(
                actor, held, normalizer, self._settings, gamma=self._gamma, seed=self._seed
            )
            values[np.unique(start.family)] = family_values(
                start.values.double().numpy(), start.family
            )
        present: Floats = values[np.unique(np.concatenate([h.family_index for h in self._held]))]
        return present


def nearest_ways(
    actor: Actor,
    normalizer: Normalizer,
    states: NDArray[np.float32],
    rows: NDArray[np.int64],
    ways: NDArray[np.float32],
) -> NDArray[np.int64]:
    """Gives of some rows of the states, (n,), the way (K, d') that is nearest to the actor's
    action.
    """
    tried = torch.from_numpy(ways)
    half_squares = tried.square().sum(1) / 2
    nearest = np.zeros(len(rows), dtype=np.int64)
    with torch.no_grad():
        for start in range(0, len(rows), STATE_ROWS):
            chunk = torch.from_numpy(states[rows[start : start + STATE_ROWS]])
            likeness = actor(normalizer.standardise(chunk)) @ tried.T - half_squares
            nearest[start : start + STATE_ROWS] = likeness.argmax(1).numpy()
    return nearest


def _constant(transitions: Transitions, by_act: bool) -> NDArray[np.floating]:
    """Gives the best constant action, or the mean one where these acts know no better."""
    try:
        return best_constant(transitions, by_act=by_act)
    except InputError:  # by chance a fold's others may hold no difference; all of them do
        mean: NDArray[np.floating] = transitions.actions.mean(0)
        return mean


def constant_actor(action: NDArray[np.floating], d_state: int) -> Actor:
    """Gives an actor that takes one action (d') of length √d' in every state."""
    actor = new_actor(d_state, len(action), hidden=(), projection="sphere", seed=0)
    last = actor.net[-1]
    assert isinstance(last, nn.Linear)
    with torch.no_grad():
        last.weight.zero_()
        last.bias.copy_(torch.from_numpy(np.asarray(action, dtype=np.float32)))
    return actor
