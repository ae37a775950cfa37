"""Whether an action pays at once, or in what the seat says next: with γ 0 a learner sees the first
alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from simworld.core.seeding import derive_seed, make_rng
from simworld.training.data.family_agreement import agreement_p
from simworld.training.data.transitions import Transitions

MAX_ROWS = 20_000  # acts that are looked at, drawn evenly
CLEAR = 0.01  # p of what is no chance


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionsPay:
    """How likely it is that chance alone makes rewards go with actions as they do."""

    own_p: float  # an act's reward with its own action
    next_p: float  # the next act's reward of the seat with this one's action

    @property
    def only_later(self) -> bool:
        """Whether the next act's reward goes with the action, and its own does not."""
        return self.own_p > CLEAR >= self.next_p

    def warning(self, gamma: float | None) -> str:
        """Says what that means for a discount; None: of any training on these data."""
        means = "with γ 0" if gamma is None else f"γ is {gamma:g}, so"
        return (
            f"the next act's reward goes with an action (p {self.next_p:.2g}) and its own does not"
            f" (p {self.own_p:.2g}): {means} nothing of that is learned; set gamma above 0"
        )


def when_actions_pay(transitions: Transitions, *, seed: int = 0) -> ActionsPay | None:
    """Tests when actions pay, by permutations within families; None where no act is followed by
    another of its seat, or rewards or actions are all one.
    """
    rewards = transitions.rewards.astype(np.float64)
    if not len(rewards) or not np.ptp(rewards) > 0:
        return None
    order = make_rng(derive_seed(seed, "when actions pay")).permutation(len(rewards))
    rows = np.sort(order[:MAX_ROWS])
    next_rows = transitions.with_next_rows().next_rows
    assert next_rows is not None
    followed = rows[next_rows[rows] >= 0]
    actions = torch.from_numpy(np.asarray(transitions.actions[rows], dtype=np.float32))
    if not len(followed) or bool((actions == actions[0]).all()):
        return None
    family = transitions.family_index
    before = torch.from_numpy(np.asarray(transitions.actions[followed], dtype=np.float32))
    return ActionsPay(
        own_p=agreement_p(actions, rewards[rows], family[rows], seed=seed),
        next_p=agreement_p(before, rewards[next_rows[followed]], family[followed], seed=seed),
    )
