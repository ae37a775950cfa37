"""Caches that live across turns: what each thread has read, kept under a budget; the thread used
longest ago goes first.

A new thread begins with a copy of what another has read of the same beginning: the instructions
that all conversations share, and whole first prompts where one scenario is played again.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor

from agents.lm.local.common_prefix import common_prefix
from agents.lm.local.kv_block import CacheShape

_ROUND = 64
WORTH = 32  # a beginning shorter than this is read again rather than looked for


@dataclass(slots=True, eq=False)
class CachedThread:
    """A conversation as one seat has read it: `ids`, and their keys and values in the first places
    of `kv`.
    """

    kv: Tensor  # (layers, 2, kv heads, capacity, head size)
    ids: list[int] = field(default_factory=list)

    @property
    def capacity(self) -> int:
        """Tokens there is room for."""
        return self.kv.shape[3]

    def shared(self, ids: Sequence[int]) -> int:
        """How many leading tokens of a prompt are cached; never all of them, for the last one must
        be read to go on.
        """
        return min(common_prefix(self.ids, ids), len(ids) - 1)


class PrefixCache:
    """Parked threads by name."""

    def __init__(self, shape: CacheShape, *, budget: int, count: int, ahead: int = 256) -> None:
        """Keeps at most `budget` bytes and `count` threads; more only while a single thread needs
        it.

        A thread that grows is given at most `ahead` tokens beyond what it needs.
        """
        self.budget = budget
        self._ahead = ahead
        self._shape = shape
        self._count = count
        self._kept: OrderedDict[str, CachedThread] = OrderedDict()
        self._tokens = 0

    @property
    def bytes(self) -> int:
        """Memory held."""
        return self._tokens * self._shape.token_bytes

    def memory_share(self, tokens: int) -> float:
        """The part of the room here that a thread of so many tokens takes, at most: what it was
        given to grow into counts.
        """
        held = (
            -(-min(2 * tokens, tokens + self._ahead) // _ROUND) * _ROUND * self._shape.token_bytes
        )
        return max(held / self.budget if self.budget else math.inf, 1 / self._count)

    def __contains__(self, name: str) -> bool:
        return name in self._kept

    def find(self, name: str) -> CachedThread | None:
        """The thread of that name, if it is still here."""
        thread = self._kept.get(name)
        if thread is not None:
            self._kept.move_to_end(name)
        return thread

    def nearest(self, ids: Sequence[int]) -> CachedThread | None:
        """The thread that has read most of the beginning of a prompt; None where none has read as
        much as is worth a copy.
        """
        head = list(ids[:WORTH])
        alike = [
            thread
            for thread in self._kept.values()
            if thread.ids[:WORTH] == head and len(head) == WORTH
        ]
        return max(alike, key=lambda thread: thread.shared(ids), default=None)

    def keep(self, name: str, ids: Sequence[int], kv: Tensor) -> None:
        """Parks a cache (layers, 2, kv heads, ≥ len(ids), head size); copies only the tokens that
        the thread did not have.
        """
        thread = self.open(name, ids, len(ids))
        start = len(thread.ids)
        thread.kv[:, :, :, start : len(ids)] = kv[:, :, :, start : len(ids)]
        thread.ids = list(ids)

    def open(self, name: str, ids: Sequence[int], tokens: int) -> CachedThread:
        """The thread cut back to what it shares with `ids`, with room for that many tokens; a new
        one knows what others have read.

        The caller may write behind `thread.ids` and set them. A thread without a name is not kept,
        and begins empty.
        """
        thread = self._kept.get(name) if name else None
        if thread is None:
            other = self.nearest(ids) if name else None
            thread = CachedThread(self._block(tokens))
            if other is not None:
                known = other.shared(ids)
                thread.kv[:, :, :, :known] = other.kv[:, :, :, :known]
                thread.ids = list(ids[:known])
            if name:
                self._kept[name] = thread
                self._tokens += thread.capacity
        thread.ids = thread.ids[: common_prefix(thread.ids, ids)]
        if thread.capacity < tokens:
            before, cached = thread.kv, len(thread.ids)
            thread.kv = self._block(max(tokens, min(2 * before.shape[3], tokens + self._ahead)))
            thread.kv[:, :, :, :cached] = before[:, :, :, :cached]
            if name:
                self._tokens += thread.capacity - before.shape[3]
        if name:
            self._kept.move_to_end(name)
            self._evict()
        return thread

    def forget(self, name: str) -> None:
        """Drops a thread; no error if there is none."""
        thread = self._kept.pop(name, None)
        if thread is not None:
            self._tokens -= thread.capacity

    def clear(self) -> None:
        """Drops all."""
        self._kept.clear()
        self._tokens = 0

    def _evict(self) -> None:
        while len(self._kept) > 1 and (self.bytes > self.budget or len(self._kept) > self._count):
            self.forget(next(iter(self._kept)))

    def _block(self, tokens: int) -> Tensor:
        return self._shape.block(tokens=-(-tokens // _ROUND) * _ROUND)
