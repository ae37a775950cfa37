"""Damaged planner folders, shown and loaded: one clear line, in bounded time and memory."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from agents.steering.checkpoint_folder import INFO_FILE, TENSORS_FILE
from tests.campaign.command import faults, run_command
from tests.campaign.files import refused
from tests.campaign.mutation import damage_bytes, damaged_tree, mutated
from tests.campaign.part import Outcome, Told, chance

AGENT = "name: steered\nmodel: builtin:smollm2-135m-instruct\nsteering: {planner: planner}\n"


class Checkpoints:
    """The part; each case damages a planner's folder, shows its agent and loads it."""

    def __init__(self, folder: Path) -> None:
        os.chdir(folder)
        Path("steered.yaml").write_text(AGENT, encoding="utf-8")
        library = Path(__file__).parents[2] / "agents" / "library" / "planners"
        self._whole = sorted(library.iterdir())
        self._planner = Path("planner")

    def run(self, seed: int, folder: Path, tell: Told) -> Outcome:
        """Damages a copy of a shipped planner and reads it."""
        draw = chance("checkpoints", seed)
        _clear(self._planner)
        shutil.copytree(draw.choice(self._whole), self._planner)
        how = draw.choice(WAYS)
        how(self._planner, draw)
        name = how.__name__.replace("_", " ")
        tell(f"agent show, {name}")
        shown = run_command(["agent", "show", "steered.yaml"])
        findings = faults(shown, kind=f"agent show, {name}")
        tell(f"loading, {name}")
        findings += refused(self._act, f"loading, {name}")
        return Outcome(
            counts={"folders": 1, "of them still good": int(shown.code == 0)},
            findings=tuple(findings),
        )

    def close(self) -> None:
        """Removes what was made."""
        _clear(self._planner)

    def _act(self) -> None:
        """What a turn asks of a planner: an action that is finite, and embeddings of it that
        are."""
        import torch  # here, for only this process needs it

        from agents.steering.checkpoint import load_checkpoint

        checkpoint = load_checkpoint(self._planner)
        if checkpoint.constant is None and checkpoint.actor is None:
            return
        action = checkpoint.choose_actions(torch.zeros(1, checkpoint.info.d_state))
        embeddings = checkpoint.upmap(action)
        if not torch.isfinite(embeddings).all():
            raise ArithmeticError("embeddings that are not finite")


def json_damaged(folder: Path, chance: random.Random) -> None:
    """Bytes, words and values of `planner.json`."""
    path = folder / INFO_FILE
    path.write_bytes(mutated(chance, path.read_text(encoding="utf-8")))


def json_value_damaged(folder: Path, chance: random.Random) -> None:
    """One value of `planner.json`, which stays JSON."""
    path = folder / INFO_FILE
    path.write_text(
        json.dumps(damaged_tree(chance, json.loads(path.read_bytes())), default=str),
        encoding="utf-8",
        errors="replace",
    )


def json_number_damaged(folder: Path, chance: random.Random) -> None:
    """One number of `planner.json` is another number."""
    path = folder / INFO_FILE
    data: dict[str, Any] = json.loads(path.read_bytes())
    key = chance.choice([name for name, value in data.items() if isinstance(value, int | float)])
    data[key] = chance.choice((0, -1, 1, 7, 10**6, 10**9, 10**18, 1e-30, 1e30, 1e308))
    path.write_text(json.dumps(data), encoding="utf-8")


def json_huge(folder: Path, chance: random.Random) -> None:
    """A `planner.json` that is deep or long."""
    text = chance.choice(
        (
            "[" * 200_000,
            '{"a":' * 100_000,
            '{"width": ' + "9" * 100_000 + "}",
            '"' + "x" * 50_000_000 + '"',
        )
    )
    (folder / INFO_FILE).write_text(text, encoding="utf-8")


def tensor_bytes_damaged(folder: Path, chance: random.Random) -> None:
    """Bytes of the tensors' file."""
    path = folder / TENSORS_FILE
    data = path.read_bytes()
    head = min(len(data), 600)  # where a change can be seen
    path.write_bytes(damage_bytes(chance, data[:head]) + data[head:])


def tensor_header_damaged(folder: Path, chance: random.Random) -> None:
    """The header tells lies about shapes, types and places."""
    path = folder / TENSORS_FILE
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    head = json.loads(data[8 : 8 + size])
    head = damaged_tree(chance, head)
    new = json.dumps(head, default=str).encode("utf-8", "replace")
    length = chance.choice((len(new), len(new), len(new), 2**63, 2**64 - 1, 0, 10**9))
    path.write_bytes(struct.pack("<Q", length) + new + data[8 + size :])


def tensor_values_damaged(folder: Path, chance: random.Random) -> None:
    """Tensors of other shapes, types and values."""
    path = folder / TENSORS_FILE
    tensors = load(path.read_bytes())
    name = chance.choice(sorted(tensors))
    old = tensors[name]
    changed: dict[str, Callable[[], np.ndarray[Any, Any]]] = {
        "zeros": lambda: np.zeros_like(old),
        "nan": lambda: np.full_like(old, np.nan),
        "inf": lambda: np.full_like(old, np.inf),
        "huge": lambda: np.full_like(old, 3e38),
        "tiny": lambda: np.full_like(old, 1e-45),
        "double": lambda: old.astype(np.float64),
        "half": lambda: old.astype(np.float16),
        "whole": lambda: old.astype(np.int64),
        "flat": lambda: old.reshape(-1, 1).copy(),
        "turned": lambda: np.ascontiguousarray(old.T),
        "cut": lambda: old[: len(old) // 2].copy(),
        "empty": lambda: old[:0].copy(),
    }
    tensors[name] = changed[chance.choice(sorted(changed))]()
    if chance.random() < 0.2:
        tensors["more"] = old
    path.write_bytes(save(tensors))


def file_replaced(folder: Path, chance: random.Random) -> None:
    """A file is missing, empty, a folder, a pipe, a device, a socket, a link to nothing or to
    itself, or has a terabyte."""
    path = folder / chance.choice((INFO_FILE, TENSORS_FILE))
    path.unlink()
    match chance.randrange(9):
        case 0:
            path.write_bytes(b"")
        case 1:
            path.mkdir()
        case 2:
            os.mkfifo(path)
        case 3:
            path.symlink_to(
                chance.choice(
                    ("/dev/zero", "/dev/random", "/dev/null", "/dev/stdin", "/proc/self/mem")
                )
            )
        case 4:
            path.symlink_to("/nowhere")
        case 5:
            path.symlink_to(path.name)
        case 6:
            with path.open("wb") as file:
                file.truncate(chance.choice((2**30, 2**36, 2**40)))
        case 7:
            with socket.socket(socket.AF_UNIX) as made:
                made.bind(os.path.relpath(path))
        case _:
            pass  # missing


def folder_replaced(folder: Path, chance: random.Random) -> None:
    """The folder is a file, a pipe, a link to itself or to another place, or holds a thousand
    files."""
    if chance.random() < 0.3:
        for number in range(1000):
            (folder / f"{number}.safetensors").touch()
        return
    shutil.rmtree(folder)
    match chance.randrange(4):
        case 0:
            folder.write_text("x", encoding="utf-8")
        case 1:
            os.mkfifo(folder)
        case 2:
            folder.symlink_to(folder.name)
        case _:
            folder.symlink_to(chance.choice(("/", "/proc", "/dev", "/proc/self/fd")))


WAYS = (
    json_damaged, json_value_damaged, json_number_damaged, json_huge, tensor_bytes_damaged,
    tensor_header_damaged, tensor_values_damaged, file_replaced, folder_replaced,
)  # fmt: skip


def _clear(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif os.path.lexists(path):
        path.unlink()
