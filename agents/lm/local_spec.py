"""Specs of local models, `builtin:` and `hf:`: which there are, and their weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simworld.core.errors import ModelError
from simworld.yamlfile import did_you_mean

if TYPE_CHECKING:
    from agents.lm.local.weights import Weights


def find_local_weights(spec: str) -> Weights:
    """The weights of `builtin:` or `hf:` models. Raises ModelError where there are none, and for
    servers.
    """
    from agents.lm.local.weights import builtin_weights, hf_weights

    check_local_spec(spec)
    kind, _, name = spec.strip().partition(":")
    return builtin_weights(name) if kind == "builtin" else hf_weights(name)


def check_local_spec(spec: str) -> None:
    """Raises ModelError where a spec cannot mean a local model: another form, or a `builtin:` name
    that is none.
    """
    from agents.lm.local.weights import BUILTIN_MODELS

    kind, _, name = spec.strip().partition(":")
    if kind not in ("builtin", "hf") or not name:
        raise ModelError(
            f"model {spec!r}: expected a local one, builtin:NAME or hf:FOLDER{spelling_hint(spec)}"
        )
    if kind == "builtin" and name not in BUILTIN_MODELS:
        raise ModelError(
            f"builtin:{name} is not a built-in model; there is"
            f" {', '.join(BUILTIN_MODELS)}{spelling_hint(spec)}"
        )


def spelling_hint(spec: str) -> str:
    """`; did you mean …?` for what is nearly a built-in model, else an empty text."""
    from agents.lm.local.weights import BUILTIN_MODELS

    builtin_specs = [f"builtin:{name}" for name in BUILTIN_MODELS]
    wanted = (
        spec.strip()
        if spec.strip().startswith("builtin:")
        else f"builtin:{spec.strip().rpartition(':')[2]}"
    )
    return did_you_mean(wanted, builtin_specs)
