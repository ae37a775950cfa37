"""The situations in which acts were done, to tell what pays in which: by the conditions of a
reward's rules, or by how many turns were left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simworld.training.data.dataset_turns import dataset_turns
from simworld.training.data.reward_rules import RewardRule, RuleCondition
from simworld.training.data.situations import condition_text
from simworld.training.data.transitions import Transitions
from store import Store

THIRDS = ("first third", "second third", "last third")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ActSituations:
    """Each act is in one of them."""

    names: tuple[str, ...]
    index: NDArray[np.int64]  # (n,) of the names


def situations_by_turns(transitions: Transitions) -> ActSituations:
    """Gives thirds of the turns, by the share that is left, which is a state's last number."""
    left = np.asarray(transitions.states[:, -1])[transitions.state_rows]
    return _present(THIRDS, (left <= 2 / 3).astype(np.int64) + (left <= 1 / 3))


def situations_by_rules(
    transitions: Transitions, store: Store, rules: Sequence[RewardRule]
) -> ActSituations | None:
    """Gives which of the rules' conditions hold where a seat acts; None where the rules have none,
    or always count.

    Raises InputError where the store does not have the episodes.
    """
    conditions = [
        when for when in dict.fromkeys(rule.when for rule in rules) if when != RuleCondition()
    ]
    if not conditions:
        return None
    turns = dataset_turns(store, transitions)
    holding = [tuple(when.holds(turn) for when in conditions) for turn in turns]
    kinds = sorted(set(holding), reverse=True)
    if len(kinds) < 2:
        return None
    texts = [condition_text(when) for when in conditions]
    names = [
        " and ".join(text for text, holds in zip(texts, kind, strict=True) if holds) or "else"
        for kind in kinds
    ]
    return ActSituations(
        names=tuple(names), index=np.array([kinds.index(kind) for kind in holding], dtype=np.int64)
    )


def _present(names: Sequence[str], index: NDArray[np.int64]) -> ActSituations:
    """Leaves out situations without acts."""
    present, renumbered = np.unique(index, return_inverse=True)
    return ActSituations(
        names=tuple(names[number] for number in present),
        index=renumbered.ravel().astype(np.int64),
    )
