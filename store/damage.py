"""Finds the cell of a database that simworld cannot have stored, after reading has failed, so that
the error names its place.

Reading trusts what is stored, for millions of cells are read. Where it fails with anything but a
known error, the whole file is looked through, cell by cell; if there is a cell to blame, the error
names it, and else it stays the bug that it is.
"""

from __future__ import annotations

import json
import math
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

import numpy as np
from pydantic import JsonValue, NonNegativeInt, TypeAdapter, ValidationError
from sqlalchemy import Boolean, Column, Float, Integer, LargeBinary, Table

from simworld.core.counts import counted
from simworld.core.episode import ActionKind, Ending
from simworld.core.errors import SimworldError, StoreDamaged
from simworld.core.judgement import JudgementStatus
from simworld.core.measures import measures_of_rubric, rubric_json_of
from store.column_types import Json, SeedText, Utc
from store.database_address import DatabaseAddress, parse_address, sqlite_uri
from store.database_errors import RESTORE_ADVICE
from store.inserts import RowValues
from store.scenario_json import scenario_from_row
from store.tables import Base

SEARCH_S = 5.0  # seconds to look for the cell to blame
ROWS_PER_TIME_CHECK = 1000  # between two looks at the clock
MAX_SHOWN = 60  # characters of a cell in a message
MAX_COUNT = 2**53  # of a count: beyond it floats lose whole numbers
MAX_REASON = 200  # characters of SQLite's message
READ_ERRORS = (
    sqlite3.OperationalError,
    sqlite3.DatabaseError,
    sqlite3.DataError,
    sqlite3.InternalError,
    UnicodeDecodeError,
)
MAX_SEED_DIGITS = 40  # digits
ADVICE = (
    "correct that cell, or restore the file from a copy; `simworld db info` and `simworld db query`"
    " read what is whole"
)

CellRule = Callable[[Any], str]  # what was expected; empty where the value is that


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """A cell that cannot be right."""

    table: str
    key: str  # of the row: `episode_id=3f9c… turn=2`
    column: str
    value: str
    expected: str

    def __str__(self) -> str:
        return (
            f"table {self.table}, row {self.key}, column {self.column}: found {self.value};"
            f" expected {self.expected}"
        )


class _NotText(bytes):
    """A cell of text that is not UTF-8."""


@contextmanager
def diagnose_damage(address: DatabaseAddress) -> Iterator[None]:
    """Turns an unknown error into StoreDamaged where a cell of the database is to blame."""
    try:
        yield
    except SimworldError:
        raise
    except Exception as error:
        if (explained := explain_damage(address, error)) is None:
            raise
        raise explained from error


def explain_damage(where: str | DatabaseAddress, error: Exception) -> StoreDamaged | None:
    """The StoreDamaged that explains an unknown error of reading a database; None if no cell
    explains it.
    """
    if isinstance(error, OSError):
        return None
    address = parse_address(where) if isinstance(where, str) else where
    database_error = getattr(error, "orig", None)
    try:
        if (damage := find_damage(address)) is not None:
            return StoreDamaged(f"{address} is damaged: {damage}; {ADVICE}")
    except (sqlite3.Error, UnicodeDecodeError) as other:  # the latter of names in the schema
        database_error = other
    if type(database_error) not in READ_ERRORS:
        return None
    reason = " ".join(str(database_error).split())[:MAX_REASON]
    return StoreDamaged(
        f"{address} is damaged, or another program has changed it ({reason}); {RESTORE_ADVICE}"
    )


def find_damage(address: DatabaseAddress) -> Damage | None:
    """The first cell of an SQLite file that cannot be right, in the order of the tables; None if
    none is found in five seconds.
    """
    if address.path is None or not address.path.is_file():
        return None
    deadline = time.monotonic() + SEARCH_S
    uri, _ = sqlite_uri(address.path, read_only=True)
    with closing(sqlite3.connect(uri, uri=True, timeout=1, isolation_level=None)) as connection:
        connection.text_factory = _decode_text
        for table in Base.metadata.sorted_tables:
            if (damage := _find_in_table(connection, table, deadline)) is not None:
                return damage
        return _find_orphan(connection)


def _find_in_table(connection: sqlite3.Connection, table: Table, deadline: float) -> Damage | None:
    names = [column.name for column in table.columns]
    rules = {column.name: _cell_rule(table.name, column) for column in table.columns}
    selected = ", ".join(f'"{name}"' for name in names)
    # our own names
    for number, values in enumerate(connection.execute(f'SELECT {selected} FROM "{table.name}"')):
        if number % ROWS_PER_TIME_CHECK == 0 and time.monotonic() > deadline:
            return None
        row = dict(zip(names, values, strict=True))
        key = " ".join(
            f"{column.name}={_shown_value(row[column.name])}"
            for column in table.primary_key.columns
        )
        expectations = chain(  # asked one by one: a row's rules count on cells that are right
            ((name, rule(row[name])) for name, rule in rules.items()),
            ((name, rule(row)) for name, rule in ROW_RULES.get(table.name, {}).items()),
        )
        for name, expected in expectations:
            if expected:
                return Damage(
                    table=table.name,
                    key=key,
                    column=name,
                    value=_shown_value(row[name]),
                    expected=expected,
                )
    return None


def _find_orphan(connection: sqlite3.Connection) -> Damage | None:
    """A row that belongs to one that is not there."""
    orphan = connection.execute("PRAGMA foreign_key_check").fetchone()
    if orphan is None:
        return None
    table, rowid, parent, number = orphan
    columns = [
        row[3]
        for row in connection.execute(f'PRAGMA foreign_key_list("{table}")')
        if row[0] == number
    ]
    return Damage(
        table=table,
        key=f"rowid={rowid}",
        column=", ".join(columns),
        value="a reference",
        expected=f"a row of {parent}",
    )


def _decode_text(raw: bytes) -> str | bytes:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return _NotText(raw)


def _shown_value(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case _NotText():
            return f"text that is not UTF-8, {counted(len(value), 'byte')}"
        case bytes():
            return f"a blob of {counted(len(value), 'byte')}"
        case str():
            return repr(value if len(value) <= MAX_SHOWN else f"{value[:MAX_SHOWN]}…")
        case _:
            return str(value)


def _cell_rule(table: str, column: Column[Any]) -> CellRule:
    """What a cell of this column must be."""
    name = f"{table}.{column.name}"
    type_rule = (
        _json_rule(JSON_COLUMNS.get(name, _ANY_JSON))
        if isinstance(column.type, Json)
        else CHOICE_COLUMNS.get(name) or _type_rule(column)
    )
    nullable = bool(column.nullable)

    def rule(value: Any) -> str:
        return ("" if nullable else "a value") if value is None else type_rule(value)

    return rule


def _type_rule(column: Column[Any]) -> CellRule:
    type_ = column.type
    if isinstance(type_, SeedText):
        return _expect_seed
    if isinstance(type_, Utc):
        return _expect_time
    if isinstance(type_, Boolean):
        return lambda value: "" if value in (0, 1) and isinstance(value, int) else "0 or 1"
    if isinstance(type_, Integer):
        return lambda value: (
            "" if isinstance(value, int) and 0 <= value < MAX_COUNT else "a whole number from 0"
        )
    if isinstance(type_, Float):
        is_share = column.name == "rescaled"
        return _expect_share if is_share else _expect_number
    if isinstance(type_, LargeBinary):
        return lambda value: "" if type(value) is bytes else "a blob"
    return lambda value: "" if isinstance(value, str) else "text"


def _expect_number(value: Any) -> str:
    return "" if isinstance(value, (int, float)) and math.isfinite(value) else "a finite number"


def _expect_share(value: Any) -> str:
    return "" if not _expect_number(value) and 0 <= value <= 1 else "a number from 0 to 1"


def _expect_seed(value: Any) -> str:
    digits = value.removeprefix("-") if isinstance(value, str) else ""
    return (
        ""
        if digits.isdecimal() and digits.isascii() and len(digits) <= MAX_SEED_DIGITS
        else "a whole number as text"
    )


def _expect_time(value: Any) -> str:
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return "a time, as in 2026-01-31 12:00:00.000000"
    return ""


def _choice_rule(*choices: str) -> CellRule:
    return lambda value: "" if value in choices else f"one of {', '.join(choices)}"


def _json_rule(adapter: TypeAdapter[Any]) -> CellRule:
    def rule(value: Any) -> str:
        if not isinstance(value, str):
            return "JSON as text"
        try:
            json.loads(value)
            adapter.validate_json(value)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            return f"other JSON: {'.'.join(map(str, first['loc']))}: {first['msg']}".replace(
                ": :", ":"
            )
        except (ValueError, RecursionError):
            return "JSON"
        return ""

    return rule


def _vector_rule(name: str) -> Callable[[RowValues], str]:
    """What the blob of a vector must be, by the two columns that describe it."""
    dtype, shape = (f"{name}_dtype", f"{name}_shape") if name != "vector" else ("dtype", "shape")

    def rule(row: RowValues) -> str:
        if row[name] is None:
            return ""
        try:
            size = np.dtype(row[dtype]).itemsize * math.prod(json.loads(row[shape]))
        except (TypeError, ValueError):
            return f"a number format in {dtype} and dimensions in {shape}"
        return (
            "" if len(row[name]) == size else f"{counted(size, 'byte')}, as {dtype} and {shape} say"
        )

    return rule


def _failure_rule(status: str) -> Callable[[RowValues], str]:
    """A failure is there exactly where the status says so."""

    def rule(row: RowValues) -> str:
        present = [
            row[name] is not None
            for name in ("failure_boundary", "failure_kind", "failure_message")
        ]
        expected = row[status] == "failed"
        return (
            ""
            if all(is_present == expected for is_present in present)
            else f"a failure exactly where {status} is failed"
        )

    return rule


def _expect_scenario(row: RowValues) -> str:
    try:
        scenario_from_row({**row, "content": json.loads(row["content"]), "tags": [], "meta": {}})  # type: ignore[arg-type]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return f"a scenario ({type(error).__name__}: {error})"
    return ""


def _expect_rubric(row: RowValues) -> str:
    try:
        rubric = rubric_json_of(json.loads(row["spec"]))
        if rubric is not None:
            measures_of_rubric(rubric)
            [float(dimension["weight"]) for dimension in rubric["dimensions"]]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return f"a judge's spec ({type(error).__name__}: {error})"
    return ""


_ANY_JSON: TypeAdapter[Any] = TypeAdapter(JsonValue)
_MAPPING: TypeAdapter[Any] = TypeAdapter(dict[str, JsonValue])
_STRINGS: TypeAdapter[Any] = TypeAdapter(list[str])
_SHAPE: TypeAdapter[Any] = TypeAdapter(list[NonNegativeInt])
_FAILURE_LIST: TypeAdapter[Any] = TypeAdapter(list[dict[str, str]])
JSON_COLUMNS: Mapping[str, TypeAdapter[Any]] = {
    "scenarios.tags": _STRINGS,
    "scenarios.meta": _MAPPING,
    "scenarios.content": _MAPPING,
    "agents.agent_spec": _MAPPING,
    "runs.settings": _MAPPING,
    "runs.profile": TypeAdapter(dict[str, list[dict[str, JsonValue]]]),
    "work_items.casting": TypeAdapter(dict[str, str]),
    "acts.recipients": _STRINGS,
    "plan_steps.state_shape": _SHAPE,
    "plan_steps.action_shape": _SHAPE,
    "judges.spec": _MAPPING,
    "judgements.earlier_failures": _FAILURE_LIST,
    "verdicts.raw": TypeAdapter(dict[str, float]),
    "embeddings.shape": _SHAPE,
    "training_runs.settings": _MAPPING,
    "training_runs.data": _MAPPING,
    "training_runs.metrics": _MAPPING,
}
CHOICE_COLUMNS: Mapping[str, CellRule] = {
    "episodes.ending": _choice_rule(*(ending.value for ending in Ending)),
    "acts.kind": _choice_rule(*(kind.value for kind in ActionKind)),
    "judgements.status": _choice_rule(*(status.value for status in JudgementStatus)),
    "training_runs.status": _choice_rule("running", "finished", "failed"),
}
ROW_RULES: Mapping[str, Mapping[str, Callable[[RowValues], str]]] = {
    "scenarios": {"content": _expect_scenario},
    "judges": {"spec": _expect_rubric},
    "episodes": {"failure_kind": _failure_rule("ending")},
    "judgements": {"failure_kind": _failure_rule("status")},
    "plan_steps": {"state": _vector_rule("state"), "action": _vector_rule("action")},
    "embeddings": {"vector": _vector_rule("vector")},
}
