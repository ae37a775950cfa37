"""The slopes of a dataset's replies, read back out of the store: ∇ₐ log p(reply | state, a) at the action of each transition."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from agents.steering.checkpoint import Checkpoint
from simworld.core.errors import InputError
from simworld.core.seeding import derive_seed
from simworld.training.replies import Episodes, Sample, steered_replies
from simworld.training.slopes import slope
from simworld.training.teacher import Teacher
from simworld.training.transitions import Transitions

Floats = NDArray[np.float32]


def dataset_slopes(
    store: Episodes,
    teacher: Teacher,
    checkpoint: Checkpoint,
    transitions: Transitions,
    *,
    runs: Sequence[str],
    most: int,
    seed: int = 0,
    on_progress: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> Floats:
    """Slopes (N, d') for a dataset's transitions, NaN where they were not taken.

    Args:
        store: the dataset's episodes.
        teacher: around the language model that played them, with the checkpoint's position.
        checkpoint: what the episodes were played with; its up-mapping turns actions into prefixes.
        transitions: of the dataset.
        runs: that its query names; none: all.
        most: transitions that are read back, at most; whole seats of episodes, evenly over families.
        seed: of the choice.
        on_progress: told after each seat.

    Raises:
        InputError: actions of another size than the checkpoint's, or replies drawn at temperature 0.
    """
    if transitions.actions.shape[1] != checkpoint.info.d_action:
        raise InputError(
            f"the dataset's actions have {transitions.actions.shape[1]} numbers, those of checkpoint {checkpoint.id[:11]}… "
            f"{checkpoint.info.d_action}; take the checkpoint that the episodes were played with"
        )
    rows_of = _chosen(transitions, most, seed)
    found = np.full(transitions.actions.shape, np.nan, dtype=np.float32)
    total = len(rows_of)
    waiting: dict[str, list[tuple[Sample, Floats]]] = defaultdict(list)
    for run in runs or (None,):
        for sample, action in steered_replies(store, model_id=checkpoint.info.lm_id, run=run):
            if (name := f"{sample.episode}/{sample.observation.seat}") in rows_of:
                waiting[name].append((sample, action))
    for done, (name, rows) in enumerate(rows_of.items(), 1):
        row_of = {int(transitions.turn[row]): row for row in rows}
        for sample, action in waiting[name]:
            if (row := row_of.get(sample.observation.turn)) is None:
                continue
            for lesson in teacher.lessons([sample]):  # none where it does not fit the model's context
                found[row] = slope(teacher, lesson, checkpoint.upmap, torch.tensor(action)).numpy()
        on_progress(done, total, "slopes")
    return found


def _chosen(transitions: Transitions, most: int, seed: int) -> dict[str, Sequence[int]]:
    """Seats of episodes and their rows: the first of each family, then the second, as long as there is room."""
    rows: dict[int, list[int]] = defaultdict(list)
    for row, episode in enumerate(transitions.episode.tolist()):
        rows[episode].append(row)
    by_family: dict[int, list[int]] = defaultdict(list)
    for episode in sorted(rows, key=lambda e: derive_seed("slopes", seed, transitions.episodes[e])):
        by_family[int(transitions.family[rows[episode][0]])].append(episode)
    ranked = sorted((rank, family, e) for family, of in by_family.items() for rank, e in enumerate(of))
    taken: dict[str, Sequence[int]] = {}
    left = most
    for _, _, episode in ranked:
        if len(rows[episode]) <= left:
            taken[transitions.episodes[episode]] = rows[episode]
            left -= len(rows[episode])
    return taken
