"""A planner as an argument: the folder of a checkpoint, or a steered agent by name or file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from simworld.core.errors import InputError

if TYPE_CHECKING:
    from agents.steering.checkpoint import Checkpoint


def load_planner(name: str) -> Checkpoint:
    """The checkpoint that is meant. Raises InputError."""
    from agents import find_specs
    from agents.steering.checkpoint import checkpoint_from_folder, load_checkpoint

    if os.path.isdir(name):
        return load_checkpoint(Path(name))
    try:
        (loaded,) = find_specs([name])
    except InputError as error:
        if os.path.isfile(name):
            raise
        raise InputError(
            f"{name!r} is neither the folder of a checkpoint nor a steered agent"
        ) from error
    if loaded.planner is None:
        raise InputError(f"agent {name!r} has no planner; give a steered agent, or a folder")
    return checkpoint_from_folder(loaded.planner)


def check_encoder(checkpoint: Checkpoint, encoder_id: str) -> None:
    """Raises InputError where a dataset's states are not those that a planner reads."""
    own = checkpoint.info.encoder.id
    if encoder_id != own:
        raise InputError(
            f"the dataset's states were made by encoder {encoder_id}; planner"
            f" {checkpoint.id[:11]}… reads those of {own}"
        )
