"""A transformers model ready to run: weights, tokenizer, and one call from packed token ids to
logits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.lm.local.attention import ARGUMENT, NAME, PackedPass
from agents.lm.local.attention_install import install_attention
from agents.lm.local.kv_block import CacheShape
from agents.lm.local.number_formats import DTYPES, default_device, dtype_in_use
from agents.lm.local.packed_weights import pack
from agents.lm.local.processors import available_cores
from agents.lm.local.prompt_tokens import Renderer
from agents.lm.local.weights import Weights, quiet_loading
from agents.lm.reasoning_marks import Reasoning
from simworld.core.errors import ModelError

_CHUNK = 8192  # embeddings measured at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalModel:
    """A causal language model in memory. Its attention is ours: only `read` runs it, or `plain`
    lends it out.
    """

    model: Any
    renderer: Renderer
    ends: frozenset[int]  # tokens that end a reply
    context: int | None  # tokens, prompt and reply together
    device: torch.device
    dtype: str  # "float32" or "bfloat16"
    shape: CacheShape  # of the caches it reads with
    attention: str  # transformers' own, as it was loaded
    width: int  # d_model
    # by which the model multiplies embeddings; None: it cannot work from them alone
    input_scale: float | None
    # mean Euclidean norm of the token embeddings as the first layer gets them
    embedding_norm: float | None

    def read(
        self,
        ids: Sequence[int],
        reading: PackedPass,
        keep: Sequence[int],
        vectors: Mapping[int, NDArray[np.float32]] | None = None,
    ) -> Tensor:
        """One call of the model: the logits (len(keep), vocabulary) after the tokens at the places
        `keep`, in its dtype.

        Args:
            ids: the packed tokens, in the order of the pass.
            reading: where each of them belongs; its caches grow by what was read.
            keep: places in `ids`, at least one.
            vectors: what stands for the numbers below zero among `ids`, (d_model,) float32, as the
                first layer gets them.
        """
        with torch.inference_mode():
            tokens = torch.tensor([ids], device=self.device)
            out = self.model(
                **(
                    {"inputs_embeds": self._embed(tokens, vectors)}
                    if vectors
                    else {"input_ids": tokens}
                ),
                position_ids=reading.positions()[None],
                use_cache=False,
                logits_to_keep=torch.tensor(keep, device=self.device),
                **{ARGUMENT: reading},
            )
            logits: Tensor = out.logits[0]
        return logits

    @contextmanager
    def states(self) -> Iterator[list[Tensor]]:
        """For each `read` inside, what the output layer was given: (len(keep), d_model), after the
        final norm, in its dtype.
        """
        heard: list[Tensor] = []
        head = self.model.get_output_embeddings()
        handle = head.register_forward_pre_hook(lambda _, inputs: heard.append(inputs[0][0]))
        try:
            yield heard
        finally:
            handle.remove()

    def _embed(self, tokens: Tensor, vectors: Mapping[int, NDArray[np.float32]]) -> Tensor:
        embeddings: Tensor = self.model.get_input_embeddings()(tokens.clamp_min(0))
        places = tokens[0] < 0
        given = np.stack([vectors[token] for token in tokens[0, places].tolist()]) / (
            self.input_scale or 1.0
        )
        embeddings[0, places] = torch.from_numpy(given).to(embeddings)
        return embeddings

    @contextmanager
    def plain(self) -> Iterator[Any]:
        """The transformers model with its own attention, for `generate` and the like."""
        self.model.set_attn_implementation(self.attention)
        try:
            yield self.model
        finally:
            self.model.set_attn_implementation(NAME)


def load_local(
    weights: Weights,
    *,
    dtype: str,
    device: str,
    threads: int | None,
    reasoning: Reasoning | None = None,
) -> LocalModel:
    """Loads a folder of weights. `auto` means bfloat16 where the processor multiplies it fast, else
    float32; a GPU if there is one.

    `threads` sets torch's thread count for the whole process; by default it is only lowered to the
    available cores.

    Raises ModelError.
    """
    place = _device(device)
    dtype = dtype_in_use(dtype, place)
    if dtype not in DTYPES:
        raise ModelError(f"dtype {dtype!r} is not known; use auto, float32 or bfloat16")
    torch.set_num_threads(threads or min(torch.get_num_threads(), available_cores()))
    from transformers import AutoModelForCausalLM, AutoTokenizer

    where: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    folder = str(weights.folder)
    try:
        with quiet_loading():
            tokenizer = AutoTokenizer.from_pretrained(folder, **where)
            model = AutoModelForCausalLM.from_pretrained(
                folder, dtype=DTYPES[dtype], use_safetensors=True, **where
            )
    # whatever a broken folder makes the library raise is the user's problem, not a bug of ours
    except Exception as error:
        reason = str(error).strip().splitlines()
        raise ModelError(
            f"{folder}: cannot be loaded: {type(error).__name__}: {reason[0] if reason else ''}"
        ) from error
    model.to(place).eval()
    adopted = install_attention(model)
    pack(model)
    renderer = Renderer(tokenizer, reasoning)
    limit = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return LocalModel(
        model=model,
        renderer=renderer,
        ends=renderer.end_ids(model.generation_config),
        context=limit if isinstance(limit, int) else None,
        device=place,
        dtype=dtype,
        shape=adopted.shape,
        attention=adopted.attention,
        width=model.config.get_text_config().hidden_size,
        input_scale=adopted.input_scale,
        embedding_norm=(
            None if adopted.input_scale is None else _mean_norm(model) * adopted.input_scale
        ),
    )


def _mean_norm(model: Any) -> float:
    """The mean Euclidean norm of a model's token embeddings, as its embedding layer gives them."""
    embed = model.get_input_embeddings()
    count, device = embed.weight.shape[0], embed.weight.device
    with torch.inference_mode():
        sums = [
            embed(torch.arange(low, min(low + _CHUNK, count), device=device))
            .float()
            .norm(dim=-1)
            .double()
            .sum()
            for low in range(0, count, _CHUNK)
        ]
    total: float = torch.stack(sums).sum().item() / count
    return total


def _device(name: str) -> torch.device:
    if name == "auto":
        return default_device()
    try:
        place = torch.device(name)
    except RuntimeError:
        raise ModelError(f"device {name!r} is not known; use auto, cpu or cuda") from None
    if place.type == "cuda" and not torch.cuda.is_available():
        raise ModelError(f"device {name!r}: torch finds no CUDA device here; use auto or cpu")
    return place
