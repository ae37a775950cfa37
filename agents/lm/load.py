"""From a model spec to a backend."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, create_model

from agents.lm.backend_kinds import (
    BackendKind,
    BackendParts,
    ExtensionBackend,
    call_extension,
    extension_model_id,
)
from agents.lm.backend_table import BACKENDS
from agents.lm.local_spec import spelling_hint
from agents.lm.no_backend import NO_MODEL, NoBackend
from agents.lm.reasoning_marks import Reasoning
from agents.lm.server.address import is_server_model, parse_address, read_key
from agents.lm.server.options import ServerOptions
from simworld.core.errors import InputError, ModelError, Problem
from simworld.core.protocols import Backend
from simworld.core.requests import ModelInfo
from simworld.deprecation import renamed_arguments
from simworld.extensions import Entry, NoSettings
from simworld.extensions.extension_fields import validated_settings
from simworld.extensions.extension_table import one_line
from simworld.yamlfile import Document, parse

SPEC_FORMS = "builtin:NAME, hf:FOLDER or hf:HUB-ID, openai:MODEL@URL"


@renamed_arguments({"threads": "cpu_threads"}, removed_in="0.3.0")
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
    entry, name = _split_spec(spec)
    server = server or ServerOptions()
    for setting, value in (
        ("batch_size", batch_size),
        ("concurrency", server.concurrency),
        ("cpu_threads", cpu_threads),
        ("cache_bytes", cache_bytes),
    ):
        if value is not None and value < 1:
            raise ModelError(f"{setting} is {value}; it must be at least 1")
    parts = BackendParts(
        spec=spec.strip(),
        name=name,
        dtype=dtype,
        device=device,
        batch_size=batch_size,
        cache_bytes=cache_bytes,
        cpu_threads=cpu_threads,
        server=server,
        reasoning=reasoning,
    )
    if entry.identity:
        return ExtensionBackend(entry, _extension_settings(entry, server.backend), parts)
    backend: Backend = entry.declaration.make(NoSettings(), parts)
    return backend


def identify_model(spec: str, dtype: str | None = None) -> ModelInfo:
    """What ids are made of: the model's content id and, where `dtype` is given, the number format
    it would get; nothing is loaded.

    Raises:
        ModelError: the spec names nothing that can be loaded; of `builtin:` models only the name is
            looked at.
    """
    if spec == NO_MODEL:
        return NoBackend.info
    entry, name = _split_spec(spec)
    if entry.identity:
        model_id = extension_model_id(entry, name)
        return ModelInfo(spec=spec.strip(), id=model_id, dtype="", context=None)
    model_id = entry.declaration.identify(name)
    if is_server_model(spec):
        return ModelInfo(spec=spec.strip(), id=model_id, dtype="", context=None)
    if dtype == "auto":
        from agents.lm.local.dtypes import default_device, resolve_dtype  # torch

        dtype = resolve_dtype(dtype, default_device())
    return ModelInfo(spec=spec.strip(), id=model_id, dtype=dtype or "", context=None)


def check_server_key(spec: str, server: ServerOptions) -> None:
    """Raises ModelError where the key that a server's model needs is not there; nothing for local
    models.
    """
    if is_server_model(spec):
        read_key(parse_address(spec), server.api_key_env)


def check_model_spec(spec: str) -> None:
    """Raises ModelError for a spec that can mean no model; nothing is loaded, and nothing of a
    model is looked at.

    What may be there later, the snapshot of a hub id for one, passes.
    """
    entry, name = _split_spec(spec)
    check = entry.declaration.check
    if entry.identity:
        check = call_extension(entry, f"knows no model {name!r}", check)
    check(name)


def backend_settings_problems(spec: str, backend: object, document: Document) -> list[Problem]:
    """What is wrong with the key `backend` of a file, each with its place; a model that is not
    understood is reported elsewhere.
    """
    try:
        entry, _ = _split_spec(spec)
    except ModelError:
        return []
    if not entry.identity:
        message = f"{entry.name}: is no extension, so it has no settings; remove this"
        return [] if backend is None else [document.problem(("backend",), message)]
    settings: Any = (entry.declaration.settings, ...)
    model = create_model("BackendBlock", backend=settings)
    try:
        parse(document, model, data={"backend": {} if backend is None else backend})
    except InputError as error:
        return list(error.problems)
    return []


def _extension_settings(entry: Entry[BackendKind[Any]], backend: object) -> BaseModel:
    try:
        return validated_settings(entry, {} if backend is None else backend)
    except ValueError as error:  # files are checked before, with places
        raise ModelError(f"backend {entry.name!r}: its settings: {one_line(error)}") from None


def _split_spec(spec: str) -> tuple[Entry[BackendKind[Any]], str]:
    """The kind of backend and the name in a spec. Raises ModelError for one of another form."""
    kind, _, name = spec.strip().partition(":")
    if not name or (kind not in BACKENDS.builtin and kind not in BACKENDS.names()):
        installed = "".join(f", {each.name}:NAME" for each in BACKENDS.installed)
        hint = f"{SPEC_FORMS}{installed}{spelling_hint(spec)}"
        raise ModelError(f"model {spec!r} is not understood; write {hint}")
    try:
        return BACKENDS.find(kind), name
    except InputError as error:
        raise ModelError(str(error)) from None
