"""What all pages share: the database, opened to be read, and answers that several readers ask for
at once.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from simworld.core.errors import SimworldError, StoreError
from simworld.web.search_encoder import SemanticSearch
from store import Store, open_store

BUSY_TIMEOUT_S = 2.0  # a reader of a page waits no longer for a locked database
MAX_ROW_BYTES = 1 << 23  # what no page could show
CHECK_INTERVAL_S = 1.0  # how long a database counts as known to be there
FRESH_S = 5.0  # how old an answer may be and count as new
STALE_S = 60.0  # how old it may be and still be given, while a new one is made
MAX_ANSWERS = 200  # answers
T = TypeVar("T")


@dataclass(slots=True)
class _CachedAnswer:
    lock: threading.Lock = field(default_factory=threading.Lock)
    made_at: float | None = None  # in monotonic seconds; None: not yet
    version: object = None  # of what it was made from
    value: Any = None
    renewing: bool = False


class AppState:
    """The database of a server. It is opened at the first question, and again when the file has
    become another one.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.semantic_search = SemanticSearch()
        # the server is about to end: nobody waits for queries any more
        self.stopping = threading.Event()
        self._store: Store | None = None
        self._checked_at = 0.0
        self._answers: OrderedDict[Hashable, _CachedAnswer] = OrderedDict()
        self._lock = threading.Lock()
        self._renewals = ThreadPoolExecutor(1, "answers")

    def store(self) -> Store:
        """The store, known to be there and of this version.

        Raises:
            InputError, StoreError, StoreMismatch: it is not; the text says what to do.
        """
        with self._lock:
            if self._store is not None and time.monotonic() - self._checked_at > CHECK_INTERVAL_S:
                try:
                    self._store.check_unchanged()
                    self._checked_at = time.monotonic()
                except StoreError:
                    self._close_store()
            if self._store is None:
                self._store = open_store(
                    self.url, busy_timeout_s=BUSY_TIMEOUT_S, read_only=True, row_bytes=MAX_ROW_BYTES
                )
                self._checked_at = time.monotonic()
            return self._store

    def cached(self, key: Hashable, ask: Callable[[], T], *, version: Hashable = None) -> T:
        """An answer that is at most a minute old; once it is older than some seconds, a new one is
        made behind the scenes.

        Args:
            key: which answer.
            ask: makes it; several readers who wait for the same one ask once.
            version: of what it is made from; as long as that is the same, a new one is made once a
                minute only.
        """
        with self._lock:
            answer = self._answers.setdefault(key, _CachedAnswer())
            self._answers.move_to_end(key)
            if len(self._answers) > MAX_ANSWERS:
                self._answers.popitem(last=False)
        if answer.made_at is None or time.monotonic() - answer.made_at > STALE_S:
            with answer.lock:
                if answer.made_at is None or time.monotonic() - answer.made_at > STALE_S:
                    self._compute(answer, ask, version)
        value: T = answer.value
        if time.monotonic() - (answer.made_at or 0.0) > FRESH_S and (
            version is None or version != answer.version
        ):
            with self._lock:
                must_renew, answer.renewing = not answer.renewing, True
            if must_renew:
                self._renewals.submit(self._renew, answer, ask, version)
        return value

    @staticmethod
    def _compute(answer: _CachedAnswer, ask: Callable[[], Any], version: Hashable) -> None:
        answer.value = ask()
        answer.version, answer.made_at = version, time.monotonic()

    def _renew(self, answer: _CachedAnswer, ask: Callable[[], Any], version: Hashable) -> None:
        try:
            self._compute(answer, ask, version)
        except SimworldError:
            answer.made_at = None  # the next reader asks, and is told
        finally:
            answer.renewing = False

    def close(self) -> None:
        """Closes the database, once no answer is being made."""
        self._renewals.shutdown(cancel_futures=True)
        with self._lock:
            self._close_store()

    def _close_store(self) -> None:
        if self._store is not None:
            self._store.close()
        self._store = None
        self._answers.clear()
