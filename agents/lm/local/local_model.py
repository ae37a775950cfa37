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

from agents.lm.local.attention import ATTENTION_NAME, PASS_ARGUMENT, PackedPass
from agents.lm.local.attention_install import install_attention
from agents.lm.local.cpu_cores import available_cores
from agents.lm.local.dtypes import DTYPES, default_device, resolve_dtype
from agents.lm.local.kv_block import CacheShape
from agents.lm.local.packed_weights import pack_linear_layers
from agents.lm.local.prompt_tokenizer import PromptTokenizer
from agents.lm.local.soft_prompt import embed_with_prefix
from agents.lm.local.weights import Weights, quiet_loading
from agents.lm.reasoning_marks import Reasoning
from simworld.core.errors import ModelError

_NORM_CHUNK = 8192  # embeddings measured at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalModel:
    """A causal language model in memory. Its attention is ours: only `forward` runs it, or
    `with_original_attention` lends it out.
    """

    model: Any
    prompt_tokenizer: PromptTokenizer
    end_token_ids: frozenset[int]  # tokens that end a reply
    context_length: int | None  # tokens, prompt and reply together
    device: torch.device
    dtype: str  # "float32" or "bfloat16"
    cache_shape: CacheShape  # of the caches it reads with
    original_attention: str  # transformers' own, as it was loaded
    width: int  # d_model
    # by which the model multiplies embeddings; None: it cannot work from them alone
    input_scale: float | None
    # mean Euclidean norm of the token embeddings as the first layer gets them
    embedding_norm: float | None

    def forward(
        self,
        input_ids: Sequence[int],
        packed_pass: PackedPass,
        logits_to_keep: Sequence[int],
        prefix_embeddings: Mapping[int, NDArray[np.float32]] | None = None,
    ) -> Tensor:
        """One call of the model: the logits (len(keep), vocabulary) after the tokens at the places
        `logits_to_keep`, in its dtype.

        Args:
            input_ids: the packed tokens, in the order of the pass.
            packed_pass: where each of them belongs; its caches grow by what was read.
            logits_to_keep: places in `input_ids`, at least one.
            prefix_embeddings: what the numbers below zero among `input_ids` stand for, (d_model,)
                float32, as the first layer gets them.
        """
        with torch.inference_mode():
            inputs: dict[str, Tensor] = {"input_ids": torch.tensor([input_ids], device=self.device)}
            if prefix_embeddings:
                scale = self.input_scale or 1.0
                embeds = embed_with_prefix(
                    self.model, inputs.pop("input_ids"), prefix_embeddings, scale
                )
                inputs["inputs_embeds"] = embeds
            out = self.model(
                **inputs,
                position_ids=packed_pass.positions()[None],
                use_cache=False,
                logits_to_keep=torch.tensor(logits_to_keep, device=self.device),
                **{PASS_ARGUMENT: packed_pass},
            )
            logits: Tensor = out.logits[0]
        return logits

    @contextmanager
    def capture_hidden_states(self) -> Iterator[list[Tensor]]:
        """For each `forward` inside, what the output layer was given: (len(logits_to_keep),
        d_model), after the final norm, in its dtype.
        """
        hidden_states: list[Tensor] = []
        head = self.model.get_output_embeddings()
        handle = head.register_forward_pre_hook(
            lambda _, inputs: hidden_states.append(inputs[0][0])
        )
        try:
            yield hidden_states
        finally:
            handle.remove()

    @contextmanager
    def with_original_attention(self) -> Iterator[Any]:
        """The transformers model with its own attention, for `generate` and the like."""
        self.model.set_attn_implementation(self.original_attention)
        try:
            yield self.model
        finally:
            self.model.set_attn_implementation(ATTENTION_NAME)


def load_local_model(
    weights: Weights,
    *,
    dtype: str,
    device: str,
    cpu_threads: int | None,
    reasoning: Reasoning | None = None,
) -> LocalModel:
    """Loads a folder of weights. `auto` means bfloat16 where the processor multiplies it fast, else
    float32; a GPU if there is one.

    `cpu_threads` sets torch's thread count for the whole process; by default it is only lowered to
    the available cores.

    Raises ModelError.
    """
    torch_device = _resolve_device(device)
    dtype = resolve_dtype(dtype, torch_device)
    if dtype not in DTYPES:
        raise ModelError(f"dtype {dtype!r} is not known; use auto, float32 or bfloat16")
    torch.set_num_threads(cpu_threads or min(torch.get_num_threads(), available_cores()))
    from transformers import AutoModelForCausalLM, AutoTokenizer

    load_options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    folder = str(weights.folder)
    try:
        with quiet_loading():
            tokenizer = AutoTokenizer.from_pretrained(folder, **load_options)
            model = AutoModelForCausalLM.from_pretrained(
                folder, dtype=DTYPES[dtype], use_safetensors=True, **load_options
            )
    # whatever a broken folder makes the library raise is the user's problem, not a bug of ours
    except Exception as error:
        reason = str(error).strip().splitlines()
        raise ModelError(
            f"{folder}: cannot be loaded: {type(error).__name__}: {reason[0] if reason else ''}"
        ) from error
    model.to(torch_device).eval()
    installed = install_attention(model)
    pack_linear_layers(model)
    prompt_tokenizer = PromptTokenizer(tokenizer, reasoning)
    context_length = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return LocalModel(
        model=model,
        prompt_tokenizer=prompt_tokenizer,
        end_token_ids=prompt_tokenizer.end_token_ids(model.generation_config),
        context_length=context_length if isinstance(context_length, int) else None,
        device=torch_device,
        dtype=dtype,
        cache_shape=installed.cache_shape,
        original_attention=installed.original_attention,
        width=model.config.get_text_config().hidden_size,
        input_scale=installed.input_scale,
        embedding_norm=(
            None
            if installed.input_scale is None
            else _mean_embedding_norm(model) * installed.input_scale
        ),
    )


def _mean_embedding_norm(model: Any) -> float:
    """The mean Euclidean norm of a model's token embeddings, as its embedding layer gives them."""
    embed = model.get_input_embeddings()
    count, device = embed.weight.shape[0], embed.weight.device
    with torch.inference_mode():
        sums = [
            embed(torch.arange(low, min(low + _NORM_CHUNK, count), device=device))
            .float()
            .norm(dim=-1)
            .double()
            .sum()
            for low in range(0, count, _NORM_CHUNK)
        ]
    total: float = torch.stack(sums).sum().item() / count
    return total


def _resolve_device(name: str) -> torch.device:
    if name == "auto":
        return default_device()
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ModelError(f"device {name!r} is not known; use auto, cpu or cuda") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ModelError(f"device {name!r}: torch finds no CUDA device here; use auto or cpu")
    return device
