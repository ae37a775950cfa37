"""The state of a training in one file, so that it can go on: of one moment, and known by what makes
it that training.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from simworld.core.errors import InputError


def save_progress(
    file: Path, tensors: Mapping[str, Tensor], place: Mapping[str, Any], identity: Mapping[str, Any]
) -> None:
    """Replaces the file as a whole.

    Args:
        file: its folder is made.
        tensors: of the learner.
        place: how far it has come, plain JSON.
        identity: what makes this training itself, plain JSON; going on with another is refused.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    written = file.with_name(f".{file.name}.{os.getpid()}")
    save_file(
        {name: tensor.detach().contiguous() for name, tensor in tensors.items()},
        written,
        metadata={"place": json.dumps(place), "training": json.dumps(identity, sort_keys=True)},
    )
    os.replace(written, file)


def load_progress(
    file: Path, identity: Mapping[str, Any]
) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """The tensors and the place that were saved last; None where there is no file.

    Raises InputError for a damaged file, or one of another training.
    """
    if not file.exists():
        return None
    try:
        with safe_open(file, framework="pt") as opened:
            metadata = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (no mapping)
        place, before = json.loads(metadata["place"]), json.loads(metadata["training"])
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise InputError(
            f"{file}: not the state of a training: {error}; delete it to start afresh"
        ) from None
    now = json.loads(json.dumps(identity))
    if changed := [key for key in sorted({*before, *now}) if before.get(key) != now.get(key)]:
        raise InputError(
            f"{file}: is of a training with another {', '.join(changed)}; train into another"
            " folder, or delete it"
        )
    return tensors, place
