"""The user's own SQL, which can read and nothing else (promise 9).

SQLite: a process of its own, which is killed when the time is over, opens the file read-only; an
authorizer allows reading alone, and memory, text and patterns are bounded. PostgreSQL: a read-only
transaction under a role with SELECT alone where the user may take one, the statement wrapped in
DECLARE CURSOR (so it can only be one query), `statement_timeout`. Rows are streamed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any, Literal

from simworld.core.errors import InputError, StoreError
from store.connection import BUSY_TIMEOUT_S, CONNECT_TIMEOUT_S, open_engine
from store.database_address import DatabaseAddress, parse_address, sqlite_uri
from store.database_errors import explain_sqlite_error
from store.query_hints import with_name_hint
from store.query_parameters import BoundValue, check_parameters, inline_values
from store.sqlite_process import QueryError, QueryProcess, ShouldStop, SqlRow
from store.sqlite_worker import MAX_PROCESS_BYTES

TIMEOUT_S = 30.0
MAX_BYTES = 1 << 28  # in an answer that is held as a whole, and in any one row
# roles with SELECT alone: the one docs/how-to/postgresql.md makes, and PostgreSQL's own
READER_ROLES = ("simworld_reader", "pg_read_all_data")
READING_STATEMENT = re.compile(
    r"(?:\s|\(|--[^\n]*|/\*.*?\*/)*(?:select|values|with|table)\b", re.IGNORECASE | re.DOTALL
)
FETCH_ROWS = 500  # rows
POSTGRESQL_COLUMNS_SQL = (
    "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema ="
    " current_schema()"
)
SqlRows = Generator[SqlRow, None, None]
OpenedQuery = tuple[tuple[str, ...], SqlRows]


class QueryResult:
    """The rows of a query, once, as they come; `truncated` tells afterwards if there were more."""

    def __init__(
        self, columns: tuple[str, ...], rows: Iterator[SqlRow], limit: int, max_bytes: int
    ) -> None:
        self.columns = columns
        self._yielded = 0  # rows
        self.exceeded: Literal["", "limit", "bytes"] = ""  # what there was more of than was allowed
        self._rows = rows
        self._limit = limit
        self._max_bytes = max_bytes

    def __iter__(self) -> Iterator[SqlRow]:
        bytes_read = 0
        for row in self._rows:
            bytes_read += row_size(row)
            if self._limit and self._yielded == self._limit:
                self.exceeded = "limit"
            elif self._max_bytes and bytes_read > self._max_bytes:
                self.exceeded = "bytes"
            if self.exceeded:
                return
            self._yielded += 1
            yield row

    @property
    def truncated(self) -> bool:
        """Whether there were more rows."""
        return bool(self.exceeded)

    def truncation_note(self, hint: str) -> str:
        """Why there are no more rows, for people; `hint` says how to have those beyond the limit.
        Empty where these are all.
        """
        match self.exceeded:
            case "limit":
                return f"only the first {self._yielded:,} rows; {hint}"
            case "bytes":
                return (
                    f"only the first {self._yielded:,} rows: more would exceed"
                    f" {format_megabytes(self._max_bytes)}; ask for less of each"
                )
            case _:
                return ""


@contextmanager
def query(
    url: str,
    sql: str,
    values: Mapping[str, BoundValue] | None = None,
    *,
    limit: int = 0,
    max_bytes: int = 0,
    timeout_s: float = TIMEOUT_S,
    busy_timeout_s: float = BUSY_TIMEOUT_S,
    should_stop: ShouldStop = lambda: False,
) -> Iterator[QueryResult]:
    """Runs one reading statement on a simworld database and gives its rows; leave the block when
    you have read them.

    Args:
        url: the database.
        sql: one SELECT, VALUES or WITH; `:name` stands for a value.
        values: by the names in `sql`, all of them.
        limit: the most rows to give; 0: all.
        max_bytes: the most bytes of text and numbers to give, in whole rows; 0: all. A row alone
            has 256 MB at most.
        timeout_s: seconds for the whole query, reading its rows included.
        busy_timeout_s: seconds to wait for a lock of another program.
        should_stop: asked now and then; once it says yes, a query on SQLite ends as if its time
            were over.

    Raises:
        InputError: a mistake in the SQL, a name without a value or a value without a name, a try to
            write, a second statement, the time is over, from reading rows too, too much memory, or
            a row too large; and as `open_store`.
        StoreError, StoreMismatch: as `open_store`.
    """
    sql = sql.strip().rstrip(";").rstrip()
    if not sql:
        raise InputError("the query is empty")
    try:
        sql.encode()
    except UnicodeEncodeError:
        raise InputError("the query is not UTF-8 text") from None
    parameters = dict(values or {})
    check_parameters(sql, parameters)
    address = parse_address(url)
    # The checks of version and kind, with their messages
    open_engine(address, create=False, busy_timeout_s=busy_timeout_s, read_only=True).dispose()
    row_bytes = min(max_bytes or MAX_BYTES, MAX_BYTES)
    opened = (
        _query_sqlite(address, sql, parameters, timeout_s, row_bytes, should_stop)
        if address.path is not None
        else _query_postgresql(address, sql, parameters, timeout_s, row_bytes)
    )
    with opened as (columns, rows), closing(rows):
        yield QueryResult(columns, rows, limit, max_bytes)


@contextmanager
def _query_sqlite(
    address: DatabaseAddress,
    sql: str,
    values: Mapping[str, BoundValue],
    timeout_s: float,
    row_bytes: int,
    should_stop: ShouldStop,
) -> Iterator[OpenedQuery]:
    if address.path is None:
        raise TypeError("not an SQLite address")
    uri, _ = sqlite_uri(address.path, read_only=True)
    try:
        query_process = QueryProcess(
            uri, sql, values, timeout_s=timeout_s, row_bytes=row_bytes, should_stop=should_stop
        )
    except OSError as error:
        raise StoreError(
            f"the query's process cannot be started: {error.strerror or error}"
        ) from error
    with query_process as process:
        with _sqlite_errors(address, sql, timeout_s, row_bytes):
            columns = process.columns()
        if columns is None:
            raise InputError("this is not a query; only SELECT, VALUES and WITH are allowed here")

        def rows() -> SqlRows:
            with _sqlite_errors(address, sql, timeout_s, row_bytes):
                yield from process.rows()

        yield columns, rows()


@contextmanager
def _sqlite_errors(
    address: DatabaseAddress, sql: str, timeout_s: float, row_bytes: int
) -> Iterator[None]:
    try:
        yield
    except QueryError as error:
        message = error.message
        match error.kind:
            case "time":
                raise InputError(_too_long_message(timeout_s)) from error
            case "memory":
                raise InputError(
                    f"the query needs more than {MAX_PROCESS_BYTES >> 20:,} MB of memory;"
                    " ask for less"
                ) from error
            case "row":
                raise InputError(_too_large_message(int(message), row_bytes)) from error
            case "process":
                raise InputError(
                    f"the query was ended by the system ({message}); ask for less"
                ) from error
        if "not authorized" in message or "prohibited" in message or "readonly" in message:
            raise InputError(
                f"only reading is allowed here ({message}); write one SELECT, VALUES or WITH"
            ) from error
        if "full" in message or "disk I/O" in message:
            raise InputError(
                f"the query needs more room on the disk for sorting than there is ({message})"
            ) from error
        # too big: a value of the query's own
        explained = None if "too big" in message else explain_sqlite_error(message, str(address))
        raise (
            explained or InputError(f"SQL: {with_name_hint(message, sql, error.names)}")
        ) from error


@contextmanager
def _query_postgresql(
    address: DatabaseAddress,
    sql: str,
    values: Mapping[str, BoundValue],
    timeout_s: float,
    row_bytes: int,
) -> Iterator[OpenedQuery]:
    import psycopg  # an optional package; `parse_address` has checked that it is there

    url = address.url.set(drivername="postgresql").render_as_string(hide_password=False)
    deadline = time.monotonic() + timeout_s
    with closing(
        psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S)
    ) as connection:
        names = connection.execute(POSTGRESQL_COLUMNS_SQL).fetchall()
        role = connection.execute(
            "SELECT rolname FROM pg_roles WHERE rolname = ANY(%s) AND pg_has_role(rolname,"
            " 'MEMBER') ORDER BY array_position(%s::text[], rolname::text) LIMIT 1",
            [list(READER_ROLES), list(READER_ROLES)],
        ).fetchone()
        if role is not None:
            connection.execute(
                psycopg.sql.SQL("SET ROLE {}").format(psycopg.sql.Identifier(role[0]))
            )
        connection.execute("BEGIN TRANSACTION READ ONLY")
        connection.execute("SELECT 1")  # from now on the transaction cannot be made writable again

        @contextmanager
        def statement_errors() -> Iterator[None]:
            """A statement in what time is left, and what the server says to it as one line."""
            remaining_ms = max(1, int((deadline - time.monotonic()) * 1000))
            try:
                connection.execute(f"SET LOCAL statement_timeout = {remaining_ms}")
                yield
            except (
                psycopg.errors.QueryCanceled,
                # the time was over between a FETCH's last row and its end, where a stream of rows
                # says nothing: the next statement meets the transaction that this has ended
                psycopg.errors.InFailedSqlTransaction,
            ) as error:
                raise InputError(_too_long_message(timeout_s)) from error
            except (
                psycopg.errors.ReadOnlySqlTransaction,
                psycopg.errors.InsufficientPrivilege,
            ) as error:
                raise InputError(f"only reading is allowed here ({_first_line(error)})") from error
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                raise StoreError(f"{address}: {_first_line(error)}") from error
            except psycopg.Error as error:
                message = _first_line(error)
                if isinstance(error, psycopg.errors.SyntaxError) and not READING_STATEMENT.match(
                    sql
                ):
                    raise InputError(
                        f"only reading is allowed here ({message}); write one SELECT, VALUES or"
                        " WITH"
                    ) from error
                raise InputError(f"SQL: {with_name_hint(message, sql, names)}") from error

        # A cursor's declaration takes no parameters, so values go in as literals that psycopg
        # quotes
        sql = inline_values(
            sql, lambda name: psycopg.sql.Literal(values[name]).as_string(connection)
        )
        cursor = connection.cursor()
        with statement_errors():
            # WITH HOLD would run everything at once; a plain cursor gives rows as they come.
            # Binary: a single statement
            cursor.execute(
                f"DECLARE simworld_query NO SCROLL CURSOR FOR\n{sql}\n".encode(), binary=True
            )
        with statement_errors():
            columns = cursor.execute(b"FETCH 0 FROM simworld_query", binary=True).description or ()

        def rows() -> SqlRows:
            fetched = FETCH_ROWS
            while fetched == FETCH_ROWS:
                fetched = 0
                with statement_errors():  # row by row: one alone may be large
                    for row in cursor.stream(
                        f"FETCH {FETCH_ROWS} FROM simworld_query".encode(), binary=True
                    ):
                        if (size := row_size(row)) > row_bytes:
                            raise InputError(_too_large_message(size, row_bytes))
                        fetched += 1
                        yield row

        yield tuple(column.name for column in columns), rows()


def row_size(row: SqlRow) -> int:
    """Bytes of a row, about: characters and bytes of what has a length, eight for a number."""
    return sum(
        len(value) if isinstance(value, (str, bytes, memoryview)) else _value_size(value)
        for value in row
    )


def _value_size(value: Any) -> int:
    return len(str(value)) if isinstance(value, (dict, list)) else 8


def format_megabytes(size: int) -> str:
    """A size for people."""
    return f"{max(size >> 20, 1):,} MB"


def _too_large_message(size: int, limit: int) -> str:
    return (
        f"a row of {format_megabytes(size)} is more than the {format_megabytes(limit)} that are"
        " shown here; ask for parts of its columns, as in substr(text, 1, 1000)"
    )


def _too_long_message(timeout_s: float) -> str:
    return (
        f"the query was stopped after {timeout_s:g} seconds; ask for less, or allow more"
        " (--timeout, timeout_s)"
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
