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

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from simworld.core.errors import InputError

LAYOUT_VERSION = 2  # of the file's layout; a training that another version began is refused

StateParts = Mapping[str, nn.Module | Optimizer]  # by name


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
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        save_file(
            {name: tensor.detach().contiguous() for name, tensor in tensors.items()},
            temporary,
            metadata={"place": json.dumps(position), "training": self._identity_json()},
        )
        os.replace(temporary, self.path)

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
            position, saved = json.loads(metadata["place"]), json.loads(metadata["training"])
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            raise InputError(
                f"{self.path}: not the state of a training: {error}; delete it to start afresh"
            ) from None
        identity = json.loads(self._identity_json())
        keys = sorted({*saved, *identity})
        if differing := [key for key in keys if saved.get(key) != identity.get(key)]:
            raise InputError(
                f"{self.path}: is of a training with another {', '.join(differing)}; train into"
                " another folder, or delete it"
            )
        return tensors, position

    def _identity_json(self) -> str:
        return json.dumps({**self.identity, "version": LAYOUT_VERSION}, sort_keys=True)


def collect_tensors(parts: StateParts) -> dict[str, Tensor]:
    """The weights of modules, and the moments and counters of optimisers, as "<part>.<name>". They
    share memory.
    """
    tensors: dict[str, Tensor] = {}
    for prefix, part in parts.items():
        if isinstance(part, nn.Module):
            tensors |= add_prefix(prefix, part.state_dict())
            continue
        for number, values in part.state_dict()["state"].items():
            tensors |= add_prefix(f"{prefix}.{number}", values)
    return tensors


def load_tensors(parts: StateParts, tensors: Mapping[str, Tensor]) -> None:
    """Makes modules and optimisers go on from what `collect_tensors` gave."""
    for prefix, part in parts.items():
        if isinstance(part, nn.Module):
            part.load_state_dict(strip_prefix(prefix, tensors))
            continue
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in strip_prefix(prefix, tensors).items():
            number, _, name = key.partition(".")
            state.setdefault(int(number), {})[name] = value.clone()
        part.load_state_dict(part.state_dict() | {"state": state})


def add_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors under "<prefix>.<name>"."""
    return {f"{prefix}.{name}": value for name, value in tensors.items()}


def strip_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors that `add_prefix` put under a prefix."""
    stem = prefix + "."
    return {
        name.removeprefix(stem): value for name, value in tensors.items() if name.startswith(stem)
    }
