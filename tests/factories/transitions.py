"""Small datasets whose values are known by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from simworld.training.data.transitions import Transitions


def episodes(
    states: Sequence[Sequence[Sequence[float]]],
    actions: Sequence[Sequence[Sequence[float]]],
    rewards: Sequence[Sequence[float]],
    *,
    families: Sequence[str] | None = None,
    cut: Sequence[int] = (),
) -> Transitions:
    """Transitions of episodes; those in `cut` end without a terminal, with one state more than
    actions."""
    at, state, next_state, terminal, episode, turns = 0, [], [], [], [], []
    for number, taken in enumerate(actions):
        for turn in range(len(taken)):
            last = turn == len(taken) - 1
            ends = last and number not in cut
            state.append(at + turn)
            next_state.append(at + turn if ends else at + turn + 1)
            terminal.append(ends)
            episode.append(number)
            turns.append(2 * turn)  # another seat has the odd ones
        at += len(states[number])
    names = list(families or [f"family {number}" for number in range(len(actions))])
    order = sorted(set(names))
    return Transitions(
        states=np.concatenate([np.array(part, np.float32) for part in states]),
        actions=np.concatenate([np.array(part, np.float32) for part in actions]),
        rewards=np.concatenate([np.array(part, np.float32) for part in rewards]),
        state_rows=np.array(state),
        next_state_rows=np.array(next_state),
        terminals=np.array(terminal),
        episode_index=np.array(episode),
        turns=np.array(turns),
        family_index=np.array([order.index(names[number]) for number in episode]),
        episode_names=[f"e{number}/ann" for number in range(len(actions))],
        family_names=order,
    )


def directions(count: int, size: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Random actions on the sphere of radius √d', (count, d')."""
    raw = rng.normal(size=(count, size))
    scaled: NDArray[np.float32] = np.asarray(
        raw / np.linalg.norm(raw, axis=1, keepdims=True) * np.sqrt(size), np.float32
    )
    return scaled


def bandit(count: int = 60, *, size: int = 4, families: int = 6, seed: int = 0) -> Transitions:
    """Episodes of two turns; an action's reward is the cosine between it and the first axis,
    whatever the state."""
    rng = np.random.default_rng(seed)
    actions = directions(2 * count, size, rng).reshape(count, 2, size)
    return episodes(
        rng.normal(size=(count, 2, 3)).tolist(),
        actions.tolist(),
        (actions[..., 0] / np.sqrt(size)).tolist(),
        families=[f"family {number % families}" for number in range(count)],
    )
