"""From a model spec to a backend."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from agents.lm.no_backend import NO_MODEL, NoBackend
from agents.lm.reasoning_marks import Reasoning
from agents.lm.server.address import is_server_model, parse_address, read_key
from agents.lm.server.options import ServerOptions
from simworld.core.errors import ModelError
from simworld.core.protocols import Backend
from simworld.core.requests import ModelInfo
from simworld.yamlfile import did_you_mean

if TYPE_CHECKING:
    from agents.lm.local.weights import Weights

SPEC_FORMS = "builtin:NAME, hf:FOLDER or hf:HUB-ID, openai:MODEL@URL"


def load_backend(
    spec: str,
    *,
    dtype: str = "auto",
    device: str = "auto",
    batch_size: int = 32,
    cache_bytes: int | None = None,
    cpu_threads: int | None = None,
    server: ServerOptions | None = None,
    reasoning: Reasoning | None = None,
) -> Backend:
    """The backend a spec names, loaded and ready.

    Args:
        spec: `builtin:smollm2-135m-instruct`, `hf:<folder or hub id>`, or `openai:<model>@<base
            url>`.
        dtype: "auto", "float32" or "bfloat16"; local models only. `auto` is bfloat16 where the
            hardware multiplies it fast, else float32.
        device: "auto", "cpu" or "cuda"; local models only.
        batch_size: rows decoded together, at most; local models only.
        cache_bytes: memory for caches; default: a quarter of what is free. Local models only.
        cpu_threads: of torch, for the whole process; default: torch's choice (OMP_NUM_THREADS, or
            one per core), but no more than the cores that this process may use.
        server: how a server is asked; servers only. Default: `ServerOptions()`.
        reasoning: how the model marks its thoughts; default: as the common makers' models do.

    Raises:
        ModelError: the spec names nothing that can be loaded, or the key of a server is not there.
        MissingExtra: `openai:` without the package that it needs.
    """
    if spec == NO_MODEL:
        return NoBackend()
    _split_spec(spec)
    server = server or ServerOptions()
    for setting, value in (
        ("batch_size", batch_size),
        ("concurrency", server.concurrency),
        ("cpu_threads", cpu_threads),
        ("cache_bytes", cache_bytes),
    ):
        if value is not None and value < 1:
            raise ModelError(f"{setting} is {value}; it must be at least 1")
    if is_server_model(spec):
        from agents.lm.server.openai_backend import OpenAIBackend

        return OpenAIBackend(spec.strip(), server, reasoning=reasoning)
    weights = find_local_weights(spec)

    from agents.lm.local.local_model import load_local_model
    from agents.lm.local.transformers_backend import TransformersBackend

    local = load_local_model(
        weights, dtype=dtype, device=device, cpu_threads=cpu_threads, reasoning=reasoning
    )
    meta = {"device": str(local.device), "architecture": type(local.model).__name__}
    return TransformersBackend(
        local,
        spec=spec.strip(),
        model_id=weights.id,
        batch_size=batch_size,
        cache_bytes=cache_bytes,
        meta=meta,
    )


def identify_model(spec: str, dtype: str | None = None) -> ModelInfo:
    """What ids are made of: the model's content id and, where `dtype` is given, the number format
    it would get; nothing is loaded.

    Raises:
        ModelError: the spec names nothing that can be loaded; of `builtin:` models only the name is
            looked at.
    """
    if spec == NO_MODEL:
        return NoBackend.info
    kind, _, name = spec.strip().partition(":")
    if is_server_model(spec):
        return ModelInfo(spec=spec.strip(), id=parse_address(spec).id, dtype="", context=None)
    from agents.lm.local.weights import BUILTIN_MODELS, hf_weights

    check_local_spec(spec)
    id_ = BUILTIN_MODELS[name].sha256 if kind == "builtin" else hf_weights(name).id
    if dtype == "auto":
        from agents.lm.local.dtypes import default_device, resolve_dtype  # torch

        dtype = resolve_dtype(dtype, default_device())
    return ModelInfo(spec=spec.strip(), id=id_, dtype=dtype or "", context=None)


def check_server_key(spec: str, server: ServerOptions) -> None:
    """Raises ModelError where the key that a server's model needs is not there; nothing for local
    models.
    """
    if is_server_model(spec):
        read_key(parse_address(spec), server.api_key_env)


def find_local_weights(spec: str) -> Weights:
    """The weights of `builtin:` or `hf:` models. Raises ModelError where there are none, and for
    servers.
    """
    from agents.lm.local.weights import builtin_weights, hf_weights

    check_local_spec(spec)
    kind, _, name = spec.strip().partition(":")
    return builtin_weights(name) if kind == "builtin" else hf_weights(name)


def check_model_spec(spec: str) -> None:
    """Raises ModelError for a spec that can mean no model; nothing is loaded, and nothing of a
    model is looked at.

    What may be there later, the snapshot of a hub id for one, passes.
    """
    kind, name = _split_spec(spec)
    if is_server_model(spec):
        parse_address(spec)
        return
    check_local_spec(spec)
    if kind == "builtin":
        from agents.lm.local.weights import check_is_language_model

        check_is_language_model(name)
    elif _is_path(name) and not Path(name).expanduser().is_dir():
        raise ModelError(f"{spec.strip()}: no such folder")


def _split_spec(spec: str) -> tuple[str, str]:
    """The kind and the name in a spec. Raises ModelError for one of another form."""
    kind, _, name = spec.strip().partition(":")
    if not name or kind not in ("builtin", "hf", "openai"):
        hint = f"{SPEC_FORMS}{_spelling_hint(spec)}"
        raise ModelError(f"model {spec!r} is not understood; write {hint}")
    return kind, name


def _is_path(folder_or_hub_id: str) -> bool:
    """Whether what follows `hf:` is a folder and can be no hub id."""
    return (
        folder_or_hub_id.startswith((".", "/", "~"))
        or "\\" in folder_or_hub_id
        or folder_or_hub_id.rstrip("/").count("/") > 1
    )


def check_local_spec(spec: str) -> None:
    """Raises ModelError where a spec cannot mean a local model: another form, or a `builtin:` name
    that is none.
    """
    from agents.lm.local.weights import BUILTIN_MODELS

    kind, _, name = spec.strip().partition(":")
    if kind not in ("builtin", "hf") or not name:
        raise ModelError(
            f"model {spec!r}: expected a local one, builtin:NAME or hf:FOLDER{_spelling_hint(spec)}"
        )
    if kind == "builtin" and name not in BUILTIN_MODELS:
        raise ModelError(
            f"builtin:{name} is not a built-in model; there is"
            f" {', '.join(BUILTIN_MODELS)}{_spelling_hint(spec)}"
        )


def _spelling_hint(spec: str) -> str:
    from agents.lm.local.weights import BUILTIN_MODELS

    builtin_specs = [f"builtin:{name}" for name in BUILTIN_MODELS]
    wanted = (
        spec.strip()
        if spec.strip().startswith("builtin:")
        else f"builtin:{spec.strip().rpartition(':')[2]}"
    )
    return did_you_mean(wanted, builtin_specs)
