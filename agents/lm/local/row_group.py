"""Rows of about one length, decoded together: row i lives in slot i of a KV block of their own."""

from __future__ import annotations

from torch import Tensor

from agents.lm.local.attention import PrefillSpan
from agents.lm.local.decoding_row import DecodingRow
from agents.lm.local.kv_block import CacheShape, KVBlock


class RowGroup:
    """Rows may leave and join between steps; the places of those that left go to new ones, or else
    to the last.
    """

    def __init__(self, shape: CacheShape, capacity: int) -> None:
        self.kv_block = KVBlock(shape, capacity)
        self._slots: list[DecodingRow | None] = []
        self._awaiting_prefill: list[DecodingRow] = []

    @property
    def rows(self) -> list[DecodingRow]:
        """Those that have not left, in the order of their slots."""
        return [row for row in self._slots if row is not None]

    def kv_bytes(self, *, one_more: bool = False) -> int:
        """Memory held, or what would be held with one more row."""
        return self.kv_block.size_in_bytes(len(self.rows) + 1 if one_more else 0)

    def join(self, row: DecodingRow, cached_kv: Tensor | None) -> None:
        """Takes a row in, with the cache of its first tokens, (layers, 2, kv heads, tokens, head
        size).
        """
        slot = next((i for i, other in enumerate(self._slots) if other is None), len(self._slots))
        self._slots[slot : slot + 1] = [row]
        self._awaiting_prefill.append(row)
        self.kv_block.reserve(slot + 1)
        if cached_kv is not None:
            self.kv_block.kv[:, :, slot, :, : cached_kv.shape[3]] = cached_kv
            row.cached_tokens = cached_kv.shape[3]

    def leave(self, row: DecodingRow) -> None:
        """Lets a row go."""
        self._slots[self._slots.index(row)] = None

    def compact(self) -> None:
        """Moves the last rows into the places of those that left."""
        while None in self._slots:
            last = self._slots.pop()
            if last is not None:
                hole = self._slots.index(None)
                kv, count = self.kv_block.kv, last.cached_tokens
                kv[:, :, hole, :, :count] = kv[:, :, len(self._slots), :, :count]
                self._slots[hole] = last

    def take_prefill(self) -> tuple[list[PrefillSpan], list[int]]:
        """What rows that have just joined must read before the last token of their prompts, as
        spans and their tokens.
        """
        spans, ids = [], list[int]()
        for row in self._awaiting_prefill:
            uncached_ids = row.input_ids[row.cached_tokens : -1]
            if uncached_ids:
                spans.append(PrefillSpan(self.kv_of(row), row.cached_tokens, len(uncached_ids)))
                ids.extend(uncached_ids)
                row.cached_tokens += len(uncached_ids)
        self._awaiting_prefill = []
        return spans, ids

    def kv_of(self, row: DecodingRow) -> Tensor:
        """The memory of a row, (layers, 2, kv heads, capacity, head size)."""
        return self.kv_block.kv[:, :, self._slots.index(row)]

    def zero_kv(self, row: DecodingRow) -> None:
        """Leaves nothing of a row whose numbers ran away: masking could not hide them."""
        self.kv_of(row).zero_()
