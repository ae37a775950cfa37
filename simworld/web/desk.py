"""What all pages share: the database, opened to be read, and answers that several readers ask for at once."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from simworld.core.errors import StoreError
from simworld.web.meaning import Meaning
from store import Store, open_store

BUSY_TIMEOUT_S = 2.0  # a reader of a page waits no longer for a locked database
CHECKED_S = 1.0  # how long a database counts as known to be there
FRESH_S = 5.0  # how old a remembered answer may be: counts of a run that is being played lag so far behind
REMEMBERED = 200  # answers
T = TypeVar("T")


@dataclass(slots=True)
class _Answer:
    lock: threading.Lock = field(default_factory=threading.Lock)
    made: float = -FRESH_S
    value: Any = None


class Desk:
    """The database of a server. It is opened at the first question, and again when the file has become another one."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.meaning = Meaning()
        self._store: Store | None = None
        self._checked = 0.0
        self._answers: OrderedDict[Hashable, _Answer] = OrderedDict()
        self._lock = threading.Lock()

    def store(self) -> Store:
        """The store, known to be there and of this version.

        Raises:
            InputError, StoreError, StoreMismatch: it is not; the text says what to do.
        """
        with self._lock:
            if self._store is not None and time.monotonic() - self._checked > CHECKED_S:
                try:
                    self._store.check()
                    self._checked = time.monotonic()
                except StoreError:
                    self._drop()
            if self._store is None:
                self._store = open_store(self.url, busy_timeout_s=BUSY_TIMEOUT_S, read_only=True)
                self._checked = time.monotonic()
            return self._store

    def remember(self, key: Hashable, ask: Callable[[], T]) -> T:
        """An answer that is at most some seconds old; while one reader asks for it, others of the same key wait for theirs."""
        with self._lock:
            answer = self._answers.setdefault(key, _Answer())
            self._answers.move_to_end(key)
            if len(self._answers) > REMEMBERED:
                self._answers.popitem(last=False)
        with answer.lock:
            if time.monotonic() - answer.made > FRESH_S:
                answer.value = ask()
                answer.made = time.monotonic()
            value: T = answer.value
            return value

    def close(self) -> None:
        """Closes the database."""
        with self._lock:
            self._drop()

    def _drop(self) -> None:
        if self._store is not None:
            self._store.close()
        self._store = None
        self._answers.clear()
