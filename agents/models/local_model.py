"""A transformers model ready to run: weights, tokenizer, and one call from packed token ids to logits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from agents.models.adoption import adopt
from agents.models.attention import ARGUMENT, NAME, Pass
from agents.models.prompts import Renderer
from agents.models.slab import CacheShape
from agents.models.weights import Weights, quiet_loading
from simworld.core.errors import ModelError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalModel:
    """A causal language model in memory. Its attention is ours: only `read` runs it, or `plain` lends it out."""

    model: Any
    renderer: Renderer
    ends: frozenset[int]  # tokens that end a reply
    context: int | None  # tokens, prompt and reply together
    device: torch.device
    dtype: str  # "float32" or "bfloat16"
    shape: CacheShape  # of the caches it reads with
    attention: str  # transformers' own, as it was loaded

    def read(self, ids: Sequence[int], reading: Pass, keep: Sequence[int]) -> Tensor:
        """One call of the model: the logits (len(keep), vocabulary) after the tokens at the places `keep`, in its dtype.

        Args:
            ids: the packed tokens, in the order of the pass.
            reading: where each of them belongs; its caches grow by what was read.
            keep: places in `ids`, at least one.
        """
        with torch.inference_mode():
            out = self.model(
                input_ids=torch.tensor([ids], device=self.device),
                position_ids=reading.positions()[None],
                use_cache=False,
                logits_to_keep=torch.tensor(keep, device=self.device),
                **{ARGUMENT: reading},
            )
            logits: Tensor = out.logits[0]
        return logits

    @contextmanager
    def plain(self) -> Iterator[Any]:
        """The transformers model with its own attention, for `generate` and the like."""
        self.model.set_attn_implementation(self.attention)
        try:
            yield self.model
        finally:
            self.model.set_attn_implementation(NAME)


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
    from transformers import AutoModelForCausalLM, AutoTokenizer

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
    shape, attention = adopt(model)
    renderer = Renderer(tokenizer)
    limit = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return LocalModel(
        model=model,
        renderer=renderer,
        ends=renderer.end_ids(model.generation_config),
        context=limit if isinstance(limit, int) else None,
        device=place,
        dtype=dtype,
        shape=shape,
        attention=attention,
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
