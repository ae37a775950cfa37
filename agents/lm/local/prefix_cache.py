"""Caches that live across turns: what each thread has read, kept under a budget; the thread used
longest ago goes first.

A new thread begins with a copy of what another has read of the same beginning: the instructions
that all conversations share, and whole first prompts where one scenario is played again.
"""

from __future__ import annotations

import logging
import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor

from agents.lm.local.common_prefix import common_prefix_length
from agents.lm.local.kv_block import CacheShape

_log = logging.getLogger(f"simworld.{__name__}")
_CAPACITY_STEP = 64
MIN_SHARED_TOKENS = 32  # a beginning shorter than this is read again rather than looked for


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

    def shared_tokens(self, ids: Sequence[int]) -> int:
        """How many leading tokens of a prompt are cached; never all of them, for the last one must
        be read to go on.
        """
        return min(common_prefix_length(self.ids, ids), len(ids) - 1)


class PrefixCache:
    """The key and value caches of threads, by the thread's name."""

    def __init__(
        self, shape: CacheShape, *, budget_bytes: int, max_threads: int, headroom: int = 256
    ) -> None:
        """Keeps at most `budget_bytes` bytes and `max_threads` threads; more only while a single
        thread needs it.

        A thread that grows is given at most `headroom` tokens beyond what it needs.
        """
        self.budget_bytes = budget_bytes
        self._headroom = headroom
        self._shape = shape
        self._max_threads = max_threads
        self._threads: OrderedDict[str, CachedThread] = OrderedDict()
        self._capacity_tokens = 0

    @property
    def bytes(self) -> int:
        """Memory held."""
        return self._capacity_tokens * self._shape.token_bytes

    def memory_share(self, tokens: int) -> float:
        """The part of the room here that a thread of so many tokens takes, at most: what it was
        given to grow into counts.
        """
        thread_bytes = (
            -(-min(2 * tokens, tokens + self._headroom) // _CAPACITY_STEP)
            * _CAPACITY_STEP
            * self._shape.token_bytes
        )
        return max(
            thread_bytes / self.budget_bytes if self.budget_bytes else math.inf,
            1 / self._max_threads,
        )

    def __contains__(self, name: str) -> bool:
        return name in self._threads

    def get(self, name: str) -> CachedThread | None:
        """The thread of that name, if it is still here."""
        thread = self._threads.get(name)
        if thread is not None:
            self._threads.move_to_end(name)
        return thread

    def longest_match(self, ids: Sequence[int]) -> CachedThread | None:
        """The thread that has read most of the beginning of a prompt; None where none has read as
        much as is worth a copy.
        """
        first_ids = list(ids[:MIN_SHARED_TOKENS])
        candidates = [
            thread
            for thread in self._threads.values()
            if thread.ids[:MIN_SHARED_TOKENS] == first_ids and len(first_ids) == MIN_SHARED_TOKENS
        ]
        return max(candidates, key=lambda thread: thread.shared_tokens(ids), default=None)

    def store(self, name: str, ids: Sequence[int], kv: Tensor) -> None:
        """Stores a cache (layers, 2, kv heads, ≥ len(ids), head size); copies only the tokens that
        the thread did not have.
        """
        thread = self.open_thread(name, ids, len(ids))
        start = len(thread.ids)
        thread.kv[:, :, :, start : len(ids)] = kv[:, :, :, start : len(ids)]
        thread.ids = list(ids)

    def open_thread(self, name: str, ids: Sequence[int], tokens: int) -> CachedThread:
        """The thread cut back to what it shares with `ids`, with room for that many tokens; a new
        one knows what others have read.

        The caller may write behind `thread.ids` and set them. A thread without a name is not kept,
        and begins empty.
        """
        thread = self._threads.get(name) if name else None
        if thread is None:
            closest = self.longest_match(ids) if name else None
            thread = CachedThread(self._allocate(tokens))
            if closest is not None:
                shared_count = closest.shared_tokens(ids)
                thread.kv[:, :, :, :shared_count] = closest.kv[:, :, :, :shared_count]
                thread.ids = list(ids[:shared_count])
            if name:
                self._threads[name] = thread
                self._capacity_tokens += thread.capacity
        thread.ids = thread.ids[: common_prefix_length(thread.ids, ids)]
        _log.debug("thread %r: %d of %d tokens are cached", name, len(thread.ids), len(ids))
        if thread.capacity < tokens:
            old_kv, cached_count = thread.kv, len(thread.ids)
            thread.kv = self._allocate(
                max(tokens, min(2 * old_kv.shape[3], tokens + self._headroom))
            )
            thread.kv[:, :, :, :cached_count] = old_kv[:, :, :, :cached_count]
            if name:
                self._capacity_tokens += thread.capacity - old_kv.shape[3]
        if name:
            self._threads.move_to_end(name)
            self._evict()
        return thread

    def forget(self, name: str) -> None:
        """Drops a thread; no error if there is none."""
        thread = self._threads.pop(name, None)
        if thread is not None:
            self._capacity_tokens -= thread.capacity

    def clear(self) -> None:
        """Drops all."""
        self._threads.clear()
        self._capacity_tokens = 0

    def _evict(self) -> None:
        while len(self._threads) > 1 and (
            self.bytes > self.budget_bytes or len(self._threads) > self._max_threads
        ):
            oldest = next(iter(self._threads))
            _log.debug("thread %r is evicted: %d are kept", oldest, len(self._threads) - 1)
            self.forget(oldest)

    def _allocate(self, tokens: int) -> Tensor:
        return self._shape.zeros(tokens=-(-tokens // _CAPACITY_STEP) * _CAPACITY_STEP)
