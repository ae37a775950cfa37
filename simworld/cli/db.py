"""`simworld db`: upgrade, describe, query and export a database."""

from __future__ import annotations

import base64
import csv
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import IO, Any

import click

import store
from simworld.cli.options import db_option, json_option
from simworld.cli.terminal import cell, console, grid
from simworld.cli.text import harmless, plain_json
from simworld.core.errors import InputError
from store.describe import ColumnInfo, codebook, describe

TABLE_LIMIT = 1000  # rows for people, unless they ask for more
CHUNK = 200  # rows laid out in one table


@click.group()
def db() -> None:
    """Describe, query, export and upgrade a database."""


@db.command()
@db_option
def upgrade(db: str) -> None:
    """Bring a database to this version.

    Nothing changes if that fails.
    """
    before, after = store.upgrade(db)
    if before == after:
        click.echo(f"Nothing to do: the database is of version {after}.")
    else:
        click.echo(f"Upgraded from version {before or 'none (empty)'} to {after}.")


@db.command()
@click.option("--columns", is_flag=True, help="Print the codebook: every table, view and column, and what it holds.")
@db_option
@json_option
def info(db: str, columns: bool, as_json: bool) -> None:
    """Show what a database holds.

    Tables with counts, version, size and runs; or the codebook.
    """
    if columns:
        _show_codebook(codebook(), as_json)
        return
    found = describe(db)
    with store.open_store(db) as opened:
        runs = opened.runs()
    if as_json:
        data = {
            "where": found.where,
            "version": found.version,
            "bytes": found.bytes,
            "tables": dict(found.tables),
            "runs": [
                {
                    "name": summary.run.name,
                    "seed": summary.run.seed,
                    "created": summary.run.created.isoformat(),
                    "planned": summary.planned,
                    "done": summary.done,
                    "failed": summary.failed,
                    "episodes": summary.episodes,
                    "judged": summary.judged,
                }
                for summary in runs
            ],
        }
        click.echo(plain_json(data))
        return
    click.echo(f"{harmless(found.where)}: version {found.version}, {found.bytes / 1e6:.1f} MB\n")
    table = grid("table", "rows", right=("rows",))
    for name, count in found.tables:
        table.add_row(name, f"{count:,}")
    console().print(table)
    if runs:
        numbers = ("planned", "done", "failed", "judged")
        table = grid("run", "begun", *numbers, right=numbers)
        for summary in runs:
            counts = (summary.planned, summary.done, summary.failed, summary.judged)
            begun = f"{summary.run.created:%Y-%m-%d %H:%M}"
            table.add_row(cell(summary.run.name), begun, *(f"{count:,}" for count in counts))
        click.echo()
        console().print(table)


def _show_codebook(columns: Iterable[ColumnInfo], as_json: bool) -> None:
    if as_json:
        rows = [
            {"table": column.table, "column": column.name, "type": column.type, "comment": column.comment}
            for column in columns
        ]
        click.echo(plain_json(rows))
        return
    table = grid("table", "column", "type", "what it holds")
    last = ""
    for column in columns:
        if last and column.table != last:
            table.add_row()
        table.add_row(column.table if column.table != last else "", column.name, column.type, column.comment)
        last = column.table
    console().print(table)


@db.command()
@click.argument("sql")
@click.option("--limit", type=click.IntRange(min=0), help="The most rows; 0: all.  [default: 1000 in tables, else all]")
@click.option("--timeout", type=click.FloatRange(min=0.001), default=30.0, show_default=True, help="Seconds.")
@db_option
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
def query(sql: str, db: str, as_json: bool, as_csv: bool, limit: int | None, timeout: float) -> None:
    """Ask a database in SQL, reading only.

    `-` reads the query from standard input.

    \b
    simworld db query "SELECT agent_name, dimension, avg(score) FROM episode_scores GROUP BY 1, 2"
    """  # noqa: D301  # click reads the escape: it keeps the example's line
    if as_json and as_csv:
        raise InputError("--json and --csv exclude each other")
    if limit is None:
        limit = 0 if as_json or as_csv else TABLE_LIMIT
    text = sys.stdin.read() if sql == "-" else sql
    with store.query(db, text, limit=limit, timeout_s=timeout) as answer:
        if as_json:
            _print_json(answer.columns, answer)
        elif as_csv:
            _print_csv(answer.columns, answer)
        else:
            _print_tables(answer.columns, answer)
        if answer.cut:
            click.echo(f"Only the first {limit:,} rows; --limit 0 gives all.", err=True)


def _print_tables(columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
    """Tables of a few hundred rows each, so that a long answer needs no memory."""
    left = iter(rows)
    screen = console()
    total = 0
    while chunk := list(islice(left, CHUNK)):
        total += len(chunk)
        numeric = tuple(
            name
            for place, name in enumerate(columns)
            if all(isinstance(row[place], (int, float, Decimal, type(None))) for row in chunk)
        )
        table = grid(*columns, right=numeric)
        for row in chunk:
            table.add_row(*(cell(value) for value in row))
        screen.print(table)
    if not total:
        click.echo("No rows.", err=True)


def _print_json(columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
    """An array of objects, written as the rows come."""
    doubled = sorted({name for name in columns if columns.count(name) > 1})
    if doubled:
        raise InputError(f"several columns are called {', '.join(doubled)}; name them apart with AS")
    out = sys.stdout
    start = "["
    for row in rows:
        out.write(f"{start}{plain_json(dict(zip(columns, row, strict=True)), default=_plain)}")
        start = ",\n "
    out.write("[]\n" if start == "[" else "]\n")


def _print_csv(columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
    stdout = sys.stdout
    writer = csv.writer(stdout, lineterminator="\n")
    writer.writerow(columns)
    shown = _harmless_rows(rows) if sys.stdout.isatty() else rows
    writer.writerows([_text(value) for value in row] for row in shown)


def _harmless_rows(rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    return (tuple(harmless(value) if isinstance(value, str) else value for value in row) for row in rows)


def _text(value: Any) -> Any:
    if isinstance(value, (dict, list)):
        return plain_json(value, default=_plain)
    return _plain(value) if isinstance(value, (bytes, datetime)) else value


def _plain(value: Any) -> Any:
    """What JSON lacks: bytes as base64, times in ISO form, exact decimals as numbers, anything else as its text."""
    if isinstance(value, (bytes, memoryview)):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    return str(value)


@db.command()
@click.option("--out", required=True, metavar="FILE", help="Where to write; `-` is standard output (JSONL only).")
@click.option(
    "--format", "format_", type=click.Choice(["jsonl", "parquet"]), help="Default: by the file's ending, else jsonl."
)
@click.option("--run", metavar="NAME", help="Only this run.")
@click.option("--vectors", is_flag=True, help="Include state and action vectors.")
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@db_option
def export(db: str, out: str, format_: str | None, run: str | None, vectors: bool, force: bool) -> None:
    """Write whole episodes to a file.

    With turns, checks and judgements: one line of JSON, or one Parquet row, each.
    """
    from simworld.export import export_jsonl, export_parquet, new_file

    if format_ is None:
        format_ = "parquet" if out.endswith(".parquet") else "jsonl"
    with store.open_store(db) as opened:
        if run is not None and run not in (known := [summary.run.name for summary in opened.runs()]):
            raise InputError(f"no run {run!r}; there are {', '.join(known) or 'none'}")
        if out == "-":
            if format_ == "parquet":
                raise InputError("Parquet cannot go to standard output; give --out a file name")
            stdout: IO[str] = sys.stdout
            export_jsonl(opened, stdout, run=run, vectors=vectors)
            return
        with new_file(Path(out), force=force) as part:
            if format_ == "parquet":
                count = export_parquet(opened, part, run=run, vectors=vectors)
            else:
                with part.open("w", encoding="utf-8", newline="\n") as file:
                    count = export_jsonl(opened, file, run=run, vectors=vectors)
    click.echo(harmless(f"Wrote {count:,} episodes to {out}."))
