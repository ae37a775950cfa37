"""The cache of the rows that are being decoded: one block of memory with a slot per row; no token causes a copy or a concatenation."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_ROUND = 64  # capacities are multiples of this many tokens


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

    def block(self, *rows: int, tokens: int) -> Tensor:
        """Zeros, (layers, 2, *rows, kv heads, tokens, head size). Zeros, for what is masked must still be a number."""
        size = (self.layers, 2, *rows, self.kv_heads, tokens, self.head_size)
        return torch.zeros(size, dtype=self.dtype, device=self.device)


class Slab:
    """Slots 0, 1, … of equal capacity; it grows by doubling."""

    def __init__(self, shape: CacheShape) -> None:
        self._shape = shape
        self.kv = shape.block(0, tokens=0)  # (layers, 2, slots, kv heads, capacity, head size)

    @property
    def slots(self) -> int:
        """Rows it has room for."""
        return self.kv.shape[2]

    @property
    def capacity(self) -> int:
        """Tokens per row."""
        return self.kv.shape[4]

    @property
    def bytes(self) -> int:
        """Its size."""
        return self.slots * self.capacity * self._shape.token_bytes

    def grown(self, slots: int, tokens: int) -> tuple[int, int]:
        """The (slots, capacity) that `reserve` would come to."""
        if slots > self.slots:
            slots = max(slots, min(2 * self.slots, slots + 16))
        if tokens > self.capacity:
            tokens = -(-max(tokens, self.capacity * 5 // 4) // _ROUND) * _ROUND
        return max(slots, self.slots), max(tokens, self.capacity)

    def reserve(self, slots: int, tokens: int) -> None:
        """Makes room for that many rows of that many tokens; what is cached stays."""
        wanted = self.grown(slots, tokens)
        if wanted == (self.slots, self.capacity):
            return
        block = self._shape.block(wanted[0], tokens=wanted[1])
        block[:, :, : self.slots, :, : self.capacity] = self.kv
        self.kv = block

    def load(self, slot: int, kv: Tensor) -> None:
        """Puts a cache (layers, 2, kv heads, tokens, head size) at the beginning of a slot."""
        self.kv[:, :, slot, :, : kv.shape[3]] = kv

    def view(self, slot: int) -> Tensor:
        """A slot's memory, (layers, 2, kv heads, capacity, head size)."""
        return self.kv[:, :, slot]

    def move(self, source: int, target: int, tokens: int) -> None:
        """Copies the first tokens of a slot into another."""
        self.kv[:, :, target, :, :tokens] = self.kv[:, :, source, :, :tokens]

    def wipe(self, slot: int) -> None:
        """Zeros: a row whose numbers ran away must leave none behind, for masking cannot hide them."""
        self.kv[:, :, slot] = 0

    def clear(self) -> None:
        """Gives the memory back."""
        self.kv = self._shape.block(0, tokens=0)
