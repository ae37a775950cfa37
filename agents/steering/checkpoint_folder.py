"""A checkpoint's folder: `planner.json` beside `planner.safetensors`, read, checked, hashed and
written without torch.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from agents.steering.checkpoint_info import CheckpointInfo
from simworld.core.errors import InputError, Problem
from simworld.yamlfile import problem_texts, read_regular_file, shorten

MAX_INFO_BYTES = 1 << 22  # bytes
MAX_TENSORS_BYTES = 1 << 29
MAX_HEADER_BYTES = 1 << 20
MAX_MESSAGE_CHARS = 200  # characters of another library's message
MAX_NAMES_LISTED = 5  # names of tensors in messages
INFO_FILE = "planner.json"
TENSORS_FILE = "planner.safetensors"
# what of `data` is content: the rest says where it lay
HASHED_DATA_KEYS = ("rows", "sha256", "settings")
Arrays = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlannerFolder:
    """A checkpoint as it lies in its folder."""

    path: Path
    info: CheckpointInfo
    arrays: Arrays
    id: str


def read_folder(folder: Path) -> PlannerFolder:
    """The checkpoint of a folder, checked. Raises InputError with every problem."""
    if not os.path.isdir(folder):  # False also for names that no file can have
        raise InputError("no such checkpoint folder", str(folder))
    problems: list[Problem] = []
    info: CheckpointInfo | None = None
    arrays: Arrays | None = None
    try:
        info = _read_info(folder / INFO_FILE)
    except InputError as error:
        problems += error.problems
    try:
        arrays = _read_tensors(folder / TENSORS_FILE)
    except InputError as error:
        problems += error.problems
    if info is not None and arrays is not None:
        problems += [
            Problem(text, str(folder / TENSORS_FILE)) for text in tensor_problems(info, arrays)
        ]
    if problems or info is None or arrays is None:
        raise InputError(problems)
    return PlannerFolder(path=folder, info=info, arrays=arrays, id=checkpoint_id(info, arrays))


def tensor_problems(info: CheckpointInfo, arrays: Arrays) -> list[str]:
    """The problems of tensors that do not fit the info, one line each; empty if all fit."""
    texts: list[str] = []
    if info.encoder.kind == "lm" and info.d_state != info.width + 1:
        texts.append(
            f"d_state is {info.d_state}; a state of this model has {info.width} + 1 numbers"
        )
    policies = {
        "an actor": info.actor is not None,
        "a constant action": info.constant,
        "blind actions": info.blind > 0,
    }
    if sum(policies.values()) > 1:
        found = " and ".join(name for name, has in policies.items() if has)
        texts.append(f"it has {found}; expected one of them at most")
    if info.way_words and len(info.way_words) != info.ways:
        texts.append(f"{len(info.way_words)} ways are described in words; it has {info.ways}")
    expected = _expected_shapes(info)
    texts += [f"tensor {name!r} is missing" for name in expected if name not in arrays]
    unknown = sorted(arrays.keys() - expected.keys())
    texts += [f"tensor {shorten(name)!r} is not known" for name in unknown[:MAX_NAMES_LISTED]]
    if len(unknown) > MAX_NAMES_LISTED:
        texts.append(f"… and {len(unknown) - MAX_NAMES_LISTED:,} more tensors are not known")
    for name, array in sorted(arrays.items()):
        if name not in expected:
            continue
        if array.dtype != np.float32:
            texts.append(f"tensor {name!r} is {array.dtype}; expected float32")
        elif array.shape != expected[name]:
            texts.append(f"tensor {name!r} has the shape {array.shape}; expected {expected[name]}")
        elif not np.isfinite(array).all():
            texts.append(f"tensor {name!r} holds a number that is not finite")
        elif name == "std" and not (array > 0).all():
            texts.append("tensor 'std' holds a number that is not above 0")
    if not texts and (useless := _why_useless(info, arrays)):
        texts.append(useless)
    if (
        info.given is not None
        and not texts
        and (info.format, info.given.content) != ("p1", content_hash(info, arrays))
    ):
        texts.append(
            f"its content is not what was given the id {info.given.id};"
            f" remove 'given' from {INFO_FILE}"
        )
    return texts


def _why_useless(info: CheckpointInfo, arrays: Arrays) -> str:
    """Why a checkpoint cannot steer in any state; empty if it can."""
    with np.errstate(all="ignore"):
        for label, actions in _sample_actions(info, arrays):
            if not np.isfinite(actions).all():
                return f"{label} are not finite; its weights are too large"
            if not actions.any():
                return f"{label} are all zero, so it cannot steer"
        prefixes = (
            np.ones(info.d_action, np.float32)
            * info.act_norm
            * info.embedding_norm
            @ arrays["upmap.weight"]
        )
        if not np.isfinite(prefixes).all():
            return "its prefixes are not finite; tensor 'upmap.weight' is too large"
        if not arrays["upmap.weight"].any():
            return "its prefixes are all zero, so it cannot steer; tensor 'upmap.weight' is zero"
    return ""


def _sample_actions(
    info: CheckpointInfo, arrays: Arrays
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Some of its actions before they are projected, and what they are called."""
    if info.constant:
        yield "its constant action's numbers", arrays["constant"]
    if info.blind:
        yield "its blind actions' numbers", arrays["blind"][:, 1:]
    if info.ways:
        yield "its ways of replying", arrays["ways"]
    if info.actor is not None:
        states = np.stack(
            [np.zeros(info.d_state, np.float32), np.ones(info.d_state, np.float32), arrays["mean"]]
        )
        actions = (states - arrays["mean"]) / arrays["std"]
        last = len(info.actor.hidden)
        for layer in range(last + 1):
            actions = (
                actions @ arrays[f"actor.net.{2 * layer}.weight"].T
                + arrays[f"actor.net.{2 * layer}.bias"]
            )
            actions = actions if layer == last else np.maximum(actions, 0)
        yield "its planner's actions", actions


def checkpoint_id(info: CheckpointInfo, arrays: Arrays) -> str:
    """The id of a checkpoint: `p2-` and its content's hash; of the first format `p1-` and the hash
    of that time.
    """
    if info.format == "p2":
        return content_hash(info, arrays)
    if info.given is not None and info.given.content == content_hash(info, arrays):
        return info.given.id
    described = info.model_dump(
        mode="json",
        exclude={
            "lm_spec": True,
            "metrics": True,
            "given": True,
            "way_words": True,
            "encoder": {"model"},
        },
    )
    for name in ("ways", "blind"):  # ids are as they were before there were any
        if not described[name]:
            del described[name]
    if info.actor is not None and info.actor.radius is None:
        del described["actor"]["radius"]
    return f"p1-{_digest(described, arrays)}"


def content_hash(info: CheckpointInfo, arrays: Arrays) -> str:
    """`p2-` and 128 bits of the SHA-256 of tensors and of what they mean, whatever places, models
    and parents were called.

    Of `data`, what was learned from and how. What has its default is left out, so that fields can
    come without changing ids.
    """
    words = {"format", "given", "lm_spec", "metrics", "data", "parent", "way_words"}
    described = info.model_dump(
        mode="json",
        exclude=dict.fromkeys(words, True) | {"encoder": {"model"}},
        exclude_defaults=True,
    )
    described["data"] = {name: info.data[name] for name in HASHED_DATA_KEYS if name in info.data}
    return f"p2-{_digest(described, arrays)}"


def _digest(described: Mapping[str, object], arrays: Arrays) -> str:
    digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
    for name in sorted(arrays):
        digest.update(f"\n{name} {arrays[name].shape}\n".encode())
        digest.update(np.ascontiguousarray(arrays[name], dtype="<f4").tobytes())
    return digest.hexdigest()[:32]


def write_folder(folder: Path, info: CheckpointInfo, arrays: Arrays) -> None:
    """Writes both files, all or nothing; an older checkpoint there is replaced.

    Raises InputError where the folder holds anything else, cannot be written, or where info and
    tensors do not fit.
    """
    from safetensors.numpy import save

    if texts := tensor_problems(info, arrays):
        raise InputError([Problem(text, str(folder)) for text in texts])
    check_writable(folder)
    work: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        new = work / "new"
        new.mkdir()
        unset = {name for name in ("given", "way_words") if not getattr(info, name)}
        text = info.model_dump_json(indent=1, exclude=unset)
        (new / INFO_FILE).write_text(text + "\n", encoding="utf-8")
        # Its own save_file makes a file that nobody else may read, whatever the umask says.
        (new / TENSORS_FILE).write_bytes(
            save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
        )
        if folder.exists():
            os.rename(folder, work / "old")
        os.rename(new, folder)
    except OSError as error:
        raise InputError(
            f"{folder}: the checkpoint cannot be written: {error.strerror or error}"
        ) from None
    finally:
        if work is not None:
            shutil.rmtree(work, ignore_errors=True)


def _read_info(path: Path) -> CheckpointInfo:
    try:
        return CheckpointInfo.model_validate_json(
            read_regular_file(path, MAX_INFO_BYTES), strict=True
        )
    except ValidationError as error:
        raise InputError([Problem(text, str(path)) for text in problem_texts(error)]) from None


def _read_tensors(path: Path) -> Arrays:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    raw = read_regular_file(path, MAX_TENSORS_BYTES)
    try:
        if MAX_HEADER_BYTES < int.from_bytes(raw[:8], "little") < len(raw):
            raise ValueError(f"its header is longer than {MAX_HEADER_BYTES >> 20} MiB")
        return load(raw)
    except (SafetensorError, KeyError, ValueError) as error:  # damaged, or a dtype that numpy lacks
        message = (
            f"not a safetensors file of float32: {' '.join(str(error).split())[:MAX_MESSAGE_CHARS]}"
        )
        raise InputError(message, str(path)) from None


def _expected_shapes(info: CheckpointInfo) -> dict[str, tuple[int, ...]]:
    """The tensors that belong to a checkpoint, with their shapes."""
    shapes: dict[str, tuple[int, ...]] = {
        "upmap.weight": (info.d_action, info.tokens * info.width),
        "mean": (info.d_state,),
        "std": (info.d_state,),
    }
    if info.constant:
        shapes["constant"] = (info.d_action,)
    if info.blind:
        shapes["blind"] = (info.blind, 1 + info.d_action)
    if info.ways:
        shapes["ways"] = (info.ways, info.d_action)
    if info.actor is not None:
        layers = pairwise([info.d_state, *info.actor.hidden, info.d_action])
        for index, (before, after) in enumerate(layers):
            shapes[f"actor.net.{2 * index}.weight"] = (after, before)
            shapes[f"actor.net.{2 * index}.bias"] = (after,)
        if info.actor.radius is not None:
            shapes["actor.centre"] = (info.d_action,)
    return shapes


def check_writable(folder: Path) -> None:
    """Raises InputError for a folder that no checkpoint can be written to; also called before
    minutes of work.
    """
    try:
        os.lstat(folder)
    except FileNotFoundError:  # its parents are made when it is written
        return
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"{shorten(str(folder))}: the checkpoint cannot be written: {reason}"
        ) from None
    if not folder.is_dir() or folder.is_symlink():
        raise InputError(
            f"{folder}: exists and is not a folder; choose another name for the checkpoint"
        )
    with os.scandir(folder) as entries:  # of which there may be millions
        others = sorted(
            islice(
                (entry.name for entry in entries if entry.name not in (INFO_FILE, TENSORS_FILE)),
                MAX_NAMES_LISTED,
            )
        )
    if others:
        raise InputError(
            f"{folder}: holds other files ({shorten(', '.join(others))}); choose another folder"
        )
