"""A file of slopes. They belong to replies and not to rewards: it serves every dataset in which these replies are."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from simworld.core.errors import InputError
from simworld.training.transitions import Transitions

Floats = NDArray[np.float32]


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
        with path.open("rb") as opened, np.load(opened) as file:
            slopes, actions, seats = (
                np.asarray(file["slopes"], dtype=np.float32),
                file["actions"],
                file["seats"].tolist(),
            )
    except (OSError, ValueError, KeyError, BadZipFile) as error:
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
