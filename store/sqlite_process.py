"""A query on an SQLite file in a process of its own, which is killed when its time is over or
nobody wants its rows any more.
"""

from __future__ import annotations

import marshal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from store import sqlite_worker
from store.query_parameters import BoundValue

WATCH_S = 0.1  # between two looks whether the query is still wanted
SqlRow = tuple[Any, ...]
ShouldStop = Callable[[], bool]


class QueryError(Exception):
    """What ended a query: `kind` is SQLite's exception, or `time`, `memory`, `row` (its bytes in
    `message`) or `process`.
    """

    def __init__(
        self, kind: str, message: str = "", names: tuple[tuple[str, str], ...] = ()
    ) -> None:
        self.kind = kind
        self.message = message
        self.names = names  # of tables and columns in the database
        super().__init__(f"{kind}: {message}")


class QueryProcess:
    """A running query. Use it in a `with` block, which ends the process; columns and rows raise
    QueryError.

    Whoever asks may want it no longer while another thread waits for it: `should_stop` says so.
    """

    def __init__(
        self,
        uri: str,
        sql: str,
        values: Mapping[str, BoundValue],
        *,
        timeout_s: float,
        row_bytes: int,
        should_stop: ShouldStop,
    ) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(sqlite_worker.__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for us, and we kill it
        )
        self._killed = False
        self._done = threading.Event()
        self._deadline = time.monotonic() + timeout_s
        self._should_stop = should_stop
        self._watchdog = threading.Thread(target=self._watch_deadline, name="query", daemon=True)
        self._watchdog.start()
        self._request = {
            "uri": uri,
            "sql": sql,
            "values": dict(values),
            "timeout_s": timeout_s,
            "row_bytes": row_bytes,
        }

    def __enter__(self) -> QueryProcess:
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._watchdog.join()
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait()

    def columns(self) -> tuple[str, ...] | None:
        """Asks, and gives the names of the columns; None where the statement is no query."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(marshal.dumps(self._request))
            self._process.stdin.close()
        except BrokenPipeError:
            pass  # reading says why
        _, names = self._receive()
        return None if names is None else tuple(names)

    def rows(self) -> Iterator[SqlRow]:
        """The rows as they come."""
        while True:
            kind, value = self._receive()
            if kind == "end":
                return
            if kind == "row":
                raise QueryError("row", str(value))
            yield from value

    def _watch_deadline(self) -> None:
        while not self._done.wait(min(WATCH_S, max(0.0, self._deadline - time.monotonic()))):
            if self._should_stop() or time.monotonic() >= self._deadline:
                self._killed = True
                self._process.kill()
                return

    def _receive(self) -> tuple[str, Any]:
        assert self._process.stdout is not None
        header = self._process.stdout.read(8)
        data = self._process.stdout.read(int.from_bytes(header, "big")) if len(header) == 8 else b""
        if self._killed:
            raise QueryError("time")
        if not data or len(data) < int.from_bytes(header, "big"):
            raise QueryError("process", f"exit code {self._process.wait()}")
        message_kind, value = marshal.loads(data)  # noqa: S302 - written by our own file; fast, and keeps SQLite's five types
        if message_kind == "error":
            kind, message, names = value
            raise QueryError("memory" if kind == "MemoryError" else kind, message, tuple(names))
        return message_kind, value
