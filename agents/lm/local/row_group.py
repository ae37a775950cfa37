"""Rows of about one length under way together: row i lives in slot i of a KV block of its own."""

from __future__ import annotations

from torch import Tensor

from agents.lm.local.attention import Span
from agents.lm.local.decoding_row import DecodingRow
from agents.lm.local.kv_block import CacheShape, KVBlock


class RowGroup:
    """Rows may leave and join between steps; the places of those that left go to new ones, or else
    to the last.
    """

    def __init__(self, shape: CacheShape, capacity: int) -> None:
        self.kv_block = KVBlock(shape, capacity)
        self._slots: list[DecodingRow | None] = []
        self._joined: list[DecodingRow] = []

    @property
    def rows(self) -> list[DecodingRow]:
        """Those that have not left, in the order of their slots."""
        return [row for row in self._slots if row is not None]

    def bytes(self, *, more: bool = False) -> int:
        """Memory held, or what would be held with one more row."""
        return self.kv_block.bytes(len(self.rows) + 1 if more else 0)

    def join(self, row: DecodingRow, cached: Tensor | None) -> None:
        """Takes a row in, with the cache of its first tokens, (layers, 2, kv heads, tokens, head
        size).
        """
        place = next((i for i, other in enumerate(self._slots) if other is None), len(self._slots))
        self._slots[place : place + 1] = [row]
        self._joined.append(row)
        self.kv_block.reserve(place + 1)
        if cached is not None:
            self.kv_block.load(place, cached)
            row.cached = cached.shape[3]

    def leave(self, row: DecodingRow) -> None:
        """Lets a row go."""
        self._slots[self._slots.index(row)] = None

    def close_ranks(self) -> None:
        """Moves the last rows into the places of those that left."""
        while None in self._slots:
            last = self._slots.pop()
            if last is not None:
                hole = self._slots.index(None)
                self.kv_block.move(len(self._slots), hole, last.cached)
                self._slots[hole] = last

    def unread(self) -> tuple[list[Span], list[int]]:
        """What rows that have just joined must read before the last token of their prompts, as
        spans and their tokens.
        """
        spans, ids = [], list[int]()
        for row in self._joined:
            new = row.ids[row.cached : -1]
            if new:
                spans.append(Span(self.view(row), row.cached, len(new)))
                ids.extend(new)
                row.cached += len(new)
        self._joined = []
        return spans, ids

    def view(self, row: DecodingRow) -> Tensor:
        """The memory of a row, (layers, 2, kv heads, capacity, head size)."""
        return self.kv_block.view(self._slots.index(row))

    def wipe(self, row: DecodingRow) -> None:
        """Leaves nothing of a row's cache."""
        self.kv_block.wipe(self._slots.index(row))
