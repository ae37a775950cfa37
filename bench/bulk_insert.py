"""Rows into tables in bulk: COPY on PostgreSQL, prepared inserts on SQLite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, func, literal, select, true

from store.cells.cell_rebuild import rebuild_all
from store.inserts import RowValues
from store.tables import (
    Base,
    CellCastRow,
    CellScoreRow,
    EpisodeRow,
    EpisodeSeatRow,
    JudgementRow,
    table,
)

Batch = dict[type[Base], list[RowValues]]


def add_to_batch(batch: Batch, rows: Mapping[type[Base], Sequence[RowValues]]) -> None:
    """Puts rows into a batch, table by table."""
    for into, of_table in rows.items():
        batch.setdefault(into, []).extend(of_table)


def insert_batch(connection: Connection, batch: Batch) -> None:
    """Inserts all rows of a batch, in the order in which its tables came; a batch's rows of one
    table have the same columns."""
    for into, rows in batch.items():
        if not rows:
            continue
        if connection.dialect.name == "postgresql":
            _copy_rows(connection, into, rows)
        else:
            connection.execute(table(into).insert(), [dict(row) for row in rows])


def make_cells(connection: Connection) -> None:
    """Makes the cells that the store would have kept, had it added the rows itself."""
    block = (EpisodeRow.run, EpisodeRow.family, EpisodeRow.scenario_id, EpisodeRow.repeat)
    seats = (
        select(func.count())
        .where(EpisodeSeatRow.episode_id == func.min(EpisodeRow.id))
        .scalar_subquery()
    )
    casts = select(*block, seats, true(), literal(b"")).group_by(*block)
    ok = JudgementRow.status == "ok"
    judged = (
        select(*block, JudgementRow.judge_id)
        .join(JudgementRow, JudgementRow.episode_id == EpisodeRow.id)
        .where(ok)
    )
    scores = judged.add_columns(true(), literal(b""), literal(b"")).distinct()
    names = ["run", "family", "scenario_id", "repeat"]
    connection.execute(table(CellScoreRow).delete())
    connection.execute(table(CellCastRow).delete())
    connection.execute(
        table(CellCastRow).insert().from_select([*names, "seats", "stale", "casts"], casts)
    )
    connection.execute(
        table(CellScoreRow)
        .insert()
        .from_select([*names, "judge_id", "stale", "scores", "retests"], scores)
    )
    rebuild_all(connection)


def _copy_rows(connection: Connection, into: type[Base], rows: Sequence[RowValues]) -> None:
    names = list(rows[0])
    types = [table(into).columns[name].type.dialect_impl(connection.dialect) for name in names]
    converters = [type_.bind_processor(connection.dialect) for type_ in types]
    cursor: Any = connection.connection.cursor()  # psycopg's
    with cursor, cursor.copy(f"COPY {into.__tablename__} ({', '.join(names)}) FROM STDIN") as copy:
        for row in rows:
            values: list[Any] = [row[name] for name in names]
            copy.write_row([c(v) if c else v for c, v in zip(converters, values, strict=True)])
