"""`simworld db`: upgrade, describe, query and export a database."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import IO

import click

import store
from simworld.cli.lazy_group import LazyCommands, LazyGroup
from simworld.cli.next_command import suggest_next
from simworld.cli.options import db_option, json_option
from simworld.cli.output.terminal import cell, console, grid
from simworld.cli.output.text import harmless, print_json, say
from simworld.core.counts import counted
from simworld.core.errors import InputError
from store.codebook import ColumnInfo, describe_database, list_columns, table_meanings

COMMANDS: LazyCommands = {
    "upgrade": ("db:upgrade", "Bring a database to this version."),
    "info": ("db:info", "Show what a database holds, or the codebook."),
    "query": ("db_query:query", "Ask it in SQL, or by a ready query; reading only."),
    "export": ("db:export", "Write whole episodes to a file."),
}


RUN_COUNTS = ("planned", "done", "failed", "episodes", "judged")


@click.group(cls=LazyGroup, lazy_commands=COMMANDS)
def db() -> None:
    """Describe, query, export and upgrade a database."""


@click.command()
@db_option
def upgrade(db: str) -> None:
    """Bring a database to this version.

    Nothing changes if that fails.
    """
    before, after = store.upgrade_store(db)
    if before == after:
        click.echo(f"Nothing to do: the database is of version {after}.")
    else:
        click.echo(f"Upgraded from version {before or 'none (empty)'} to {after}.")
    suggest_next("db info", db=db)


@click.command()
@click.option(
    "--columns",
    is_flag=True,
    help="Print the codebook: every table, view and column, and what it holds.",
)
@db_option
@json_option
def info(db: str, columns: bool, as_json: bool) -> None:
    """Show what a database holds.

    Tables with counts, version, size and runs; or the codebook.
    """
    if columns:
        _show_codebook(list_columns(), as_json)
        return
    description = describe_database(db)
    with store.open_store(db) as database:
        runs = database.run_summaries()
    if as_json:
        data = {
            "where": description.where,
            "version": description.version,
            "bytes": description.bytes,
            "tables": dict(description.tables),
            "runs": [
                {
                    "name": summary.run.name,
                    "seed": summary.run.seed,
                    "created": summary.run.created.isoformat(),
                    **{name: getattr(summary, name) for name in RUN_COUNTS},
                }
                for summary in runs
            ],
        }
        print_json(data)
        return
    click.echo(
        f"{harmless(description.where)}: version {description.version},"
        f" {description.bytes / 1e6:.1f} MB\n"
    )
    table = grid("table", "rows", right=("rows",))
    for name, count in description.tables:
        table.add_row(name, f"{count:,}")
    console().print(table)
    if runs:
        numbers = ("planned", "done", "failed", "judged")
        table = grid("run", "begun", *numbers, right=numbers)
        for summary in runs:
            counts = (summary.planned, summary.done, summary.failed, summary.judged)
            created = f"{summary.run.created:%Y-%m-%d %H:%M}"
            table.add_row(cell(summary.run.name), created, *(f"{count:,}" for count in counts))
        click.echo()
        console().print(table)


def _show_codebook(columns: Iterable[ColumnInfo], as_json: bool) -> None:
    row_meanings = table_meanings()
    if as_json:
        codebook_json = [
            {
                "table": column.table,
                "row": row_meanings[column.table],
                "column": column.name,
                "type": column.type,
                "key": column.key,
                "comment": column.comment,
            }
            for column in columns
        ]
        print_json(codebook_json)
        return
    for name, table_columns in groupby(columns, key=lambda column: column.table):
        click.echo(f"{name}: {row_meanings[name]}\n")
        table = grid("column", "type", "key", "what it holds")
        for column in table_columns:
            table.add_row(column.name, column.type, column.key, column.comment)
        console().print(table)
        click.echo()


@click.command()
@click.option(
    "--out",
    required=True,
    metavar="FILE",
    help="Where to write; `-` is standard output (JSONL only).",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["jsonl", "parquet"]),
    help="Default: by the file's ending, else jsonl.",
)
@click.option("--run", metavar="NAME", help="Only this run.")
@click.option("--vectors", is_flag=True, help="Include state and action vectors.")
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@db_option
def export(
    db: str, out: str, format_: str | None, run: str | None, vectors: bool, force: bool
) -> None:
    """Write whole episodes to a file.

    With turns, checks and judgements: one line of JSON, or one Parquet row, each.
    """
    from simworld.export import export_jsonl, export_parquet, new_file

    if format_ is None:
        format_ = "parquet" if out.endswith(".parquet") else "jsonl"
    with store.open_store(db) as database:
        database.check_names(run=run)
        if out == "-":
            if format_ == "parquet":
                raise InputError("Parquet cannot go to standard output; give --out a file name")
            stdout: IO[str] = sys.stdout
            export_jsonl(database, stdout, run=run, vectors=vectors)
            return
        with new_file(Path(out), force=force) as temporary:
            if format_ == "parquet":
                count = export_parquet(database, temporary, run=run, vectors=vectors)
            else:
                with temporary.open("w", encoding="utf-8", newline="\n") as file:
                    count = export_jsonl(database, file, run=run, vectors=vectors)
    say(f"Wrote {counted(count, 'episode')} to {out}.")
    suggest_next("db info", "--columns", db=db)
