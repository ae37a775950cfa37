"""Which backends there are: one table, by what stands before the colon of `model`."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

from agents.lm.backend_kinds import BackendKind, BackendParts
from agents.lm.local_spec import check_local_spec, find_local_weights
from agents.lm.server.address import parse_address
from simworld.core.errors import ModelError
from simworld.core.protocols import Backend
from simworld.extensions import ExtensionTable, NoSettings

_log = logging.getLogger(f"simworld.{__name__}")


def _is_path(folder_or_hub_id: str) -> bool:
    """Whether what follows `hf:` is a folder and can be no hub id."""
    return (
        folder_or_hub_id.startswith((".", "/", "~"))
        or "\\" in folder_or_hub_id
        or folder_or_hub_id.rstrip("/").count("/") > 1
    )


def _make_server_backend(settings: NoSettings, parts: BackendParts) -> Backend:
    from agents.lm.server.openai_backend import OpenAIBackend

    return OpenAIBackend(parts.spec, parts.server, reasoning=parts.reasoning)


def _make_local_backend(settings: NoSettings, parts: BackendParts) -> Backend:
    weights = find_local_weights(parts.spec)
    _log.info("loading %s from %s", parts.spec, weights.folder)
    started = time.monotonic()

    from agents.lm.local.local_model import load_local_model
    from agents.lm.local.transformers_backend import TransformersBackend

    local = load_local_model(
        weights,
        dtype=parts.dtype,
        device=parts.device,
        cpu_threads=parts.cpu_threads,
        reasoning=parts.reasoning,
    )
    meta = {"device": str(local.device), "architecture": type(local.model).__name__}
    _log.info(
        "loaded %s in %.1f s: %s (asked for: %s) on %s, context of %s tokens, batches of up to %d",
        parts.spec,
        time.monotonic() - started,
        local.dtype,
        parts.dtype,
        local.device,
        local.context_length,
        parts.batch_size,
    )
    return TransformersBackend(
        local,
        spec=parts.spec,
        model_id=weights.id,
        batch_size=parts.batch_size,
        cache_bytes=parts.cache_bytes,
        meta=meta,
    )


def _identify_builtin(name: str) -> str:
    from agents.lm.local.weights import BUILTIN_MODELS

    check_local_spec(f"builtin:{name}")
    return BUILTIN_MODELS[name].sha256


def _identify_folder(name: str) -> str:
    from agents.lm.local.weights import hf_weights

    return hf_weights(name).id


def _identify_server(name: str) -> str:
    return parse_address(f"openai:{name}").id


def _check_builtin(name: str) -> None:
    from agents.lm.local.weights import check_is_language_model

    check_local_spec(f"builtin:{name}")
    check_is_language_model(name)


def _check_folder(name: str) -> None:
    if _is_path(name) and not Path(name).expanduser().is_dir():
        raise ModelError(f"hf:{name}: no such folder")


def _check_server(name: str) -> None:
    parse_address(f"openai:{name}")


BACKENDS: ExtensionTable[BackendKind[Any]] = ExtensionTable(
    group="simworld.backends",
    what="backend",
    declaration=BackendKind,
    builtin={
        "builtin": BackendKind(
            settings=NoSettings,
            make=_make_local_backend,
            identify=_identify_builtin,
            check=_check_builtin,
        ),
        "hf": BackendKind(
            settings=NoSettings,
            make=_make_local_backend,
            identify=_identify_folder,
            check=_check_folder,
        ),
        "openai": BackendKind(
            settings=NoSettings,
            make=_make_server_backend,
            identify=_identify_server,
            check=_check_server,
        ),
    },
)
