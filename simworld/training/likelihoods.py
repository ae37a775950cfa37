"""The slopes of a dataset's replies: ∇ₐ log p(reply | state, a) at the action of each transition, kept in a file.

They belong to replies and not to rewards: a file of them serves every dataset in which these replies are, whatever it rewards.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from agents.steering.checkpoint import Checkpoint
from simworld.core.errors import InputError
from simworld.core.seeding import derive_seed
from simworld.training.folder import load_meta, load_transitions
from simworld.training.replies import Episodes, Sample, steered_replies
from simworld.training.slopes import slope
from simworld.training.teacher import Teacher
from simworld.training.transitions import Transitions

Floats = NDArray[np.float32]


def dataset_slopes(
    store: Episodes,
    teacher: Teacher,
    checkpoint: Checkpoint,
    dataset: Path,
    *,
    most: int,
    seed: int = 0,
    on_progress: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> Floats:
    """Slopes (N, d') for a dataset's transitions, NaN where they were not taken.

    Args:
        store: the dataset's episodes.
        teacher: around the language model that played them, with the checkpoint's position.
        checkpoint: what the episodes were played with; its up-mapping turns actions into prefixes.
        dataset: its folder.
        most: transitions that are read back, at most; whole seats of episodes, evenly over families.
        seed: of the choice.
        on_progress: told after each seat.

    Raises:
        InputError: actions of another size than the checkpoint's, or replies drawn at temperature 0.
    """
    transitions = load_transitions(dataset)
    if transitions.actions.shape[1] != checkpoint.info.d_action:
        raise InputError(
            f"the dataset's actions have {transitions.actions.shape[1]} numbers, those of checkpoint {checkpoint.id[:11]}… "
            f"{checkpoint.info.d_action}; take the checkpoint that the episodes were played with"
        )
    rows_of = _chosen(transitions, most, seed)
    found = np.full(transitions.actions.shape, np.nan, dtype=np.float32)
    total = len(rows_of)
    waiting: dict[str, list[tuple[Sample, Floats]]] = defaultdict(list)
    for run in load_meta(dataset).query.runs or (None,):
        for sample, action in steered_replies(store, model_id=checkpoint.info.lm_id, run=run):
            if (name := f"{sample.episode}/{sample.observation.seat}") in rows_of:
                waiting[name].append((sample, action))
    for done, (name, rows) in enumerate(rows_of.items(), 1):
        left = list(rows)
        for sample, action in waiting[name]:
            row = next((row for row in left if np.array_equal(transitions.actions[row], action)), None)
            if row is None:
                continue
            left.remove(row)  # one action may stand in several rows
            for lesson in teacher.lessons([sample]):  # none where it does not fit the model's context
                found[row] = slope(teacher, lesson, checkpoint.upmap, torch.tensor(action)).numpy()
        on_progress(done, total, "slopes")
    return found


def save_slopes(path: Path, slopes: Floats, transitions: Transitions, checkpoint: str) -> None:
    """Writes the slopes of transitions (N, d'), as far as they are known, all or nothing.

    Beside them stand the replies that they are of, and the id of the checkpoint that these were played with.
    """
    read = np.unique(transitions.episode[np.isfinite(slopes).all(1)])
    rows = np.flatnonzero(np.isin(transitions.episode, read))  # whole seats: what stands where is told by their order
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_name(f".{path.name}.{os.getpid()}.npz")
    np.savez(
        written,
        slopes=slopes[rows],
        actions=transitions.actions[rows],
        seats=np.array([transitions.episodes[episode] for episode in transitions.episode[rows]], dtype=np.str_),
        checkpoint=np.array(checkpoint),
    )
    os.replace(written, path)


def load_slopes(path: Path, transitions: Transitions) -> Floats:
    """Slopes (N, d') for transitions, NaN for those that the file does not have. Raises InputError where it has none of them."""
    try:
        with np.load(path) as file:
            slopes, actions, seats = (
                np.asarray(file["slopes"], dtype=np.float32),
                file["actions"],
                file["seats"].tolist(),
            )
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path}: no slopes of replies ({error}); simworld train slopes makes them") from None
    rows = dict(zip(_names(seats, actions), range(len(slopes)), strict=True))
    of = [transitions.episodes[episode] for episode in transitions.episode]
    wanted = [rows.get(name, -1) for name in _names(of, transitions.actions)]
    found = np.full(transitions.actions.shape, np.nan, dtype=np.float32)
    known = np.array(wanted) >= 0
    if not known.any():
        raise InputError(
            f"{path}: its {len(slopes)} slopes are of other replies than the dataset's {len(of)}; "
            "make them again with simworld train slopes"
        )
    found[known] = slopes[np.array(wanted)[known]]
    return found


def _names(seats: Sequence[str], actions: NDArray[np.float32]) -> list[tuple[str, bytes, int]]:
    """What tells transitions apart: the seat, the action, and how many before it in the seat had the same one."""
    before: Counter[tuple[str, bytes]] = Counter()
    names = []
    for seat, action in zip(seats, actions, strict=True):
        key = (seat, np.asarray(action, dtype=np.float32).tobytes())
        names.append((*key, before[key]))
        before[key] += 1
    return names


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
