"""Inserts that may be repeated: a row whose key exists is left as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Insert, RowMapping
from sqlalchemy.dialects import postgresql, sqlite

from simworld.core.errors import Failure
from store.tables import Base, table

RowValues = Mapping[str, Any]


def insert_new(connection: Connection, row_type: type[Base], row: RowValues) -> bool:
    """Adds a row unless one of its unique keys exists; says whether it was added. Waits for another
    process that is adding it.
    """
    result = connection.execute(
        _insert_or_ignore(connection.dialect.name, row_type),
        dict(row),
        execution_options={"preserve_rowcount": True},
    )
    if result.rowcount not in (0, 1):
        raise RuntimeError(f"the driver does not say whether the row was added: {result.rowcount}")
    return result.rowcount == 1


def insert_missing(connection: Connection, row_type: type[Base], rows: Sequence[RowValues]) -> None:
    """Adds those rows whose keys do not exist yet."""
    if rows:
        connection.execute(
            _insert_or_ignore(connection.dialect.name, row_type), [dict(row) for row in rows]
        )


def insert_all(connection: Connection, row_type: type[Base], rows: Sequence[RowValues]) -> None:
    """Adds rows that cannot exist yet, as parts of a row just added."""
    if rows:
        connection.execute(_insert(row_type), [dict(row) for row in rows])


# Statements are built once: building one takes longer than SQLite takes to run it.


@cache
def _insert_or_ignore(dialect: str, row_type: type[Base]) -> Insert:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return insert(table(row_type)).on_conflict_do_nothing()


@cache
def _insert(row_type: type[Base]) -> Insert:
    return table(row_type).insert()


def failure_columns(failure: Failure | None) -> RowValues:
    """The three columns of a failure, null without one."""
    return {
        "failure_boundary": failure.boundary if failure else None,
        "failure_kind": failure.kind if failure else None,
        "failure_message": failure.message if failure else None,
    }


def read_failure(row: RowMapping) -> Failure | None:
    """The failure in a row's three columns."""
    if row["failure_kind"] is None:
        return None
    return Failure(
        boundary=row["failure_boundary"], kind=row["failure_kind"], message=row["failure_message"]
    )
