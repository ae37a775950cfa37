"""Attention over caches that live outside the model: what a pass reads, and the function
transformers calls for every layer.

A pass is one packed sequence without padding: one token of each row that is being decoded, then the
tokens of some spans. Only attention knows where one row ends and the next begins, so everything
else in a layer works on all tokens at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

ATTENTION_NAME = "simworld"  # under which transformers finds `attend`
PASS_ARGUMENT = "simworld_pass"  # the model's keyword argument that carries the PackedPass

# queries of a span that attend at a time: keys after the last of them are left out
_QUERY_BLOCK = 128


@dataclass(frozen=True, slots=True, eq=False)
class DecodeRows:
    """One new token for each row of a KV block."""

    # (layers, 2, rows, kv heads, capacity, head size), the last four dense; the new keys and values
    # go into it
    kv: Tensor
    # (rows,) int64, the place of the new token in its row, = tokens cached before it
    positions: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class PrefillSpan:
    """New tokens of one sequence, after those in its cache."""

    # (layers, 2, kv heads, capacity, head size); the new keys and values are written into it
    kv: Tensor
    start: int  # tokens cached before
    count: int  # new tokens
    # (count,) int64: places counted from `start`, where the tokens form a tree and not a line
    depths: Tensor | None = None
    # (count, count) bool: which new tokens each new token attends to; None: those up to itself
    attends_to: Tensor | None = None

    def place_depths(self) -> Tensor:
        """(count,) int64, the places of the tokens counted from `start`."""
        return (
            torch.arange(self.count, device=self.kv.device) if self.depths is None else self.depths
        )


class PackedPass:
    """The packed tokens of one call of the model: those of each of `rows`, then those of each of
    `spans`.
    """

    def __init__(
        self, rows: Sequence[DecodeRows], spans: Sequence[PrefillSpan], device: torch.device
    ) -> None:
        self._rows = tuple(rows)
        self._spans = tuple(spans)
        self._device = device
        self._masks: dict[object, Tensor] = {}
        self._flat = [_flat_positions(r) for r in rows]
        self._query_block = _QUERY_BLOCK if device.type == "cpu" else 8 * _QUERY_BLOCK

    def positions(self) -> Tensor:
        """(tokens,) int64, the place of each token in its own sequence."""
        parts = [rows.positions for rows in self._rows]
        return torch.cat([*parts, *(span.place_depths() + span.start for span in self._spans)])

    def attend(
        self,
        layer: int,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        scale: float,
        window: int | None,
        softcap: float | None,
    ) -> Tensor:
        """(1, tokens, heads, head size) from query (1, heads, tokens, head size), key and value (1,
        kv heads, tokens, …).
        """
        heads, kv_heads = query.shape[1], key.shape[1]
        groups = heads // kv_heads
        out = query.new_empty(query.shape[2], heads, value.shape[-1])
        # Spans come first: the rows that have just joined attend to what their spans leave in the
        # cache.
        pos = sum(len(rows.positions) for rows in self._rows)
        for i, span in enumerate(self._spans):
            end, total = pos + span.count, span.start + span.count
            span.kv[layer, 0, :, span.start : total] = key[0, :, pos:end]
            span.kv[layer, 1, :, span.start : total] = value[0, :, pos:end]
            keys = span.kv[layer, 0, :, :total].contiguous()[None]
            values = span.kv[layer, 1, :, :total].contiguous()[None]
            for low in range(0, span.count, self._query_block):
                high = min(low + self._query_block, span.count)
                n_keys = total if span.attends_to is not None else span.start + high
                queries = query[0, :, pos + low : pos + high].reshape(
                    1, kv_heads, -1, query.shape[-1]
                )
                mask = self._span_mask(i, span, window, query.dtype, groups, low, high, n_keys)
                result = _attention(
                    queries, keys[:, :, :n_keys], values[:, :, :n_keys], mask, scale, softcap
                )
                out[pos + low : pos + high] = result.reshape(heads, high - low, -1).transpose(0, 1)
            pos = end
        pos = 0
        for i, rows in enumerate(self._rows):
            end = pos + len(rows.positions)
            keys, values = rows.kv[layer].unbind()
            keys.view(-1, keys.shape[-1])[self._flat[i]] = key[0, :, pos:end].transpose(0, 1)
            values.view(-1, values.shape[-1])[self._flat[i]] = value[0, :, pos:end].transpose(0, 1)
            # The heads that share keys are folded into the length of the query.
            queries = query[0, :, pos:end].transpose(0, 1).reshape(end - pos, kv_heads, groups, -1)
            result = _attention(
                queries, keys, values, self._rows_mask(i, rows, window, query.dtype), scale, softcap
            )
            out[pos:end] = result.reshape(end - pos, heads, -1)
            pos = end
        return out[None]

    def _rows_mask(
        self, i: int, rows: DecodeRows, window: int | None, dtype: torch.dtype
    ) -> Tensor:
        """(rows, 1, 1, capacity) to be added to the scores, made once for all layers alike."""
        key = (i, window, dtype)
        if key not in self._masks:
            positions = torch.arange(rows.kv.shape[4], device=self._device)[None]
            last = rows.positions[:, None]
            allowed = positions <= last
            if window is not None:
                allowed &= positions > last - window
            self._masks[key] = _additive_mask(allowed, dtype)[:, None, None]
        return self._masks[key]

    def _span_mask(
        self,
        i: int,
        span: PrefillSpan,
        window: int | None,
        dtype: torch.dtype,
        groups: int,
        low: int,
        high: int,
        n_keys: int,
    ) -> Tensor:
        """(1, 1, groups × (high - low), seen) for the new tokens from `low` to `high`; the same for
        each head of a group.
        """
        key = (i, window, dtype, low)
        if key not in self._masks:
            depths = span.place_depths()
            sees = (
                span.attends_to if span.attends_to is not None else depths[None] <= depths[:, None]
            )
            allowed = torch.cat(
                [sees.new_ones(high - low, span.start), sees[low:high, : n_keys - span.start]],
                dim=-1,
            )
            if window is not None:
                positions = torch.cat(
                    [torch.arange(span.start, device=self._device), depths + span.start]
                )[:n_keys]
                allowed = allowed & (positions[None] > depths[low:high, None] + span.start - window)
            self._masks[key] = _additive_mask(allowed, dtype).repeat(groups, 1)[None, None]
        return self._masks[key]


def _flat_positions(rows: DecodeRows) -> Tensor:
    """(rows, kv heads) int64, where the new keys lie if a layer's keys are one list of vectors."""
    count, heads, capacity = rows.kv.shape[2:5]
    lists = torch.arange(count * heads, device=rows.kv.device).view(count, heads)
    return lists * capacity + rows.positions[:, None]


def _additive_mask(allowed: Tensor, dtype: torch.dtype) -> Tensor:
    return torch.zeros(allowed.shape, dtype=dtype, device=allowed.device).masked_fill_(
        ~allowed, -torch.inf
    )


def _attention(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor, scale: float, softcap: float | None
) -> Tensor:
    """(rows, kv heads, queries, head size); the mask is added to the scores."""
    if softcap is not None:  # soft-capped scores fit no fused kernel
        scores = torch.tanh((q @ k.transpose(-1, -2)) * (scale / softcap)) * softcap + mask
        return scores.softmax(-1, dtype=torch.float32).to(v.dtype) @ v
    if q.dtype is torch.bfloat16 and q.device.type == "cpu":
        # Torch's fused kernel for bfloat16 on processors takes up to twice the time of two
        # products.
        keys, values, queries = k.flatten(0, 1), v.flatten(0, 1), (q * scale).flatten(0, 1)
        scores = (
            torch.bmm(queries, keys.transpose(1, 2)).view(*q.shape[:3], -1).add_(mask).softmax(-1)
        )
        return torch.bmm(scores.flatten(0, 1), values).view(q.shape)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scale)


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
    """The attention function as transformers calls it; the PackedPass comes along as a keyword
    argument of the model's own call.
    """
    packed_pass = others[PASS_ARGUMENT]
    return packed_pass.attend(
        module.layer_idx, query, key, value, scaling, sliding_window, softcap
    ), None
