"""A file of slopes. They belong to replies and not to rewards: it serves every dataset in which these replies are."""

from __future__ import annotations

import os
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
    rows = np.flatnonzero(np.isfinite(slopes).all(1))
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_name(f".{path.name}.{os.getpid()}.npz")
    np.savez(
        written,
        slopes=slopes[rows],
        seats=np.array([transitions.episodes[episode] for episode in transitions.episode[rows]], dtype=np.str_),
        turns=transitions.turn[rows],
        checkpoint=np.array(checkpoint),
    )
    os.replace(written, path)


def load_slopes(path: Path, transitions: Transitions) -> Floats:
    """Slopes (N, d') for transitions, NaN for those that the file does not have. Raises InputError where it has none of them."""
    try:
        with path.open("rb") as opened, np.load(opened) as file:
            slopes = file["slopes"]
            replies = list(zip(file["seats"].tolist(), file["turns"].tolist(), strict=True))
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise InputError(f"{path}: no slopes of replies ({error}); simworld train slopes makes them") from None
    row_of = {reply: row for row, reply in enumerate(replies)}
    seats = (transitions.episodes[episode] for episode in transitions.episode)
    rows = np.array([row_of.get(reply, -1) for reply in zip(seats, transitions.turn.tolist(), strict=True)])
    if not (rows >= 0).any() or slopes.shape[1:] != transitions.actions.shape[1:]:
        raise InputError(
            f"{path}: its {len(slopes)} slopes are of other replies than the dataset's {len(rows)}, or of other actions; "
            "make them again with simworld train slopes"
        )
    found = np.full(transitions.actions.shape, np.nan, dtype=np.float32)
    found[rows >= 0] = slopes[rows[rows >= 0]]
    return found
