"""A transformers model ready to run: weights, tokenizer, and one call from token ids to logits."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from agents.models.prompts import Renderer
from agents.models.weights import Weights, quiet_loading
from simworld.core.errors import ModelError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalModel:
    """A causal language model in memory."""

    model: Any
    renderer: Renderer
    ends: frozenset[int]  # tokens that end a reply
    context: int | None  # tokens, prompt and reply together
    device: torch.device
    dtype: str  # "float32" or "bfloat16"
    new_cache: Callable[[], Any]
    _accepts: frozenset[str]

    def forward(self, ids: Tensor, mask: Tensor, positions: Tensor, cache: Any, keep: int) -> Tensor:
        """The logits of the last `keep` positions, (rows, keep, vocabulary) float32; the cache grows by what was read.

        Args:
            ids: (rows, new) token ids.
            mask: (rows, cached + new), 0 for padding.
            positions: (rows, new) place of each new token in its own row.
            cache: from `new_cache`, or None.
            keep: ≥ 1.
        """
        extra: dict[str, Any] = {}
        if "position_ids" in self._accepts:
            extra["position_ids"] = positions
        if "logits_to_keep" in self._accepts:
            extra["logits_to_keep"] = keep
        with torch.inference_mode():
            out = self.model(
                input_ids=ids, attention_mask=mask, past_key_values=cache, use_cache=cache is not None, **extra
            )
            logits: Tensor = out.logits[:, -keep:, :].float()
        return logits


def load_local(weights: Weights, *, dtype: str, device: str, threads: int | None) -> LocalModel:
    """Loads a folder of weights. `auto` means bfloat16 where the processor multiplies it fast, else float32; a GPU if there is one.

    `threads` sets torch's thread count for the whole process. Raises ModelError.
    """
    place = _device(device)
    if dtype == "auto":
        dtype = "bfloat16" if fast_bfloat16(place) else "float32"
    if dtype not in DTYPES:
        raise ModelError(f"dtype {dtype!r} is not known; use auto, float32 or bfloat16")
    if threads is not None:
        torch.set_num_threads(threads)
    from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache

    where: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    folder = str(weights.folder)
    try:
        with quiet_loading():
            tokenizer = AutoTokenizer.from_pretrained(folder, **where)
            model = AutoModelForCausalLM.from_pretrained(folder, dtype=DTYPES[dtype], use_safetensors=True, **where)
    except (
        Exception
    ) as error:  # whatever a broken folder makes the library raise is the user's problem, not a bug of ours
        reason = str(error).strip().splitlines()
        raise ModelError(
            f"{folder}: cannot be loaded: {type(error).__name__}: {reason[0] if reason else ''}"
        ) from error
    model.to(place).eval()
    renderer = Renderer(tokenizer)
    limit = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return LocalModel(
        model=model,
        renderer=renderer,
        ends=renderer.end_ids(model.generation_config),
        context=limit if isinstance(limit, int) else None,
        device=place,
        dtype=dtype,
        new_cache=lambda: DynamicCache(config=model.config),
        _accepts=frozenset(inspect.signature(model.forward).parameters),
    )


def fast_bfloat16(place: torch.device) -> bool:
    """Whether a device multiplies bfloat16 matrices in hardware; elsewhere it is slower than float32."""
    if place.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # torch has no public question for this; without the names the answer is no, which is only slower
    asked = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return place.type == "cpu" and any(bool(ask()) for ask in asked if ask is not None)


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.device(name)
    except RuntimeError:
        raise ModelError(f"device {name!r} is not known; use auto, cpu or cuda") from None
    if place.type == "cuda" and not torch.cuda.is_available():
        raise ModelError(f"device {name!r}: torch finds no CUDA device here; use auto or cpu")
    return place
