"""Gives a transformers model our attention, and finds out whether it still computes the same: if
not, the model is refused.

Families differ in what their layers ask of attention (windows, soft-capped scores, sinks, biases).
What is asked is seen on a probe of a few tokens, and its logits are compared with those of the
untouched model, read in two pieces so that the cache takes part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from agents.lm.local.attention import (
    ATTENTION_NAME,
    PASS_ARGUMENT,
    DecodeRows,
    PackedPass,
    PrefillSpan,
    attend,
)
from agents.lm.local.kv_block import CacheShape
from simworld.core.errors import ModelError

_PROBE_TOKENS = 24
# largest difference of logits, as a share of the largest logit
_TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.1}
_LAYER_TYPES = ("full_attention", "sliding_attention")


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledAttention:
    """What was found out about a model."""

    cache_shape: CacheShape
    original_attention: str  # transformers' own, as it was loaded
    # by which it multiplies the embeddings it is given; None: it cannot work from them alone
    input_scale: float | None


class _AttentionProbe:
    """Stands in for a PackedPass: notes what the layers ask for, and computes plain causal
    attention on few tokens.
    """

    def __init__(self) -> None:
        # layer → kv heads, size of keys, size of values
        self.kv_shapes: dict[int, tuple[int, int, int]] = {}
        self.windows: dict[int, int | None] = {}

    def attend(
        self,
        layer: int,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        scale: float,
        window: int | None,
        cap: float | None,
    ) -> Tensor:
        self.kv_shapes[layer] = (key.shape[1], key.shape[-1], value.shape[-1])
        self.windows[layer] = window
        return query.new_zeros(1, query.shape[2], query.shape[1], value.shape[-1])


def install_attention(model: Any) -> InstalledAttention:
    """What there is to know of a model; from now on it has our attention.

    Raises ModelError where its layers are of a kind that our attention does not compute.
    """
    from transformers import AttentionInterface

    AttentionInterface.register(ATTENTION_NAME, attend)
    name = type(model).__name__
    original_attention = str(model.config.get_text_config()._attn_implementation)
    config = model.config.get_text_config()
    device = next(model.parameters()).device
    ids = (torch.arange(_PROBE_TOKENS, device=device) * 7 + 3)[None] % config.vocab_size
    kinds = getattr(config, "layer_types", None) or ()
    if unknown := [kind for kind in kinds if kind not in _LAYER_TYPES]:
        raise _refusal(name, f"it has layers of the kind {unknown[0]}")
    with torch.inference_mode():
        expected = model(input_ids=ids, use_cache=False).logits[0].float()
        input_scale = _input_scale(model, ids, expected)
        model.set_attn_implementation(ATTENTION_NAME)
        probe = _AttentionProbe()
        try:
            model(input_ids=ids, use_cache=False, **{PASS_ARGUMENT: probe})
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise _refusal(
                name, f"its layers do not call the attention they are given ({error})"
            ) from None
        shapes = set(probe.kv_shapes.values())
        if sorted(probe.kv_shapes) != list(range(config.num_hidden_layers)) or len(shapes) != 1:
            raise _refusal(name, "its layers have caches of several shapes")
        ((heads, size, value_size),) = shapes
        if size != value_size:
            raise _refusal(name, "keys and values differ in size")
        for layer, kind in enumerate(kinds):
            if (kind == "sliding_attention") != (probe.windows[layer] is not None) and len(
                set(kinds)
            ) > 1:
                raise _refusal(name, "its layers do not say how wide their window is")
        dtype = next(model.parameters()).dtype
        shape = CacheShape(
            layers=len(probe.kv_shapes), kv_heads=heads, head_size=size, dtype=dtype, device=device
        )
        logits = _probe_logits(model, shape, ids)
    # Where the numbers are not finite nothing can be compared; each row will say so by itself.
    if bool(expected.isfinite().all()) and not _logits_agree(logits, expected, dtype):
        raise _refusal(name, "its attention is of a kind of its own")
    return InstalledAttention(
        cache_shape=shape, original_attention=original_attention, input_scale=input_scale
    )


def _input_scale(model: Any, ids: Tensor, expected: Tensor) -> float | None:
    """The factor between the embeddings that a model is given and those its first layer gets.

    None where it makes something else of them, or of the tokens besides, so that it says other
    things than from the tokens.
    """
    given = model.get_input_embeddings()(ids)
    try:
        out = model(inputs_embeds=given, use_cache=False, output_hidden_states=True)
    except (KeyError, TypeError, ValueError, RuntimeError):  # it wants the tokens
        return None
    first, plain = out.hidden_states[0][0].float(), given[0].float()
    scale = float((first * plain).sum() / (plain * plain).sum())
    if abs(scale - 1) < 1e-4:
        scale = 1.0
    same = _logits_agree(scale * plain, first, given.dtype) and _logits_agree(
        out.logits[0].float(), expected, given.dtype
    )
    return scale if same else None


def _logits_agree(actual: Tensor, expected: Tensor, dtype: torch.dtype) -> bool:
    return float((actual - expected).abs().max()) <= _TOLERANCE.get(dtype, 1e-3) * float(
        expected.abs().max()
    )


def _probe_logits(model: Any, shape: CacheShape, ids: Tensor) -> Tensor:
    """Logits of the probe, read in two spans and a decoding step."""
    kv = shape.zeros(1, tokens=_PROBE_TOKENS)
    half, last = _PROBE_TOKENS // 2, _PROBE_TOKENS - 1
    passes = [
        (ids[:, :half], PackedPass((), [PrefillSpan(kv[:, :, 0], 0, half)], shape.device)),
        (
            ids[:, half:last],
            PackedPass((), [PrefillSpan(kv[:, :, 0], half, last - half)], shape.device),
        ),
        (
            ids[:, last:],
            PackedPass(
                [DecodeRows(kv, torch.tensor([last], device=shape.device))], (), shape.device
            ),
        ),
    ]
    logits = [
        model(
            input_ids=part_ids,
            position_ids=packed_pass.positions()[None],
            use_cache=False,
            **{PASS_ARGUMENT: packed_pass},
        ).logits[0]
        for part_ids, packed_pass in passes
    ]
    return torch.cat(logits).float()


def _refusal(name: str, reason: str) -> ModelError:
    return ModelError(
        f"{name} cannot run in this process: {reason}; serve it and use openai:MODEL@URL instead"
    )
