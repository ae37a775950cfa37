"""What there is to be learned from acts that tried ways of replying, told before a planner is
trained: how far action and state foretell rewards, what each way brings in each situation, and what
constants, a choice by situation and the regression that looks at the state would bring. All of it
is cross-fitted over families.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from simworld.core.arrays import Floats
from simworld.training.data.family_agreement import agreement_p
from simworld.training.data.transitions import Transitions
from simworld.training.rl.act_situations import ActSituations, situations_by_turns
from simworld.training.rl.best_constant import best_constant
from simworld.training.rl.bilinear_fit import (
    FOLDS,
    BilinearPenalty,
    bilinear_values,
    choose_penalty,
    fit_bilinear,
)
from simworld.training.rl.cross_fitted_ways import CrossFittedWays, best_mean, cross_fit_ways
from simworld.training.rl.off_policy_values import (
    ValueDifference,
    compare_family_values,
    compare_values,
    doubly_robust,
    family_values,
    linear_doubly_robust,
)

CLEAR_Z = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Foretold:
    """How far something foretells rewards."""

    r2: float  # of the best fit, on unseen families
    p: float  # of families agreeing so well by chance: permutations within families


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyValue:
    """What a policy is worth, chosen for each family without it."""

    value: float
    se: float  # over families
    gain: ValueDifference  # over the best single way
    acts_needed: int | None  # to show the gain at z 4; None where there is none to show


@dataclass(frozen=True, slots=True, kw_only=True)
class SituationCell:
    """What a way would bring in a situation."""

    way: int  # numbered from 0, the most rewarded first
    situation: str
    n: int  # acts that took it there
    mean: float  # over families, doubly robust
    se: float | None  # over families; None for one family


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyInspection:
    """Values are means over families of an act's reward, in deviations of all rewards."""

    acts: int
    ways: int
    r2: float  # of the fit with the product of state and action, on unseen families
    r2_without_product: float
    by_action: Foretold
    by_state: Foretold
    by_product: Foretold  # state × action: its r2 is what the product adds
    best_way: float  # the value of the way that was best in the other folds
    regression: float  # of the way that the fit to the other folds calls best in each state
    difference: ValueDifference  # regression less best way
    best_constant: PolicyValue  # of the best action, ones between the ways included
    by_situation: PolicyValue  # of the way that was best in the situation in the other folds
    situations: dict[str, int]  # acts in each
    table: tuple[SituationCell, ...]

    @property
    def acts_needed(self) -> int | None:
        """How many acts would show the difference at z 4; None where there is none to show."""
        return acts_needed(self.difference, self.acts)


def acts_needed(difference: ValueDifference, acts: int) -> int | None:
    """Gives how many acts would show a difference that so many acts told, at z 4."""
    return round(acts * (CLEAR_Z / difference.z) ** 2) if difference.z > 0 else None


def inspect_policies(
    transitions: Transitions, *, situations: ActSituations | None = None, seed: int = 0
) -> PolicyInspection:
    """Compares policies over ways of replying, of rewards told apart act by act.

    Args:
        transitions: acts that tried ways.
        situations: of the table; default: thirds of the turns.
        seed: of folds and permutations.

    Raises:
        InputError: where the acts did not try ways, or all rewards are one, or there are fewer than
            ten families.
    """
    deviation = float(transitions.rewards.astype(np.float64).std())
    if deviation > 0:
        rewards = (transitions.rewards / deviation).astype(np.float32)
        transitions = replace(transitions, rewards=rewards)
    situations = situations or situations_by_turns(transitions)
    fitted = cross_fit_ways(transitions, folds=FOLDS, seed=seed)
    data, family = fitted.data, fitted.data.family
    way_values = doubly_robust(data, fitted.best_way)
    regression = doubly_robust(data, data.fitted.argmax(1))
    return PolicyInspection(
        acts=len(data.way),
        ways=len(fitted.ways),
        r2=fitted.choice.r2,
        r2_without_product=fitted.choice.r2_without_product,
        **_foretelling(fitted, seed),
        best_way=float(family_values(way_values, family).mean()),
        regression=float(family_values(regression, family).mean()),
        difference=compare_values(regression, way_values, family),
        best_constant=_policy_value(_constant_values(transitions, fitted), way_values, family),
        by_situation=_policy_value(
            doubly_robust(data, _best_in_situations(fitted, situations)), way_values, family
        ),
        situations={
            name: int(np.count_nonzero(situations.index == number))
            for number, name in enumerate(situations.names)
        },
        table=_table(fitted, situations),
    )


def _foretelling(fitted: CrossFittedWays, seed: int) -> dict[str, Foretold]:
    """Gives what action, state and their product foretell, each by itself."""
    bilinear, targets, data = fitted.bilinear, fitted.targets, fitted.data
    nothing = torch.zeros(len(targets), 0)
    action_alone = replace(bilinear, features=nothing)
    state_alone = replace(bilinear, actions=nothing, basis=bilinear.basis[:, :0])
    sides = BilinearPenalty(single=fitted.choice.penalty.single, product=float("inf"))
    left = data.reward.copy()  # beyond what action and state foretell without each other
    for mask in fitted.folds:
        others = torch.from_numpy(~mask)
        weights = fit_bilinear(bilinear.rows(~mask), targets[others], sides)
        left[mask] -= bilinear_values(weights, bilinear.rows(mask)).double().numpy()
    features, actions, family = bilinear.features, bilinear.actions, data.family
    return {
        "by_action": Foretold(
            r2=choose_penalty(action_alone, targets, seed=seed).r2_without_product,
            p=agreement_p(actions, data.reward, family, seed=seed),
        ),
        "by_state": Foretold(
            r2=choose_penalty(state_alone, targets, seed=seed).r2_without_product,
            p=agreement_p(features, data.reward, family, seed=seed),
        ),
        "by_product": Foretold(
            r2=fitted.choice.r2 - fitted.choice.r2_without_product,
            p=agreement_p(features, left, family, by=actions, seed=seed),
        ),
    }


def _constant_values(transitions: Transitions, fitted: CrossFittedWays) -> Floats:
    """Gives of each act what the best constant action of the other folds would have brought."""
    chosen = np.stack(
        [best_constant(transitions.select(np.flatnonzero(~m)), by_act=True) for m in fitted.folds]
    )
    fold_of = np.argmax(np.stack(fitted.folds), axis=0)
    return linear_doubly_robust(fitted.data, fitted.ways, chosen[fold_of], fitted.foretold(chosen))


def _best_in_situations(fitted: CrossFittedWays, situations: ActSituations) -> NDArray[np.int64]:
    """Gives of each act the way that brought most in its situation in the other folds; where nobody
    was in that situation there, the best way of all.
    """
    data, chosen = fitted.data, fitted.best_way.copy()
    for mask in fitted.folds:
        for number in range(len(situations.names)):
            here = situations.index == number
            if (seen := here & ~mask).any():
                chosen[here & mask] = best_mean(data.way[seen], data.reward[seen], len(fitted.ways))
    return chosen


def _policy_value(values: Floats, way_values: Floats, family: NDArray[np.int64]) -> PolicyValue:
    level = compare_family_values(family_values(values, family))
    gain = compare_values(values, way_values, family)
    return PolicyValue(
        value=level.mean, se=level.se, gain=gain, acts_needed=acts_needed(gain, len(family))
    )


def _table(fitted: CrossFittedWays, situations: ActSituations) -> tuple[SituationCell, ...]:
    data, count = fitted.data, len(fitted.ways)
    values = [doubly_robust(data, np.full(len(data.way), way)) for way in range(count)]
    order = sorted(range(count), key=lambda way: -family_values(values[way], data.family).mean())
    cells = []
    for rank, way in enumerate(order):
        for number, name in enumerate(situations.names):
            here = situations.index == number
            means = family_values(values[way][here], data.family[here])
            cells.append(
                SituationCell(
                    way=rank,
                    situation=name,
                    n=int(np.count_nonzero(here & (data.way == way))),
                    mean=float(means.mean()),
                    se=compare_family_values(means).se if len(means) > 1 else None,
                )
            )
    return tuple(cells)
