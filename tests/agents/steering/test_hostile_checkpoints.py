"""Checkpoint folders that were damaged or made to harm: one line for each problem, at once, and in
little memory."""

from __future__ import annotations

import json
import os
import socket
import struct
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save, save_file

from agents.steering.checkpoint import Checkpoint, save_checkpoint
from agents.steering.checkpoint_folder import read_folder
from simworld.core.errors import InputError

Make = Callable[..., Checkpoint]


@pytest.fixture
def folder(tmp_path: Path, make_checkpoint: Make) -> Path:
    return save_checkpoint(tmp_path / "planner", make_checkpoint("actor", data={"sha256": "x"}))


def problems(folder: Path) -> list[str]:
    tracemalloc.start()
    try:
        with pytest.raises(InputError) as refused:
            read_folder(folder)
        assert tracemalloc.get_traced_memory()[1] < 200_000_000
    finally:
        tracemalloc.stop()
    texts = [str(problem).replace(f"{folder}", "F") for problem in refused.value.problems]
    assert all(len(text) < 400 and "\n" not in text for text in texts)
    return texts


@pytest.mark.parametrize("name", ["planner.json", "planner.safetensors"])
def test_what_is_no_file(folder: Path, name: str) -> None:
    path = folder / name

    def replaced(make: Callable[[], object]) -> list[str]:
        path.unlink()
        make()
        found = problems(folder)
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        path.touch()
        return found

    pipe = f"F/{name}: is a pipe, a socket or a device; expected a file"
    assert replaced(lambda: os.mkfifo(path)) == [pipe]
    assert replaced(lambda: path.symlink_to("/dev/zero")) == [pipe]
    with socket.socket(socket.AF_UNIX) as listening:
        place = os.getcwd()
        os.chdir(folder)  # the name of a socket may not be long
        try:
            assert replaced(lambda: listening.bind(name)) == [pipe]
        finally:
            os.chdir(place)
    assert replaced(path.mkdir) == [f"F/{name}: is a folder; expected a file"]
    assert replaced(lambda: path.symlink_to("absent")) == [f"F/{name}: is a link to nothing"]
    assert replaced(lambda: path.symlink_to(name))[0].startswith(f"F/{name}: cannot be read: ")


def test_files_that_are_too_large(folder: Path) -> None:
    for name, most in (("planner.json", 4), ("planner.safetensors", 512)):
        with (folder / name).open("wb") as file:
            file.truncate(1 << 40)  # a terabyte that takes no room
        assert f"F/{name}: is larger than {most} MiB, the most that is read here" in problems(
            folder
        )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 100_000, "invalid JSON: recursion limit exceeded"),
        ('{"data": ' + '{"a": ' * 100_000, "invalid JSON: recursion limit exceeded"),
        ("[]", "expected a mapping"),
        ("\ud800", "invalid JSON"),
        ('{"lm_id": "\\ud800"}', "invalid JSON"),
        ("", "invalid JSON: EOF"),
        (json.dumps(dict.fromkeys(map(str, range(60_000)), 0)), "more problems"),
    ],
)
def test_json_that_is_no_description(folder: Path, text: str, said: str) -> None:
    (folder / "planner.json").write_bytes(text.encode(errors="surrogatepass"))
    found = problems(folder)
    assert any(said in line for line in found)
    assert len(found) < 150


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ('"data": {"rows": 1' + "0" * 5000 + "}", "invalid JSON: number out of range"),
        ('"data": {"rows": NaN}', "data: holds something that is not plain JSON"),
        ('"ways": 1' + "0" * 30, "ways: expected at most"),
        ('"act_norm": 1e999', "act_norm: expected a finite number"),
        ('"actor": {"hidden": [' + "1," * 100_000 + '1], "projection": "sphere"}', "actor.hidden: expected at most 64"),
        ('"d_state": 999999, "encoder": {"kind": "text", "id": "e"}', "'mean' has the shape (4,); expected (999999,)"),
    ],
)  # fmt: skip
def test_numbers_that_are_no_description(folder: Path, changes: str, said: str) -> None:
    text = (folder / "planner.json").read_text().rstrip().removesuffix("}")
    (folder / "planner.json").write_text(f"{text}, {changes}}}")
    assert any(said in line for line in problems(folder))


def header(**tensors: Any) -> bytes:
    text = json.dumps(tensors).encode()
    return struct.pack("<Q", len(text)) + text


LYING = {
    "a length beyond the file": struct.pack("<Q", 1000) + b"{}",
    "a huge length": struct.pack("<Q", 2**63) + b"{}",
    "a long header": struct.pack("<Q", 1 << 24) + b" " * (1 << 24),
    "no JSON": struct.pack("<Q", 2) + b"\xff\xff",
    "offsets outside": header(mean={"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}),
    "offsets backwards": (
        header(mean={"dtype": "F32", "shape": [4], "data_offsets": [16, 0]}) + bytes(16)
    ),
    "a shape that does not fit": (
        header(mean={"dtype": "F32", "shape": [5], "data_offsets": [0, 16]}) + bytes(16)
    ),
    "an endless shape": (
        header(mean={"dtype": "F32", "shape": [2**62, 2**62], "data_offsets": [0, 16]}) + bytes(16)
    ),
    "a negative shape": (
        header(mean={"dtype": "F32", "shape": [-4], "data_offsets": [0, 16]}) + bytes(16)
    ),
    "another number format": (
        header(mean={"dtype": "F8_E5M2", "shape": [16], "data_offsets": [0, 16]}) + bytes(16)
    ),
    "no format": header(mean={"dtype": "X", "shape": [4], "data_offsets": [0, 16]}) + bytes(16),
    "a deep header": struct.pack("<Q", 300_000) + b'{"a":' * 60_000,
    "zeros": bytes(64),
    "nothing": b"",
    "a pickle": b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00.",
}


@pytest.mark.parametrize("raw", list(LYING.values()), ids=list(LYING))
def test_headers_that_lie(folder: Path, raw: bytes) -> None:
    (folder / "planner.safetensors").write_bytes(raw)
    assert any(
        "not a safetensors file of float32" in line or "is missing" in line
        for line in problems(folder)
    )


def test_many_tensors_are_not_many_lines(folder: Path) -> None:
    arrays = load_file(folder / "planner.safetensors")
    many = {f"t{i}": np.zeros(0, np.float32) for i in range(5000)}
    (folder / "planner.safetensors").write_bytes(save(arrays | many))
    found = problems(folder)
    assert len(found) == 6
    assert found[-1] == "F/planner.safetensors: … and 4,995 more tensors are not known"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"actor.net.0.weight": np.nan}, "tensor 'actor.net.0.weight' holds a number that is not finite"),
        ({"upmap.weight": np.inf}, "tensor 'upmap.weight' holds a number that is not finite"),
        ({"upmap.weight": 0}, "its prefixes are all zero, so it cannot steer; tensor 'upmap.weight' is zero"),
        ({"upmap.weight": 3e38}, "its prefixes are not finite; tensor 'upmap.weight' is too large"),
        ({"actor.net.2.weight": 0, "actor.net.2.bias": 0}, "its planner's actions are all zero, so it cannot steer"),
        ({"actor.net.0.weight": 1e38, "actor.net.2.weight": 1e38}, "its planner's actions are not finite"),
        ({"std": 1e-45}, "its planner's actions are not finite; its weights are too large"),
    ],
)  # fmt: skip
def test_weights_that_cannot_steer(folder: Path, changes: dict[str, float], said: str) -> None:
    arrays = load_file(folder / "planner.safetensors")
    made = {name: np.full_like(arrays[name], value) for name, value in changes.items()}
    save_file(arrays | made, folder / "planner.safetensors")
    assert [line for line in problems(folder) if said in line]


def test_a_constant_that_says_nothing(tmp_path: Path, make_checkpoint: Make) -> None:
    folder = save_checkpoint(tmp_path / "planner", make_checkpoint("constant"))
    arrays = load_file(folder / "planner.safetensors")
    save_file(arrays | {"constant": np.zeros(2, np.float32)}, folder / "planner.safetensors")
    said = "its constant action's numbers are all zero, so it cannot steer"
    assert problems(folder) == [f"F/planner.safetensors: {said}"]


def test_a_folder_of_many_entries_is_read_and_not_overwritten(
    tmp_path: Path, make_checkpoint: Make
) -> None:
    made = make_checkpoint("actor")
    folder = save_checkpoint(tmp_path / "planner", made)
    for number in range(2000):
        (folder / f"{number:04}").touch()
    assert read_folder(folder).id == made.id
    with pytest.raises(InputError, match=r"holds other files \(.{1,60}\); choose another folder"):
        save_checkpoint(folder, made)


@pytest.mark.parametrize("seed", range(60))
def test_bytes_that_changed(folder: Path, seed: int) -> None:
    """Whatever a disk does to a checkpoint, it is read or refused."""
    random = np.random.default_rng(seed)
    path = folder / ("planner.json", "planner.safetensors")[seed % 2]
    raw = bytearray(path.read_bytes())
    for place in random.integers(len(raw), size=random.integers(1, 8)):
        raw[place] = random.integers(256)
    path.write_bytes(raw[: random.integers(len(raw))] if seed % 5 == 0 else raw)
    said = ""
    with suppress(InputError):
        read_folder(folder)
        said = "read"
    if said != "read":
        problems(folder)
