"""Transitions in arrays, in memory or mapped from files; learners draw their batches from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.steering.planner import Normalizer

# read at a time, for they may be mapped from a file
ACTION_ROWS = 8192
STATE_ROWS = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitionBatch:
    """Some transitions, float32."""

    state: Tensor  # (B, d_s)
    action: Tensor  # (B, d')
    reward: Tensor  # (B,)
    next_state: Tensor  # (B, d_s); of no meaning where `terminal`
    terminal: Tensor  # (B,), 1 or 0
    # (B, d'), of no meaning where not `follows`; only from `followed` transitions
    next_action: Tensor | None = None
    follows: Tensor | None = None  # (B,), 1 where a next action is known, else 0

    def standardised(self, normalizer: Normalizer) -> TransitionBatch:
        """Gives the same batch with standardised states."""
        return replace(
            self,
            state=normalizer.standardise(self.state),
            next_state=normalizer.standardise(self.next_state),
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
    state: NDArray[np.int64]  # (N,) rows of `states`
    next_state: NDArray[np.int64]  # (N,) rows of `states`
    terminal: NDArray[np.bool_]  # (N,)
    episode: NDArray[np.int64]  # (N,) rows of `episodes`
    turn: NDArray[np.int64]  # (N,) of the act in its episode, from 0
    family: NDArray[np.int64]  # (N,) rows of `families`
    episodes: Sequence[str]  # by episode and seat: "<episode id>/<seat>"
    families: Sequence[str]
    # (N,) the row that follows, or -1; `followed` finds it
    next_row: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.rewards)

    def at(self, rows: NDArray[np.int64]) -> TransitionBatch:
        """Gives the transitions of some rows, in their order."""
        after = None if self.next_row is None else self.next_row[rows]
        return TransitionBatch(
            state=torch.from_numpy(self.states[self.state[rows]]),
            action=torch.from_numpy(self.actions[rows]),
            reward=torch.from_numpy(self.rewards[rows]),
            next_state=torch.from_numpy(self.states[self.next_state[rows]]),
            terminal=torch.from_numpy(self.terminal[rows].astype(np.float32)),
            next_action=None if after is None else torch.from_numpy(self.actions[after]),
            follows=None if after is None else torch.from_numpy((after >= 0).astype(np.float32)),
        )

    @property
    def episode_families(self) -> NDArray[np.int64]:
        """The family of each episode, (E,); 0 for one without transitions."""
        families = np.zeros(len(self.episodes), dtype=np.int64)
        families[self.episode] = self.family
        return families

    def episode_actions(self) -> NDArray[np.float64]:
        """Gives the mean action of each episode, (E, d'); 0 for one without transitions."""
        sums = np.zeros((len(self.episodes), self.actions.shape[1]))
        for start in range(0, len(self), ACTION_ROWS):
            part = slice(start, start + ACTION_ROWS)
            np.add.at(sums, self.episode[part], self.actions[part])
        counts = np.bincount(self.episode, minlength=len(sums))
        return sums / np.maximum(counts, 1)[:, None]

    def draw(self, generator: np.random.Generator, size: int) -> TransitionBatch:
        """Draws transitions evenly, with replacement."""
        return self.at(generator.integers(len(self), size=size))

    def take(self, rows: NDArray[np.int64]) -> Transitions:
        """Gives only some transitions, in the order of `rows`; states and names are shared."""
        return replace(
            self,
            actions=self.actions[rows],
            rewards=self.rewards[rows],
            state=self.state[rows],
            next_state=self.next_state[rows],
            terminal=self.terminal[rows],
            episode=self.episode[rows],
            turn=self.turn[rows],
            family=self.family[rows],
            next_row=None,
        )

    def followed(self) -> Transitions:
        """Gives the same transitions, each with the row of the next one in its episode."""
        row_of = np.full(len(self.states), -1, dtype=np.int64)
        row_of[self.state] = np.arange(len(self))
        return replace(self, next_row=np.where(self.terminal, -1, row_of[self.next_state]))
