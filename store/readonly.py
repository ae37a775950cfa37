"""The user's own SQL, which can read and nothing else (promise 9).

SQLite: the file is opened read-only, an authorizer allows reading alone, limits bound text and patterns, and a progress handler
ends the query when its time is over. PostgreSQL: a read-only transaction under a role with SELECT alone where the user may take
one, the statement wrapped in DECLARE CURSOR (so it can only be one query), `statement_timeout`. Rows are streamed.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from simworld.core.errors import InputError, StoreError
from store import parameters
from store.address import Address, parse_address
from store.connection import BUSY_TIMEOUT_S, CONNECT_TIMEOUT_S, connect, sqlite_uri
from store.hints import hinted

TIMEOUT_S = 30.0
LONGEST = 100_000_000  # bytes in one value
LONGEST_PATTERN = 1000  # bytes in one LIKE or GLOB pattern: long ones take exponential time between two progress calls
STEPS = 1000  # of SQLite's machine between two looks at the clock
READERS = (
    "simworld_reader",
    "pg_read_all_data",
)  # roles with SELECT alone: the one docs/store.md makes, and PostgreSQL's own
READING = re.compile(r"(?:\s|\(|--[^\n]*|/\*.*?\*/)*(?:select|values|with|table)\b", re.IGNORECASE | re.DOTALL)
FETCH = 500  # rows
TABLES_SQLITE = (
    "SELECT m.name, p.name FROM sqlite_master m JOIN pragma_table_info(m.name) p WHERE m.type IN ('table', 'view')"
)
TABLES_POSTGRESQL = (
    "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()"
)
ALLOWED = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE})
Row = tuple[Any, ...]
Rows = Generator[Row, None, None]
Opened = tuple[tuple[str, ...], Rows]


class Answer:
    """The rows of a query, once, as they come; `cut` tells afterwards whether there were more than the limit."""

    def __init__(self, columns: tuple[str, ...], rows: Iterator[Row], limit: int) -> None:
        self.columns = columns
        self.cut = False
        self._rows = rows
        self._limit = limit

    def __iter__(self) -> Iterator[Row]:
        for number, row in enumerate(self._rows):
            if self._limit and number == self._limit:
                self.cut = True
                return
            yield row


@contextmanager
def query(
    url: str,
    sql: str,
    values: Mapping[str, parameters.Value] | None = None,
    *,
    limit: int = 0,
    timeout_s: float = TIMEOUT_S,
    busy_timeout_s: float = BUSY_TIMEOUT_S,
) -> Iterator[Answer]:
    """Runs one reading statement on a simworld database and gives its rows; leave the block when you have read them.

    Args:
        url: the database.
        sql: one SELECT, VALUES or WITH; `:name` stands for a value.
        values: by the names in `sql`, all of them.
        limit: the most rows to give; 0: all.
        timeout_s: seconds for the whole query, reading its rows included.
        busy_timeout_s: seconds to wait for a lock of another program.

    Raises:
        InputError: a mistake in the SQL, a name without a value or a value without a name, a try to write, a second statement,
            or the time is over, from reading rows too; and as `open_store`.
        StoreError, StoreMismatch: as `open_store`.
    """
    sql = sql.strip().rstrip(";").rstrip()
    if not sql:
        raise InputError("the query is empty")
    try:
        sql.encode()
    except UnicodeEncodeError:
        raise InputError("the query is not UTF-8 text") from None
    given = dict(values or {})
    parameters.check(sql, given)
    address = parse_address(url)
    # The checks of version and kind, with their messages
    connect(address, create=False, busy_timeout_s=busy_timeout_s, read_only=True).dispose()
    run = _sqlite if address.path is not None else _postgresql
    with run(address, sql, given, timeout_s) as (columns, rows), closing(rows):
        yield Answer(columns, rows, limit)


@contextmanager
def _sqlite(address: Address, sql: str, values: Mapping[str, parameters.Value], timeout_s: float) -> Iterator[Opened]:
    if address.path is None:
        raise TypeError("not an SQLite address")
    uri, _ = sqlite_uri(address.path, read_only=True)
    with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)) as connection:
        names = connection.execute(TABLES_SQLITE).fetchall()
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, LONGEST_PATTERN)
        connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        connection.set_authorizer(_allow)
        deadline = time.monotonic() + timeout_s
        connection.set_progress_handler(lambda: int(time.monotonic() > deadline), STEPS)
        with _sqlite_faults(address, sql, names, timeout_s):
            cursor = connection.execute(sql, values)
        if cursor.description is None:
            raise InputError("this is not a query; only SELECT, VALUES and WITH are allowed here")

        def rows() -> Rows:
            with _sqlite_faults(address, sql, names, timeout_s):
                yield from cursor

        yield tuple(column[0] for column in cursor.description), rows()


def _allow(action: int, first: str | None, second: str | None, database: str | None, trigger: str | None) -> int:
    if action == sqlite3.SQLITE_FUNCTION and second in ("load_extension", "fts3_tokenizer"):
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK if action in ALLOWED else sqlite3.SQLITE_DENY


@contextmanager
def _sqlite_faults(address: Address, sql: str, names: Iterable[Row], timeout_s: float) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, sqlite3.Warning) as error:
        said = str(error)
        if "interrupted" in said:
            raise InputError(_too_long(timeout_s)) from error
        if "not authorized" in said or "prohibited" in said or "readonly" in said:
            raise InputError(f"only reading is allowed here ({said}); one SELECT, VALUES or WITH") from error
        if "locked" in said:
            raise StoreError(f"{address} is locked by another program; end that program or try again later") from error
        raise InputError(f"SQL: {hinted(said, sql, names)}") from error


@contextmanager
def _postgresql(
    address: Address, sql: str, values: Mapping[str, parameters.Value], timeout_s: float
) -> Iterator[Opened]:
    import psycopg  # an optional package; `parse_address` has checked that it is there

    url = address.url.set(drivername="postgresql").render_as_string(hide_password=False)
    deadline = time.monotonic() + timeout_s
    with closing(psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S)) as connection:
        names = connection.execute(TABLES_POSTGRESQL).fetchall()
        role = connection.execute(
            "SELECT rolname FROM pg_roles WHERE rolname = ANY(%s) AND pg_has_role(rolname, 'MEMBER') "
            "ORDER BY array_position(%s::text[], rolname::text) LIMIT 1",
            [list(READERS), list(READERS)],
        ).fetchone()
        if role is not None:
            connection.execute(psycopg.sql.SQL("SET ROLE {}").format(psycopg.sql.Identifier(role[0])))
        connection.execute("BEGIN TRANSACTION READ ONLY")
        connection.execute("SELECT 1")  # from now on the transaction cannot be made writable again

        def step(statement: str) -> Any:
            """Runs a statement in what time is left; binary makes it a single one, whatever it contains."""
            left = max(1, int((deadline - time.monotonic()) * 1000))
            try:
                connection.execute(f"SET LOCAL statement_timeout = {left}")
                return connection.execute(statement.encode(), binary=True)
            except psycopg.errors.QueryCanceled as error:
                raise InputError(_too_long(timeout_s)) from error
            except (psycopg.errors.ReadOnlySqlTransaction, psycopg.errors.InsufficientPrivilege) as error:
                raise InputError(f"only reading is allowed here ({_first_line(error)})") from error
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                raise StoreError(f"{address}: {_first_line(error)}") from error
            except psycopg.Error as error:
                said = _first_line(error)
                if isinstance(error, psycopg.errors.SyntaxError) and not READING.match(sql):
                    raise InputError(f"only reading is allowed here ({said}); one SELECT, VALUES or WITH") from error
                raise InputError(f"SQL: {hinted(said, sql, names)}") from error

        # A cursor's declaration takes no parameters, so values go in as literals that psycopg quotes
        sql = parameters.fill(sql, lambda name: psycopg.sql.Literal(values[name]).as_string(connection))
        # WITH HOLD would run everything at once; a plain cursor gives rows as they come
        step(f"DECLARE simworld_query NO SCROLL CURSOR FOR\n{sql}\n")
        first = step(f"FETCH {FETCH} FROM simworld_query")

        def rows() -> Rows:
            batch = first.fetchall()
            while batch:
                yield from batch
                batch = step(f"FETCH {FETCH} FROM simworld_query").fetchall()

        yield tuple(column.name for column in first.description or ()), rows()


def _too_long(timeout_s: float) -> str:
    return f"the query was stopped after {timeout_s:g} seconds; ask for less, or allow more (--timeout, timeout_s)"


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
