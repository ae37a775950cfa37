"""The database itself: what it holds, and the reader's own SQL."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Any

from simworld.analysis.empty_results import explain_empty
from simworld.analysis.ready_queries import ready_queries
from simworld.core.counts import counted
from simworld.core.errors import InputError
from simworld.web.app_state import AppState
from simworld.web.page import Page
from simworld.web.page_request import PageRequest
from store import Store
from store import query as run_sql
from store.codebook import VIEWS, ColumnInfo, describe_database, list_columns
from store.query_parameters import BoundValue, parameter_names

LIMITS = ("100", "500", "2000")
TIMEOUT_S = 10.0
MAX_BYTES = 1 << 24  # of an answer, before its long values are shortened
MAX_SQL_CHARS = 20_000
MAX_CELL_CHARS = 500  # characters shown
# queries at once: the other pages need the processor too
QUERY_SLOTS = threading.BoundedSemaphore(2)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultTable:
    """An answer as a table shows it."""

    columns: Sequence[str]
    numeric: Sequence[bool]  # by column
    rows: Sequence[Sequence[str | None]]
    note: str  # why there are no more; empty where these are all
    why_none: str = ""  # why there are none, where that is known


def info(state: AppState, store: Store, request: PageRequest) -> Page:
    """Version, size, rows by table, and the codebook."""
    description = state.cached("describe", lambda: describe_database(state.url))
    return Page(
        template="db_info.html",
        title="Database",
        values={"database": description, "books": codebook_by_table(list_columns())},
    )


def query(state: AppState, store: Store, request: PageRequest) -> Page:
    """One reading statement and its answer; a statement that another site sends is shown and not
    run.
    """
    limit = int(request.choice("limit", LIMITS) or LIMITS[0])
    queries = ready_queries()
    name = request.choice("ready", list(queries))
    ready = None if name is None else queries[name]
    sql = request.text("sql", max_chars=MAX_SQL_CHARS) or (ready.sql if ready else "")
    arguments = {name: request.text(f"set.{name}") for name in parameter_names(sql)}
    books = codebook_by_table(list_columns())
    values: dict[str, Any] = {
        "sql": sql,
        "arguments": arguments,
        "ready": ready,
        "missing": [name for name in ready.required if arguments.get(name) is None]
        if ready
        else [],
        "all_ready": queries.values(),
        "limit": str(limit),
        "limits": LIMITS,
        "answer": None,
        "fault": None,
        "withheld": bool(sql) and not request.same_origin,
        "views": [book for book in books if book[0] in VIEWS],
        "tables": [book for book in books if book[0] not in VIEWS],
        "seconds": TIMEOUT_S,
    }
    if sql and request.same_origin and not values["missing"]:
        try:
            table = run_query(state, sql, arguments, limit)
            if ready is not None and sql == ready.sql and not table.rows:
                table = replace(table, why_none=explain_empty(state.url, ready, arguments))
            values["answer"] = table
        except InputError as error:
            values["fault"] = str(error)
    status = 200 if values["fault"] is None else 400
    return Page(template="db_query.html", title="SQL", values=values, status=status)


def run_query(
    state: AppState, sql: str, values: Mapping[str, BoundValue], limit: int
) -> ResultTable:
    """The first rows of a query. Raises InputError where it is wrong, writes, takes too long, or
    has to wait too long.
    """
    if not QUERY_SLOTS.acquire(timeout=TIMEOUT_S):
        raise InputError("other queries are still running; try again when they are done")
    try:
        with run_sql(
            state.url,
            sql,
            values,
            limit=limit,
            max_bytes=MAX_BYTES,
            timeout_s=TIMEOUT_S,
            should_stop=state.stopping.is_set,
        ) as result:
            raw = [[_shorten_value(value) for value in row] for row in result]
            return ResultTable(
                columns=result.columns,
                numeric=[_is_numeric([row[i] for row in raw]) for i in range(len(result.columns))],
                rows=[[_cell_text(value) for value in row] for row in raw],
                note=result.truncation_note("choose more above"),
            )
    finally:
        QUERY_SLOTS.release()


def codebook_by_table(lines: Iterable[ColumnInfo]) -> list[tuple[str, list[ColumnInfo]]]:
    """The codebook table by table."""
    return [(name, list(columns)) for name, columns in groupby(lines, key=lambda line: line.table)]


def _is_numeric(values: Sequence[Any]) -> bool:
    """Whether a column has numbers and nothing else."""
    present = [value for value in values if value is not None]
    return bool(present) and all(
        isinstance(v, int | float | Decimal) and not isinstance(v, bool) for v in present
    )


def _shorten_value(value: Any) -> Any:
    """What is held of a value while the others are read: no more than is shown of it."""
    if isinstance(value, bytes | memoryview):
        return counted(len(value), "byte")
    if isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, str) and len(value) > MAX_CELL_CHARS:
        left_out = counted(len(value) - MAX_CELL_CHARS, "more character")
        return f"{value[:MAX_CELL_CHARS]} … {left_out}"
    return value


def _cell_text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, float):
        return f"{value:.6g}"
    return value.isoformat() if isinstance(value, datetime) else str(value)
