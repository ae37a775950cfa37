"""One query on one SQLite file, run in a process of its own that can be killed:
`store.sqlite_process` starts this file.

SQLite looks at no clock inside one of its operations (a pattern, a long text, a sort), so only the
system can end a query at any moment. This file imports nothing but what it needs, and starts in a
fiftieth of a second.

Standard input holds the request, a marshalled dict: `uri`, `sql`, `values`, `timeout_s`,
`row_bytes`. Standard output gets
marshalled pairs, each behind its length in eight bytes: ("columns", names), then ("rows", rows) as
often as needed, and at last ("end", None), ("error", (the error's kind, its text, the names of
tables and columns)) or ("row", bytes of a row that is too large).
"""

from __future__ import annotations

import marshal
import sqlite3
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any  # slow to import

MAX_PROCESS_BYTES = 1 << 30  # bytes that the process may take
MAX_HEAP_BYTES = 1 << 29  # bytes of them for SQLite itself
MAX_FILE_BYTES = 1 << 32  # bytes of one temporary file: large sorts go to the disk
MAX_VALUE_BYTES = 100_000_000  # bytes in one value
MAX_SQL_BYTES = 1_000_000  # bytes
MAX_PATTERN_BYTES = 1000  # bytes in one LIKE or GLOB pattern
MAX_MESSAGE = 300  # characters: some of SQLite's repeat what they are about
BATCH_ROWS = 500
BATCH_BYTES = 1 << 18
COLUMNS_SQL = (
    "SELECT m.name, p.name FROM sqlite_master m JOIN pragma_table_info(m.name) p WHERE m.type IN"
    " ('table', 'view')"
)
ALLOWED_ACTIONS = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_RECURSIVE,
}
FORBIDDEN_FUNCTIONS = ("load_extension", "fts3_tokenizer")


def main() -> None:
    """Answers the request on standard input."""
    request = marshal.load(sys.stdin.buffer)  # noqa: S302 - from the process that started this one
    limit_process(request["timeout_s"])
    connection: sqlite3.Connection | None = None
    try:
        connection = sqlite3.connect(request["uri"], uri=True, isolation_level=None)
        restrict(connection)
        send_rows(connection, request)
    except Exception as error:  # whatever it is, whoever asked is told
        message = " ".join(str(error).split())[:MAX_MESSAGE]
        send_message("error", (type(error).__name__, message, read_column_names(connection)))


def limit_process(timeout_s: float) -> None:
    """Lets the system end this process where it takes too much; the time is for the case that
    nobody is left to kill it.
    """
    try:
        import resource
    except ImportError:  # Windows
        return
    for kind, limit in (
        (resource.RLIMIT_AS, MAX_PROCESS_BYTES),
        (resource.RLIMIT_FSIZE, MAX_FILE_BYTES),
        (resource.RLIMIT_CPU, int(timeout_s) + 2),
    ):
        _, hard = resource.getrlimit(kind)
        try:
            resource.setrlimit(
                kind, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard)
            )
        except (OSError, ValueError):
            continue  # a system that does not know this limit


def restrict(connection: sqlite3.Connection) -> None:
    """Leaves reading alone, of things of a bounded size."""
    connection.execute(f"PRAGMA hard_heap_limit={MAX_HEAP_BYTES}")
    connection.execute("PRAGMA trusted_schema=OFF")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
    connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, MAX_SQL_BYTES)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, MAX_PATTERN_BYTES)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.set_authorizer(authorize)


def authorize(
    action: int, first: str | None, second: str | None, database: str | None, trigger: str | None
) -> int:
    """SQLite's question whether a statement may do something."""
    if action == sqlite3.SQLITE_FUNCTION and second in FORBIDDEN_FUNCTIONS:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK if action in ALLOWED_ACTIONS else sqlite3.SQLITE_DENY


def send_rows(connection: sqlite3.Connection, request: dict[str, Any]) -> None:
    """Sends columns and rows, some hundred rows or a quarter of a megabyte at a time."""
    cursor = connection.execute(request["sql"], request["values"])
    send_message(
        "columns",
        None if cursor.description is None else [column[0] for column in cursor.description],
    )
    batch: list[tuple[Any, ...]] = []
    batch_bytes = 0
    for row in cursor:
        size = sum(len(value) if isinstance(value, (str, bytes)) else 8 for value in row)
        if size > request["row_bytes"]:
            send_message("rows", batch)
            send_message("row", size)
            return
        batch.append(row)
        batch_bytes += size
        if len(batch) == BATCH_ROWS or batch_bytes > BATCH_BYTES:
            send_message("rows", batch)
            batch, batch_bytes = [], 0
    send_message("rows", batch)
    send_message("end", None)


def read_column_names(connection: sqlite3.Connection | None) -> list[tuple[str, str]]:
    """Every table and view with each of its columns, for hints; none where that cannot be read."""
    if connection is None:
        return []
    try:
        connection.set_authorizer(None)
        return connection.execute(COLUMNS_SQL).fetchall()
    except (sqlite3.Error, MemoryError):
        return []


def send_message(kind: str, value: Any) -> None:
    """Writes one message."""
    data = marshal.dumps((kind, value))
    sys.stdout.buffer.write(len(data).to_bytes(8, "big") + data)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        sys.exit(1)  # whoever asked has read enough
