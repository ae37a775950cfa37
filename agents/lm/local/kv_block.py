"""The cache of rows that are being decoded: one block of memory with a slot per row; no token costs
a copy of what is cached.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheShape:
    """What one token leaves in the cache."""

    layers: int
    kv_heads: int
    head_size: int
    dtype: torch.dtype
    device: torch.device

    @property
    def token_bytes(self) -> int:
        """Bytes per token, keys and values of all layers."""
        return 2 * self.layers * self.kv_heads * self.head_size * self.dtype.itemsize

    def zeros(self, *rows: int, tokens: int) -> Tensor:
        """Zeros, (layers, 2, *rows, kv heads, tokens, head size). Zeros, for what is masked must
        still be a number.
        """
        size = (self.layers, 2, *rows, self.kv_heads, tokens, self.head_size)
        return torch.zeros(size, dtype=self.dtype, device=self.device)


class KVBlock:
    """Slots 0, 1, … of one capacity; their number grows by doubling.

    Attention works on all of a slot, so a row belongs in a KV block whose capacity is little more
    than its length.
    """

    def __init__(self, shape: CacheShape, capacity: int) -> None:
        self._shape = shape
        self.capacity = capacity  # tokens per row
        # (layers, 2, slots, kv heads, capacity, head size)
        self.kv = shape.zeros(0, tokens=capacity)

    @property
    def slots(self) -> int:
        """Rows it has room for."""
        return self.kv.shape[2]

    def size_in_bytes(self, slots: int = 0) -> int:
        """Its size, or what it would be with room for that many rows."""
        return self._grown_slots(slots) * self.capacity * self._shape.token_bytes

    def reserve(self, slots: int) -> None:
        """Makes room for that many rows; what is cached stays."""
        wanted = self._grown_slots(slots)
        if wanted > self.slots:
            block = self._shape.zeros(wanted, tokens=self.capacity)
            block[:, :, : self.slots] = self.kv
            self.kv = block

    def _grown_slots(self, slots: int) -> int:
        return self.slots if slots <= self.slots else max(slots, min(2 * self.slots, slots + 8))


def capacity_for(tokens: int) -> int:
    """The capacity of the KV block that takes rows of so many tokens: steps of 64 at first, then of
    an eighth or more.
    """
    step = 64
    while tokens > 8 * step:
        step *= 2
    return -(-tokens // step) * step
