"""Attention over caches that live outside the model: what a pass reads, and the function transformers calls for every layer.

A pass is one packed sequence without padding: one token of each row that is being decoded, then the tokens of some spans. Only
attention knows where one row ends and the next begins, so everything else in a layer works on all tokens at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

NAME = "simworld"  # under which transformers finds `attend`
ARGUMENT = "simworld_pass"  # the model's keyword argument that carries the Pass


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """One new token for each row of a slab."""

    kv: Tensor  # (layers, 2, rows, kv heads, capacity, head size); the new keys and values are written into it
    positions: Tensor  # (rows,) int64, the place of the new token in its row, = tokens cached before it
    longest: int  # the largest position + 1


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """New tokens of one sequence, after those in its cache."""

    kv: Tensor  # (layers, 2, kv heads, capacity, head size); the new keys and values are written into it
    start: int  # tokens cached before
    count: int  # new tokens
    depths: Tensor | None = (
        None  # (count,) int64: places counted from `start`, where the tokens form a tree and not a line
    )
    sees: Tensor | None = (
        None  # (count, count) bool: which new tokens each new token attends to; None: those up to itself
    )


class Pass:
    """The packed tokens of one call of the model: `rows` first (if any), then each of `spans`."""

    def __init__(self, rows: Rows | None, spans: Sequence[Span], device: torch.device) -> None:
        self._rows = rows
        self._spans = tuple(spans)
        self._device = device
        self._masks: dict[tuple[int, int | None, torch.dtype], Tensor] = {}
        self._each = torch.arange(len(rows.positions), device=device) if rows else None

    def positions(self) -> Tensor:
        """(tokens,) int64, the place of each token in its own sequence."""
        parts = [self._rows.positions] if self._rows else []
        for span in self._spans:
            depths = span.depths if span.depths is not None else torch.arange(span.count, device=self._device)
            parts.append(depths + span.start)
        return torch.cat(parts)

    def attend(
        self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float, window: int | None, cap: float | None
    ) -> Tensor:
        """(1, tokens, heads, head size) from query (1, heads, tokens, head size), key and value (1, kv heads, tokens, …)."""
        heads, kv_heads = query.shape[1], key.shape[1]
        out = query.new_empty(query.shape[2], heads, value.shape[-1])
        at = 0 if self._rows is None else len(self._rows.positions)
        first = at
        for i, span in enumerate(self._spans):
            keys, values = span.kv[layer, 0], span.kv[layer, 1]
            end, total = at + span.count, span.start + span.count
            keys[:, span.start : total] = key[0, :, at:end]
            values[:, span.start : total] = value[0, :, at:end]
            part = query[0, :, at:end]
            if span.start == 0 and span.sees is None and cap is None and (window is None or span.count <= window):
                groups = heads // kv_heads
                k = key[0, :, at:end].repeat_interleave(groups, dim=0)[None]
                v = value[0, :, at:end].repeat_interleave(groups, dim=0)[None]
                found = F.scaled_dot_product_attention(part[None], k, v, is_causal=True, scale=scale)[0]
            else:
                mask = self._span_mask(i, span, window, query.dtype, heads // kv_heads)
                folded = part.reshape(1, kv_heads, -1, query.shape[-1])
                found = _attention(folded, keys[None, :, :total], values[None, :, :total], mask, scale, cap)
                found = found.reshape(heads, span.count, -1)
            out[at:end] = found.transpose(0, 1)
            at = end
        if self._rows is not None:
            rows, kv = self._rows, self._rows.kv[layer]
            kv[0][self._each, :, rows.positions] = key[0, :, :first].transpose(0, 1)
            kv[1][self._each, :, rows.positions] = value[0, :, :first].transpose(0, 1)
            folded = query[0, :, :first].transpose(0, 1).reshape(first, kv_heads, heads // kv_heads, -1)
            mask = self._rows_mask(rows, window, query.dtype)
            found = _attention(folded, kv[0][:, :, : rows.longest], kv[1][:, :, : rows.longest], mask, scale, cap)
            out[:first] = found.reshape(first, heads, -1)
        return out[None]

    def _rows_mask(self, rows: Rows, window: int | None, dtype: torch.dtype) -> Tensor:
        """(rows, 1, 1, longest) to be added to the scores, made once for all layers alike."""
        key = (-1, window, dtype)
        if key not in self._masks:
            places = torch.arange(rows.longest, device=self._device)[None]
            ends = rows.positions[:, None]
            allowed = places <= ends
            if window is not None:
                allowed &= places > ends - window
            self._masks[key] = _additive(allowed, dtype)[:, None, None]
        return self._masks[key]

    def _span_mask(self, i: int, span: Span, window: int | None, dtype: torch.dtype, groups: int) -> Tensor:
        """(1, 1, groups × count, start + count): the heads that share keys are folded into the length of the query."""
        key = (i, window, dtype)
        if key not in self._masks:
            new = torch.arange(span.count, device=self._device) if span.depths is None else span.depths
            sees = span.sees if span.sees is not None else new[None] <= new[:, None]
            allowed = torch.cat([sees.new_ones(span.count, span.start), sees], dim=-1)
            if window is not None:
                places = torch.cat([torch.arange(span.start, device=self._device), new + span.start])
                allowed = allowed & (places[None] > new[:, None] + span.start - window)
            self._masks[key] = _additive(allowed, dtype).repeat(groups, 1)[None, None]
        return self._masks[key]


def _additive(allowed: Tensor, dtype: torch.dtype) -> Tensor:
    return torch.zeros(allowed.shape, dtype=dtype, device=allowed.device).masked_fill_(~allowed, -torch.inf)


def _attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor, scale: float, cap: float | None) -> Tensor:
    if cap is None:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scale)
    # Soft-capped scores fit no fused kernel.
    scores = torch.tanh((q @ k.transpose(-1, -2)) * (scale / cap)) * cap + mask
    return scores.softmax(-1, dtype=torch.float32).to(v.dtype) @ v


def attend(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    softcap: float | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """The attention function as transformers calls it; the Pass comes along as a keyword argument of the model's own call."""
    reading = others[ARGUMENT]
    return reading.attend(module.layer_idx, query, key, value, scaling, sliding_window, softcap), None
