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
from store import query as ask
from store.codebook import VIEWS, ColumnInfo, describe_database, list_columns
from store.query_parameters import BoundValue, parameter_names

LIMITS = ("100", "500", "2000")
TIMEOUT_S = 10.0
MOST_BYTES = 1 << 24  # of an answer, before its long values are shortened
LONGEST_SQL = 20_000
LONGEST_CELL = 500  # characters shown
TURNS = threading.BoundedSemaphore(2)  # queries at once: the other pages need the processor too


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
    description = state.remember("describe", lambda: describe_database(state.url))
    return Page(
        template="db_info.html",
        title="Database",
        values={"database": description, "books": codebook_by_table(list_columns())},
    )


def query(state: AppState, store: Store, request: PageRequest) -> Page:
    """One reading statement and its answer; a statement that another site sends is shown and not
    run.
    """
    limit = int(request.one_of("limit", LIMITS) or LIMITS[0])
    known = ready_queries()
    name = request.one_of("ready", list(known))
    ready = None if name is None else known[name]
    sql = request.text("sql", longest=LONGEST_SQL) or (ready.sql if ready else "")
    wanted = {name: request.text(f"set.{name}") for name in parameter_names(sql)}
    values: dict[str, Any] = {
        "sql": sql,
        "wanted": wanted,
        "ready": ready,
        "lost": [name for name in ready.required if wanted.get(name) is None] if ready else [],
        "all_ready": known.values(),
        "limit": str(limit),
        "limits": LIMITS,
        "answer": None,
        "fault": None,
        "held": bool(sql) and not request.own,
        "views": [
            (name, columns) for name, columns in codebook_by_table(list_columns()) if name in VIEWS
        ],
        "tables": [
            (name, columns)
            for name, columns in codebook_by_table(list_columns())
            if name not in VIEWS
        ],
        "seconds": TIMEOUT_S,
    }
    if sql and request.own and not values["lost"]:
        try:
            table = run_query(state, sql, wanted, limit)
            if ready is not None and sql == ready.sql and not table.rows:
                table = replace(table, why_none=explain_empty(state.url, ready, wanted))
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
    if not TURNS.acquire(timeout=TIMEOUT_S):
        raise InputError("other queries are still running; try again when they are done")
    try:
        with ask(
            state.url,
            sql,
            values,
            limit=limit,
            max_bytes=MOST_BYTES,
            timeout_s=TIMEOUT_S,
            should_stop=state.stopping.is_set,
        ) as result:
            raw = [[_kept(value) for value in row] for row in result]
            return ResultTable(
                columns=result.columns,
                numeric=[_all_numbers([row[i] for row in raw]) for i in range(len(result.columns))],
                rows=[[_text(value) for value in row] for row in raw],
                note=result.truncation_note("choose more above"),
            )
    finally:
        TURNS.release()


def codebook_by_table(lines: Iterable[ColumnInfo]) -> list[tuple[str, list[ColumnInfo]]]:
    """The codebook table by table."""
    return [(name, list(columns)) for name, columns in groupby(lines, key=lambda line: line.table)]


def _all_numbers(values: Sequence[Any]) -> bool:
    """Whether a column has numbers and nothing else."""
    there = [value for value in values if value is not None]
    return bool(there) and all(
        isinstance(v, int | float | Decimal) and not isinstance(v, bool) for v in there
    )


def _kept(value: Any) -> Any:
    """What is held of a value while the others are read: no more than is shown of it."""
    if isinstance(value, bytes | memoryview):
        return counted(len(value), "byte")
    if isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, str) and len(value) > LONGEST_CELL:
        return f"{value[:LONGEST_CELL]} … {counted(len(value) - LONGEST_CELL, 'more character')}"
    return value


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, float):
        return f"{value:.6g}"
    return value.isoformat() if isinstance(value, datetime) else str(value)
