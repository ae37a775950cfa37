"""Getting weights onto this machine, the one place of `agents` that uses a network; and what is
there already.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from agents.lm.local.model_files import file_hash
from agents.lm.local.weights import (
    BUILTIN_MODELS,
    PackagedModel,
    convert_gguf,
    converted_folder,
    hf_weights,
    is_converted,
    packaged_file,
    verified_file,
)
from simworld.core.errors import ModelError

# no pickled weights, no code
_HUB_PATTERNS = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsPresence:
    """What there is of a built-in model."""

    spec: str  # "builtin:smollm2-135m-instruct"
    kind: str  # "language model" or "sentence encoder"
    file: Path | None  # inside its package; None where that is not installed
    bytes: int | None
    sha256: str  # that it must have
    verified: bool
    needs_conversion: bool
    converted: Path | None  # the cached safetensors folder; None where there is none
    converted_bytes: int | None


def builtin_presence(model: PackagedModel) -> WeightsPresence:
    """What there is of a model, its file's hash checked."""
    file = packaged_file(model)
    folder = converted_folder(model) if is_converted(model) else None
    return WeightsPresence(
        spec=f"builtin:{model.name}",
        kind=model.kind,
        file=file,
        bytes=file.stat().st_size if file else None,
        sha256=model.sha256,
        verified=file is not None and file_hash(file) == model.sha256,
        needs_conversion=model.file.endswith(".gguf"),
        converted=folder,
        converted_bytes=sum(path.stat().st_size for path in folder.iterdir()) if folder else None,
    )


def fetch_builtin(say: Callable[[str], None]) -> None:
    """Installs, verifies and converts the built-in models; what is there already stays. Raises
    ModelError.
    """
    presences = {name: builtin_presence(model) for name, model in BUILTIN_MODELS.items()}
    wanted = [BUILTIN_MODELS[name] for name, presence in presences.items() if not presence.verified]
    if wanted:
        say(f"Installing {', '.join(model.requirement for model in wanted)} …")
        damaged = any(presences[model.name].file is not None for model in wanted)
        _pip_install([model.requirement for model in wanted], again=damaged)
        importlib.invalidate_caches()
    for model in BUILTIN_MODELS.values():
        verified_file(model)
        if model.file.endswith(".gguf") and not is_converted(model):
            say(f"Converting builtin:{model.name} to safetensors, once, in about half a minute …")
            convert_gguf(model)


def fetch_hub(hub_id: str) -> str:
    """Downloads a hub model's safetensors and tokenizer into the hub's cache; returns the model's
    id. Raises ModelError.
    """
    from huggingface_hub import snapshot_download

    try:
        snapshot_download(hub_id, allow_patterns=list(_HUB_PATTERNS), etag_timeout=10)
    # the hub client raises its own, the HTTP library's and the system's errors
    except Exception as error:
        reason = str(error).strip().splitlines()
        raise ModelError(
            f"hf:{hub_id}: cannot be downloaded: {type(error).__name__}:"
            f" {reason[0] if reason else ''}"
        ) from error
    return hf_weights(hub_id).id


def _pip_install(requirements: Sequence[str], *, again: bool) -> None:
    """Installs packages into the running environment without their dependencies, which would
    compile llama.cpp.
    """
    options = [
        "--disable-pip-version-check",
        "--no-input",
        "--quiet",
        "--retries=2",
        "--timeout=20",
    ]
    if again:
        options.append("--force-reinstall")
    command = [sys.executable, "-m", "pip", "install", "--no-deps", *options, *requirements]
    ran = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if ran.returncode == 0:
        return
    lines = [line for line in ran.stderr.splitlines() if line.strip()] or ["no message"]
    if "No module named pip" in ran.stderr:
        raise ModelError(
            f"this environment has no pip; install {' '.join(requirements)} without dependencies by"
            " your own tool"
        )
    errors = [line for line in lines if line.startswith("ERROR")] or lines
    raise ModelError(
        f"pip could not install {' '.join(requirements)}: {errors[-1].removeprefix('ERROR: ')}"
    )
