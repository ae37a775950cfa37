"""The database itself: what it holds, and the reader's own SQL."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Any

from simworld.core.errors import InputError
from simworld.web.desk import Desk
from simworld.web.given import Given
from simworld.web.page import Page
from store import Store
from store import query as ask
from store.describe import VIEWS, ColumnInfo, codebook, describe

LIMITS = ("100", "500", "2000")
TIMEOUT_S = 10.0
LONGEST_SQL = 20_000
LONGEST_CELL = 500  # characters shown
TURNS = threading.BoundedSemaphore(2)  # queries at once: the other pages need the processor too
EXAMPLES = {
    "Mean scores by agent": "SELECT judge_name, agent_name, dimension, count(*) AS n, avg(score) AS mean\n"
    "FROM episode_scores\nGROUP BY judge_name, agent_name, dimension",
    "What failed, and who failed": "SELECT run, failure_boundary, failure_kind, count(*) AS n\n"
    "FROM episodes\nWHERE ending = 'failed'\nGROUP BY 1, 2, 3",
    "The longest lines": "SELECT episode_id, turn, persona, text\nFROM transcripts\nORDER BY length(text) DESC\nLIMIT 20",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """An answer as a table shows it."""

    columns: Sequence[str]
    numeric: Sequence[bool]  # by column
    rows: Sequence[Sequence[str | None]]
    cut: bool  # there are more


def info(desk: Desk, store: Store, given: Given) -> Page:
    """Version, size, rows by table, and the codebook."""
    found = desk.remember("describe", lambda: describe(desk.url))
    return Page(template="db_info.html", title="Database", values={"found": found, "books": books(codebook())})


def query(desk: Desk, store: Store, given: Given) -> Page:
    """One reading statement and its answer; a statement that another site sends is shown and not run."""
    limit = int(given.one_of("limit", LIMITS) or LIMITS[0])
    values: dict[str, Any] = {
        "sql": "",
        "limit": str(limit),
        "limits": LIMITS,
        "answer": None,
        "fault": None,
        "held": False,
        "examples": EXAMPLES,
        "views": [(name, list(columns)) for name, columns in books(codebook()) if name in VIEWS],
        "tables": [(name, list(columns)) for name, columns in books(codebook()) if name not in VIEWS],
        "seconds": TIMEOUT_S,
    }
    status = 200
    sql = given.text("sql", longest=LONGEST_SQL)
    if sql is not None:
        values["sql"] = sql
        values["held"] = not given.own
        try:
            values["answer"] = answer(desk, sql, limit) if given.own else None
        except InputError as error:
            values["fault"], status = str(error), 400
    return Page(template="db_query.html", title="SQL", values=values, status=status)


def answer(desk: Desk, sql: str, limit: int) -> Rows:
    """The first rows of a query. Raises InputError where it is wrong, writes, takes too long, or has to wait too long."""
    if not TURNS.acquire(timeout=TIMEOUT_S):
        raise InputError("other queries are still running; try again when they are done")
    try:
        with ask(desk.url, sql, limit=limit, timeout_s=TIMEOUT_S) as found:
            raw = [[_kept(value) for value in row] for row in found]
            numeric = [
                any(row[i] is not None for row in raw) and all(_is_number(row[i]) for row in raw)
                for i in range(len(found.columns))
            ]
            return Rows(
                columns=found.columns,
                numeric=numeric,
                rows=[[_text(value) for value in row] for row in raw],
                cut=found.cut,
            )
    finally:
        TURNS.release()


def books(lines: Iterable[ColumnInfo]) -> list[tuple[str, list[ColumnInfo]]]:
    """The codebook table by table."""
    return [(name, list(columns)) for name, columns in groupby(lines, key=lambda line: line.table)]


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float | Decimal) and not isinstance(value, bool))


def _kept(value: Any) -> Any:
    """What is held of a value while the others are read: no more than is shown of it."""
    if isinstance(value, bytes | memoryview):
        return f"{len(value):,} bytes"
    if isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, str) and len(value) > LONGEST_CELL:
        return f"{value[:LONGEST_CELL]} … {len(value) - LONGEST_CELL:,} more characters"
    return value


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, float):
        return f"{value:.6g}"
    return value.isoformat() if isinstance(value, datetime) else str(value)
