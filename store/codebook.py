"""What a database holds, and the codebook of its tables and views."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import MetaData, Table, func, select, text
from sqlalchemy.dialects import postgresql

from store.connection import open_engine
from store.damage import diagnose_damage
from store.database_address import parse_address
from store.database_errors import store_errors
from store.tables import Base
from store.version import HEAD

# View → column → the table and column it shows; the views themselves are made by the migrations
_EPISODE_COLUMNS = {
    name: ("episodes", name)
    for name in ("run", "scenario_name", "family", "repeat", "attempt", "ending")
}
VIEWS: dict[str, dict[str, tuple[str, str]]] = {
    "episode_scores": {
        "episode_id": ("episodes", "id"),
        "run": ("episodes", "run"),
        "scenario_id": ("episodes", "scenario_id"),
        **_EPISODE_COLUMNS,
        "judge_id": ("judgements", "judge_id"),
        "judge_name": ("judges", "name"),
        "sample": ("judgements", "sample"),
        "rubric_id": ("judgements", "rubric_id"),
        "seat": ("verdicts", "seat"),
        "agent_id": ("episode_seats", "agent_id"),
        "agent_name": ("episode_seats", "agent_name"),
        "persona": ("episode_seats", "persona"),
        "dimension": ("verdicts", "dimension"),
        "score": ("verdicts", "score"),
        "rescaled": ("verdicts", "rescaled"),
        "reasoning": ("verdicts", "reasoning"),
    },
    "transcripts": {
        "episode_id": ("episodes", "id"),
        **_EPISODE_COLUMNS,
        "turn": ("acts", "turn"),
        "position": ("acts", "position"),
        "seat": ("acts", "seat"),
        "persona": ("episode_seats", "persona"),
        "agent_name": ("episode_seats", "agent_name"),
        "kind": ("acts", "kind"),
        "text": ("acts", "text"),
        "recipients": ("acts", "recipients"),
    },
}


VIEW_MEANINGS = {
    "episode_scores": (
        "A view: a score with what tables group by, for each episode, judge, sample, seat and"
        " dimension."
    ),
    "transcripts": "A view: an act with the names of who acted.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnInfo:
    """A line of the codebook."""

    table: str  # or view
    name: str
    type: str
    # "key" for a part of the table's key, "→ table.column" for what it names there, both, or empty
    key: str
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseDescription:
    """What a database holds."""

    where: str
    version: str
    bytes: int
    tables: tuple[tuple[str, int], ...]  # name and rows


def list_columns() -> list[ColumnInfo]:
    """Every column of every table and view, from the comments in `store.tables`."""
    metadata: MetaData = Base.metadata
    lines = [
        ColumnInfo(
            table=table.name,
            name=column.name,
            type=_column_type(table, column.name),
            key=" ".join(
                ["key"] * column.primary_key
                + [f"→ {key.target_fullname}" for key in column.foreign_keys]
            ),
            comment=column.comment or "",
        )
        for table in metadata.sorted_tables
        for column in table.columns
    ]
    for view, columns in VIEWS.items():
        for name, (table_name, column_name) in columns.items():
            source = metadata.tables[table_name]
            lines.append(
                ColumnInfo(
                    table=view,
                    name=name,
                    type=_column_type(source, column_name),
                    key=f"→ {table_name}.{column_name}",
                    comment=source.columns[column_name].comment or "",
                )
            )
    return lines


def table_meanings() -> dict[str, str]:
    """Table or view → what a row of it is."""
    tables = {
        str(mapper.local_table): mapper.class_.__doc__ or "" for mapper in Base.registry.mappers
    }
    return {name: text.splitlines()[0] for name, text in tables.items()} | VIEW_MEANINGS


def describe_database(url: str) -> DatabaseDescription:
    """Tables with counts, version and size of a database; raises as `open_store`."""
    address = parse_address(url)
    engine = open_engine(address, create=False, read_only=True)
    try:
        with diagnose_damage(address), store_errors(str(address)), engine.connect() as connection:
            count = select(func.count())
            counts = tuple(
                (table.name, connection.execute(count.select_from(table)).scalar_one())
                for table in Base.metadata.sorted_tables
            )
            size = (
                "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
                if address.path is not None
                else "SELECT pg_database_size(current_database())"
            )
            bytes_ = int(connection.execute(text(size)).scalar_one())
    finally:
        engine.dispose()
    return DatabaseDescription(where=str(address), version=HEAD, bytes=bytes_, tables=counts)


def _column_type(table: Table, column: str) -> str:
    """The column's type as PostgreSQL calls it, in lower case."""
    return table.columns[column].type.compile(dialect=postgresql.dialect()).lower()  # type: ignore[no-untyped-call]
