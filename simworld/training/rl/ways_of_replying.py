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
from simworld.core.arrays import Floats
from simworld.core.errors import InputError
from simworld.stats.group_differences import permutation_p, random_effects
from simworld.stats.intervals import Estimate, mean_by_family
from simworld.training.data.transitions import Transitions

MOST_WAYS = 256


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WayTried:
    """One action, and what it brought."""

    action: NDArray[np.float32]  # (d',)
    reward: Estimate  # centred by family; per seat that kept one way all episode, else per act
    expected: float  # the mean as a random effect
    row: int  # of a transition with this action


@dataclass(frozen=True, slots=True, kw_only=True)
class WaysTried:
    """All actions that were tried, the most rewarded first."""

    ways: tuple[WayTried, ...]
    between: float  # τ, the standard deviation between ways, of which luck is no part
    p: float  # of differences as large where ways make none: permutations within families
    by_act: bool  # whether acts are what is counted, or seats of episodes

    def best(self, count: int) -> tuple[NDArray[np.float32], ...]:
        """Gives the most rewarded actions (d',), without the neutral one of a latent up-mapping,
        (√d', 0, …, 0).
        """
        found = [
            way.action for way in self.ways if way.action[0] < 0.999 * np.linalg.norm(way.action)
        ]
        return tuple(found[:count])


def ways_tried(transitions: Transitions) -> WaysTried:
    """Tells what each action brought. Raises InputError where there is only one action, or too many
    to be ways.
    """
    actions, way = np.unique(np.asarray(transitions.actions), axis=0, return_inverse=True)
    way = way.ravel()
    if not 1 < len(actions) <= MOST_WAYS:
        raise InputError(
            f"{len(actions)} different actions in {len(transitions)} acts; expected 2 to"
            f" {MOST_WAYS}: collect with `explore: {{kind: ways, per: episode}}`"
        )
    _, first, seat, acts = np.unique(
        transitions.episode_index, return_index=True, return_inverse=True, return_counts=True
    )
    by_act = bool((way != way[first][seat]).any())
    rewards = transitions.rewards.astype(np.float64)
    if by_act:  # a part of the score is smaller where there are more of them
        of, family, rows = way, transitions.family_index, np.arange(len(way))
    else:
        of, family, rows = way[first], transitions.family_index[first], first
    values: Floats = np.asarray(
        rewards * acts[seat] if by_act else np.bincount(seat, weights=rewards), dtype=np.float64
    )
    expected, between = random_effects(of, values)
    found = [
        WayTried(
            action=actions[i],
            reward=mean_by_family(
                (transitions.family_names[family[j]], values[j]) for j in np.flatnonzero(of == i)
            ),
            expected=float(expected[i]),
            row=int(rows[np.flatnonzero(of == i)[0]]),
        )
        for i in range(len(actions))
    ]
    ordered = sorted(found, key=lambda tried: -tried.expected)
    return WaysTried(
        ways=tuple(ordered), between=between, p=permutation_p(of, values, family), by_act=by_act
    )


def keep_best_ways(
    parent: Checkpoint, tried: WaysTried, *, keep: int, shares: Sequence[float], neutral: bool
) -> Checkpoint:
    """Gives the same checkpoint, but that it knows only the most rewarded ways.

    Args:
        parent: a latent up-mapping.
        tried: through its up-mapping. The neutral action may be among them, but it is no way.
        keep: so many ways, at most.
        shares: cosines of an action with the neutral one, in [0, 1): each way is known with each of
            them, the smaller the stronger it is; empty: as it is.
        neutral: know the neutral action too.

    Raises:
        InputError: the up-mapping is not latent, so no action is known to be neutral; the actions
            have another size; or nothing is left to know.
    """
    size = parent.info.d_action
    if parent.info.upmap != "latent":
        raise InputError(
            f"planner {parent.id[:11]}… has no latent up-mapping; make one with `simworld train"
            " latent`"
        )
    if (found := len(tried.ways[0].action)) != size:
        raise InputError(
            f"the ways have {found} numbers, actions of planner {parent.id[:11]}… {size}"
        )
    first = np.eye(1, size, dtype=np.float32)[0] * size**0.5
    known = [first] if neutral else []
    for action in tried.best(keep):
        code = np.where(first > 0, 0, action)
        code *= size**0.5 / np.linalg.norm(code)
        known += [share * first + (1 - share**2) ** 0.5 * code for share in shares] or [action]
    if not known:
        raise InputError(
            "only the neutral action was tried; collect with `explore: {kind: ways, per: episode}`"
        )
    table = torch.from_numpy(np.stack(known).astype(np.float32))
    info = parent.info.derived(ways=len(table), parent=parent.id)
    return replace(parent, info=info, ways=table)
