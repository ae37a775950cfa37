from __future__ import annotations

import json
import os
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from agents.lm import load_backend
from agents.lm.local import model_files, weights
from agents.lm.local.fetch import builtin_presence
from agents.lm.local.weights import (
    BUILTIN_MODELS,
    PackagedModel,
    builtin_weights,
    convert_gguf,
    hf_weights,
    is_converted,
)
from agents.lm.server.options import ServerOptions
from simworld.core.errors import MissingExtra, ModelError

SMOL = BUILTIN_MODELS["smollm2-135m-instruct"]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SIMWORLD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("builtin:smollm2-135m-instuct", "did you mean 'builtin:smollm2-135m-instruct'?"),
        ("builtin:all-minilm-l6-v2", "is a sentence encoder; it cannot speak or judge"),
        (
            "smollm2-135m-instruct",
            "write builtin:NAME, hf:FOLDER or hf:HUB-ID, openai:MODEL@URL; did you mean 'builtin:",
        ),
        ("", "is not understood"),
        ("hf:", "is not understood"),
        ("ollama:llama3", "is not understood"),
        ("hf:./nowhere", "hf:./nowhere: no such folder"),
        ("hf:nobody/nothing-of-this-name", "simworld model fetch hf:nobody/nothing-of-this-name"),
        ("hf:nobody/no thing", "neither a folder nor the id of a hub model"),
        ("openai:gpt", "set the environment variable OPENAI_API_KEY"),
        ("openai:gpt@127.0.0.1:1/v1", "write openai:MODEL@URL"),
        ("openai:@http://127.0.0.1:1/v1", "write openai:MODEL@URL"),
        ("openai:gpt@ftp://127.0.0.1/v1", "write openai:MODEL@URL"),
        ("openai:gpt@http://", "write openai:MODEL@URL"),
        ("openai:gpt@http://[1/v1", "write openai:MODEL@URL"),
    ],
)
def test_a_spec_that_names_nothing_is_one_clear_line(
    spec: str, says: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ModelError) as caught:
        load_backend(spec)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_settings_out_of_range_are_refused(llama: Path) -> None:
    for setting in ("batch_size", "cpu_threads"):
        with pytest.raises(ModelError, match=f"{setting} is 0"):
            load_backend(f"hf:{llama}", **{setting: 0})  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="concurrency is 0"):
        load_backend("openai:gpt@http://127.0.0.1:1/v1", server=ServerOptions(concurrency=0))
    with pytest.raises(ModelError, match="dtype 'float8' is not known"):
        load_backend(f"hf:{llama}", dtype="float8")
    with pytest.raises(ModelError, match="device 'abacus' is not known"):
        load_backend(f"hf:{llama}", device="abacus")


def test_folders_that_are_no_models(tmp_path: Path, llama: Path) -> None:
    with pytest.raises(ModelError, match=r"no config\.json"):
        load_backend(f"hf:{tmp_path}")
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(ModelError, match="they can run code"):
        load_backend(f"hf:{tmp_path}")
    for file in llama.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"\x00" * 64)
    with pytest.raises(ModelError, match="cannot be loaded") as caught:
        load_backend(f"hf:{tmp_path}")
    assert "\n" not in str(caught.value)


def test_the_id_follows_the_content_and_not_the_place(
    make_folder: Callable[..., Path], tmp_path: Path
) -> None:
    folder = make_folder("llama")
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in folder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    (copy / "README.md").write_text("Not part of the model.")
    before = hf_weights(str(folder)).id
    assert len(before) == 64
    assert hf_weights(str(copy)).id == before
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"rms_norm_eps": 1e-3}))
    assert hf_weights(str(copy)).id != before


def test_a_hub_model_is_found_in_the_hubs_cache(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--somebody--tiny"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("0" * 40)
    (repository / "snapshots").mkdir()
    (repository / "snapshots" / ("0" * 40)).symlink_to(llama, target_is_directory=True)
    assert hf_weights("somebody/tiny").id == hf_weights(str(llama)).id


def test_hashes_of_big_files_are_remembered_until_the_file_changes(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_files, "HASH_CACHE_MIN_BYTES", 1)
    path = tmp_path / "weights"
    path.write_bytes(b"abc")
    # SHA-256 of "abc", the standard's own example
    assert (
        model_files.file_hash(path)
        == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
    (note,) = (cache / "hashes").iterdir()
    note.write_text("f" * 64)
    assert model_files.file_hash(path) == "f" * 64  # as it is remembered
    path.write_bytes(b"abcd")
    assert model_files.file_hash(path).startswith("88d4266fd4e6338d")


def test_a_model_that_is_not_installed_says_what_to_run(cache: Path) -> None:
    absent = PackagedModel(
        name="absent",
        requirement="x==1",
        module="simworld_no_such",
        file="x.gguf",
        sha256="0" * 64,
        kind="language model",
    )
    assert not builtin_presence(absent).verified
    with pytest.raises(
        ModelError, match="builtin:absent is not installed: run `simworld model fetch`"
    ):
        convert_gguf(absent)
    assert not cache.exists()


def test_a_damaged_package_is_refused(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "llm_damaged"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')\n")
    (package / "x.gguf").write_bytes(b"GGUF")
    monkeypatch.syspath_prepend(str(tmp_path))
    damaged = PackagedModel(
        name="damaged",
        requirement="x==1",
        module="llm_damaged",
        file="x.gguf",
        sha256="0" * 64,
        kind="language model",
    )
    with pytest.raises(ModelError, match="not the known weights of builtin:damaged"):
        convert_gguf(damaged)


def test_a_cache_that_cannot_be_made_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SIMWORLD_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(weights, "verified_file", lambda _: tmp_path / "x.gguf")
    with pytest.raises(ModelError, match="set SIMWORLD_CACHE to a folder you can write to"):
        convert_gguf(SMOL)


def test_an_interrupted_conversion_leaves_nothing_that_counts(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Path, folder: Path) -> None:
        (folder / "model.safetensors").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(weights, "verified_file", lambda _: tmp_path / "x.gguf")
    monkeypatch.setattr(weights, "write_safetensors", full)
    with pytest.raises(ModelError, match=r"No space left on device.*free 600 MB"):
        convert_gguf(SMOL)
    assert list((cache / "models").iterdir()) == []


def _convert_in_a_process(root: str, inside: Barrier) -> None:
    def write(_: Path, folder: Path) -> None:
        (folder / "model.safetensors").write_bytes(b"weights")
        inside.wait(60)  # until the other process is here too

    os.environ["SIMWORLD_CACHE"] = root
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weights, "write_safetensors", write)
        patch.setattr(weights, "verified_file", lambda _: Path("x.gguf"))
        convert_gguf(SMOL)


def test_two_processes_convert_at_once(cache: Path) -> None:
    context = get_context("fork")
    inside = context.Barrier(2)
    processes = [
        context.Process(target=_convert_in_a_process, args=(str(cache), inside)) for _ in range(2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert is_converted(SMOL)
    assert len(list((cache / "models").iterdir())) == 1
    (weights.converted_folder(SMOL) / "model.safetensors").write_bytes(b"cut")
    assert not is_converted(SMOL)


def test_openai_without_its_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "httpx2", None)
    with pytest.raises(MissingExtra, match=r"pip install 'simworld\[openai\]'"):
        load_backend("openai:gpt@http://127.0.0.1:1/v1")


@pytest.mark.model
def test_the_built_in_weights_are_there_in_float32() -> None:
    from safetensors import safe_open

    found = builtin_weights("smollm2-135m-instruct")
    assert found.id == SMOL.sha256
    with safe_open(str(found.folder / "model.safetensors"), framework="pt") as file:
        tensor = file.get_tensor("model.embed_tokens.weight")
    assert tuple(tensor.shape) == (49152, 576)
    assert str(tensor.dtype) == "torch.float32"
    there = builtin_presence(SMOL)
    assert (there.verified, there.converted) == (True, found.folder)


def copied(folder: Path, to: Path) -> Path:
    to.mkdir()
    for file in folder.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    return to


@pytest.mark.parametrize(
    "name", ["config.json", "tokenizer.json", "model.safetensors", "vocab.txt"]
)
def test_a_folder_with_what_is_no_file(llama: Path, tmp_path: Path, name: str) -> None:
    folder = copied(llama, tmp_path / "model")
    path = folder / name
    makes: list[tuple[Callable[[], object], str]] = [
        (lambda: os.mkfifo(path), "is a pipe, a socket or a device"),
        (lambda: path.symlink_to("/dev/zero"), "is a pipe, a socket or a device"),
        (lambda: path.symlink_to("absent"), "is a link to nothing"),
        (path.mkdir, "is a folder"),
    ]
    for make, said in makes:
        path.unlink(missing_ok=True)
        make()
        with pytest.raises(ModelError, match=said) as caught:
            load_backend(f"hf:{folder}")
        assert "\n" not in str(caught.value)
        path.rmdir() if path.is_dir() else path.unlink()


def test_a_folder_with_files_that_are_too_large(llama: Path, tmp_path: Path) -> None:
    folder = copied(llama, tmp_path / "model")
    for name, said in (
        ("tokenizer.json", "is larger than 256 MiB"),
        ("model-2.safetensors", "cannot be loaded"),
    ):
        with (folder / name).open("wb") as file:
            file.truncate(1 << 40)  # a terabyte that takes no room
        with pytest.raises(ModelError, match=said):
            load_backend(f"hf:{folder}")
        (folder / name).unlink()


def test_a_folder_of_very_many_files(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copied(llama, tmp_path / "model")
    monkeypatch.setattr(model_files, "MAX_FOLDER_FILES", 50)
    for number in range(50):
        (folder / f"{number}.log").touch()
    with pytest.raises(ModelError, match="more than 50 files; this is no folder of a model"):
        load_backend(f"hf:{folder}")
    with pytest.raises(ModelError, match="more than 50 files"):
        model_files.content_files(tmp_path, ("*.json",), recursive=True)


def test_a_config_that_is_deep(llama: Path, tmp_path: Path) -> None:
    folder = copied(llama, tmp_path / "model")
    (folder / "config.json").write_text('{"a": ' * 100_000 + "1" + "}" * 100_000)
    with pytest.raises(ModelError, match="cannot be loaded") as caught:
        load_backend(f"hf:{folder}")
    assert "\n" not in str(caught.value)
