"""The state of a training in one file, so that it can go on: of one moment, and known by what makes
it that training.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from simworld.core.errors import InputError

VERSION = 2  # of the file's layout; a training that another version began is refused


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingFile:
    """Where a training keeps its state until it ends."""

    path: Path  # its folder is made
    identity: Mapping[str, Any]  # what makes this training itself, plain JSON

    def save(self, tensors: Mapping[str, Tensor], position: Mapping[str, Any]) -> None:
        """Replaces the file as a whole.

        Args:
            tensors: all that later steps depend on.
            position: how far the training has come, plain JSON.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        written = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        save_file(
            {name: tensor.detach().contiguous() for name, tensor in tensors.items()},
            written,
            metadata={"place": json.dumps(position), "training": self._identity()},
        )
        os.replace(written, self.path)

    def load(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """The tensors and the position that were saved last; None where there is no file.

        Raises InputError for a damaged file, or one of another training.
        """
        if not self.path.exists():
            return None
        try:
            with safe_open(self.path, framework="pt") as opened:
                metadata = opened.metadata() or {}
                tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (no mapping)
            position, before = json.loads(metadata["place"]), json.loads(metadata["training"])
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            raise InputError(
                f"{self.path}: not the state of a training: {error}; delete it to start afresh"
            ) from None
        now = json.loads(self._identity())
        if changed := [key for key in sorted({*before, *now}) if before.get(key) != now.get(key)]:
            raise InputError(
                f"{self.path}: is of a training with another {', '.join(changed)}; train into"
                " another folder, or delete it"
            )
        return tensors, position

    def _identity(self) -> str:
        return json.dumps({**self.identity, "version": VERSION}, sort_keys=True)


def optimiser_state(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's moments and counters as "<parameter's number>.<name>"; empty before its first
    step.
    """
    state = optimiser.state_dict()["state"]
    return {
        f"{number}.{name}": value
        for number, values in state.items()
        for name, value in values.items()
    }


def load_optimiser(optimiser: torch.optim.Optimizer, state: Mapping[str, Tensor]) -> None:
    """Makes the optimiser go on from what `optimiser_state` gave."""
    whole = optimiser.state_dict()
    whole["state"] = {}
    for key, value in state.items():
        number, _, name = key.partition(".")
        whole["state"].setdefault(int(number), {})[name] = value.clone()
    optimiser.load_state_dict(whole)


def prefixed(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors under "<prefix>.<name>"."""
    return {f"{prefix}.{name}": value for name, value in state.items()}


def under(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors that `prefixed` put under a prefix."""
    start = prefix + "."
    return {
        name.removeprefix(start): value for name, value in state.items() if name.startswith(start)
    }
