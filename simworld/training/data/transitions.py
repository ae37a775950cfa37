"""Transitions in arrays, in memory or mapped from files; learners draw their batches from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.steering.normalizer import Normalizer

# read at a time, for they may be mapped from a file
ACTION_ROWS = 8192
STATE_ROWS = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitionBatch:
    """Some transitions, float32."""

    states: Tensor  # (B, d_s)
    actions: Tensor  # (B, d')
    rewards: Tensor  # (B,)
    next_states: Tensor  # (B, d_s); of no meaning where `terminal`
    terminals: Tensor  # (B,), 1 or 0
    # (B, d'), of no meaning where not `has_next`; only after `with_next_rows`
    next_actions: Tensor | None = None
    has_next: Tensor | None = None  # (B,), 1 where a next action is known, else 0

    def standardised(self, normalizer: Normalizer) -> TransitionBatch:
        """Gives the same batch with standardised states."""
        return replace(
            self,
            states=normalizer.standardise(self.states),
            next_states=normalizer.standardise(self.next_states),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Transitions:
    """N transitions over M ≥ N states; large arrays may be memory-mapped.

    States are stored once: a transition names its own state and the next one by row. Behind the
    last transition of an episode that was cut from outside stands a state without a transition; a
    terminal transition names its own state as the next.
    """

    states: NDArray[np.float32]  # (M, d_s)
    actions: NDArray[np.float32]  # (N, d')
    rewards: NDArray[np.float32]  # (N,)
    state_rows: NDArray[np.int64]  # (N,) rows of `states`
    next_state_rows: NDArray[np.int64]  # (N,) rows of `states`
    terminals: NDArray[np.bool_]  # (N,)
    episode_index: NDArray[np.int64]  # (N,) rows of `episode_names`
    turns: NDArray[np.int64]  # (N,) of the act in its episode, from 0
    family_index: NDArray[np.int64]  # (N,) rows of `family_names`
    episode_names: Sequence[str]  # by episode and seat: "<episode id>/<seat>"
    family_names: Sequence[str]
    # (N,) the row that follows, or -1; `with_next_rows` finds it
    next_rows: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.rewards)

    def batch(self, rows: NDArray[np.int64]) -> TransitionBatch:
        """Gives the transitions of some rows, in their order."""
        next_rows = None if self.next_rows is None else self.next_rows[rows]
        return TransitionBatch(
            states=torch.from_numpy(self.states[self.state_rows[rows]]),
            actions=torch.from_numpy(self.actions[rows]),
            rewards=torch.from_numpy(self.rewards[rows]),
            next_states=torch.from_numpy(self.states[self.next_state_rows[rows]]),
            terminals=torch.from_numpy(self.terminals[rows].astype(np.float32)),
            next_actions=None if next_rows is None else torch.from_numpy(self.actions[next_rows]),
            has_next=None
            if next_rows is None
            else torch.from_numpy((next_rows >= 0).astype(np.float32)),
        )

    @property
    def episode_families(self) -> NDArray[np.int64]:
        """The family of each episode, (E,); 0 for one without transitions."""
        families = np.zeros(len(self.episode_names), dtype=np.int64)
        families[self.episode_index] = self.family_index
        return families

    def episode_actions(self) -> NDArray[np.float64]:
        """Gives the mean action of each episode, (E, d'); 0 for one without transitions."""
        sums = np.zeros((len(self.episode_names), self.actions.shape[1]))
        for start in range(0, len(self), ACTION_ROWS):
            chunk = slice(start, start + ACTION_ROWS)
            np.add.at(sums, self.episode_index[chunk], self.actions[chunk])
        counts = np.bincount(self.episode_index, minlength=len(sums))
        return sums / np.maximum(counts, 1)[:, None]

    def sample(self, rng: np.random.Generator, batch_size: int) -> TransitionBatch:
        """Draws transitions evenly, with replacement."""
        return self.batch(rng.integers(len(self), size=batch_size))

    def select(self, rows: NDArray[np.int64]) -> Transitions:
        """Gives only some transitions, in the order of `rows`; states and names are shared."""
        return replace(
            self,
            actions=self.actions[rows],
            rewards=self.rewards[rows],
            state_rows=self.state_rows[rows],
            next_state_rows=self.next_state_rows[rows],
            terminals=self.terminals[rows],
            episode_index=self.episode_index[rows],
            turns=self.turns[rows],
            family_index=self.family_index[rows],
            next_rows=None,
        )

    def with_next_rows(self) -> Transitions:
        """Gives the same transitions, each with the row of the next one in its episode."""
        row_of = np.full(len(self.states), -1, dtype=np.int64)
        row_of[self.state_rows] = np.arange(len(self))
        return replace(self, next_rows=np.where(self.terminals, -1, row_of[self.next_state_rows]))
