"""Episodes that tried ways of replying tell which ones were rewarded, and a checkpoint can be made
that knows only the best.

Of many ways the one that looks best is in part lucky, so each mean is also given as a random
effect, drawn towards the mean of all ways. To try fewer ways more often, round by round, is
successive halving (Jamieson & Talwalkar 2016, arXiv 1502.07943).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from agents.steering.checkpoint import Checkpoint
from agents.steering.named_ways import is_neutral
from simworld.core.arrays import Floats
from simworld.core.errors import InputError
from simworld.stats.group_differences import permutation_p, random_effects
from simworld.stats.intervals import Estimate, mean_by_family
from simworld.training.data.transitions import Transitions

MAX_WAYS = 256


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RankedWay:
    """One action, and what it brought."""

    action: NDArray[np.float32]  # (d',)
    reward: Estimate  # centred by family; per seat that kept one way all episode, else per act
    shrunken_mean: float  # the mean as a random effect
    row: int  # of a transition with this action


@dataclass(frozen=True, slots=True, kw_only=True)
class WayRanking:
    """All actions that were tried, the most rewarded first."""

    ways: tuple[RankedWay, ...]
    between_sd: float  # τ, the standard deviation between ways, of which luck is no part
    p_value: float  # of differences as large where ways make none: permutations within families
    by_act: bool  # whether acts are what is counted, or seats of episodes

    def best(self, count: int) -> tuple[NDArray[np.float32], ...]:
        """Gives the most rewarded actions (d',), without the neutral one of a latent up-mapping,
        (√d', 0, …, 0).
        """
        steered_actions = [way.action for way in self.ways if not is_neutral(way.action)]
        return tuple(steered_actions[:count])


def rank_ways(transitions: Transitions) -> WayRanking:
    """Tells what each action brought. Raises InputError where there is only one action, or too many
    to be ways.
    """
    actions, way_of = np.unique(np.asarray(transitions.actions), axis=0, return_inverse=True)
    way_of = way_of.ravel()
    if not 1 < len(actions) <= MAX_WAYS:
        raise InputError(
            f"{len(actions)} different actions in {len(transitions)} acts; expected 2 to"
            f" {MAX_WAYS}: collect with `explore: {{kind: ways, per: episode}}`"
        )
    _, first, seat_of, acts = np.unique(
        transitions.episode_index, return_index=True, return_inverse=True, return_counts=True
    )
    by_act = bool((way_of != way_of[first][seat_of]).any())
    rewards = transitions.rewards.astype(np.float64)
    if by_act:
        group, family, rows = way_of, transitions.family_index, np.arange(len(way_of))
    else:
        group, family, rows = way_of[first], transitions.family_index[first], first
    values: Floats = np.bincount(seat_of, weights=rewards).astype(np.float64)
    if by_act:  # a part of the score is smaller where there are more of them
        values = rewards * acts[seat_of]
    shrunken, between = random_effects(group, values)
    ways = [
        RankedWay(
            action=actions[i],
            reward=mean_by_family(
                (transitions.family_names[family[j]], values[j]) for j in np.flatnonzero(group == i)
            ),
            shrunken_mean=float(shrunken[i]),
            row=int(rows[np.flatnonzero(group == i)[0]]),
        )
        for i in range(len(actions))
    ]
    ordered = sorted(ways, key=lambda way: -way.shrunken_mean)
    p_value = permutation_p(group, values, family)
    return WayRanking(ways=tuple(ordered), between_sd=between, p_value=p_value, by_act=by_act)


def keep_best_ways(
    parent: Checkpoint,
    ranking: WayRanking,
    *,
    count: int,
    cosines: Sequence[float],
    keep_neutral: bool,
) -> Checkpoint:
    """Gives a checkpoint with the same up-mapping that knows only the most rewarded ways, and takes
    the neutral action where it does not explore.

    Args:
        parent: a latent up-mapping.
        ranking: through its up-mapping. The neutral action may be among them, but it is no way.
        count: so many ways, at most.
        cosines: of an action with the neutral one, in [0, 1): each way is known with each of
            them, the smaller the stronger it is; empty: as it is.
        keep_neutral: know the neutral action too.

    Raises:
        InputError: the up-mapping is not latent, so no action is known to be neutral; the actions
            have another size; or nothing is left to know.
    """
    d_action = parent.info.d_action
    if parent.neutral_action is None:
        raise InputError(
            f"planner {parent.id[:11]}… has no latent up-mapping; make one with `simworld train"
            " latent`"
        )
    if (tried_size := len(ranking.ways[0].action)) != d_action:
        raise InputError(
            f"the ways have {tried_size} numbers, actions of planner {parent.id[:11]}… {d_action}"
        )
    neutral = parent.neutral_action.numpy()
    kept_actions = [neutral] if keep_neutral else []
    for action in ranking.best(count):
        direction = np.where(neutral > 0, 0, action)
        direction *= d_action**0.5 / np.linalg.norm(direction)
        mixed = [c * neutral + (1 - c**2) ** 0.5 * direction for c in cosines]
        kept_actions += mixed or [action]
    if not kept_actions:
        raise InputError(
            "only the neutral action was tried; collect with `explore: {kind: ways, per: episode}`"
        )
    ways = torch.from_numpy(np.stack(kept_actions).astype(np.float32))
    info = parent.info.derived(
        actor=None, constant=True, ways=len(ways), way_words=(), metrics={}, data={},
        parent=parent.id,
    )  # fmt: skip
    neutral_action = torch.from_numpy(neutral)
    return replace(parent, info=info, actor=None, constant=neutral_action, blind=None, ways=ways)


def join_ways(checkpoint: Checkpoint, beside: Checkpoint) -> Checkpoint:
    """Gives the first checkpoint, but that it knows the ways of the second too; each once.

    Raises InputError where the second has another up-mapping, so that its ways mean something else,
    or knows none.
    """
    if not torch.equal(checkpoint.upmap.weight, beside.upmap.weight):
        raise InputError(
            f"the ways of {beside.id[:11]}… are of another up-mapping than those of"
            f" {checkpoint.id[:11]}…; take two checkpoints made with the same --of"
        )
    if checkpoint.ways is None or beside.ways is None:
        raise InputError(f"checkpoint {beside.id[:11]}… knows no ways of replying")
    ways = torch.cat((checkpoint.ways, beside.ways))
    _, first = np.unique(ways.numpy().round(4), axis=0, return_index=True)
    ways = ways[torch.from_numpy(np.sort(first))]
    return replace(
        checkpoint, info=checkpoint.info.derived(ways=len(ways), way_words=()), ways=ways
    )
