"""`simworld db query`: a question in SQL, or a ready one; as tables for people, JSON and CSV for
programs.
"""

from __future__ import annotations

import base64
import csv
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any

import click

import store
from simworld.analysis.empty_results import explain_empty
from simworld.analysis.ready_queries import ReadyQuery, check_names, ready_queries, ready_query
from simworld.cli.options import db_option, json_option
from simworld.cli.output.terminal import cell, console, grid
from simworld.cli.output.text import harmless, plain_json, print_json, say
from simworld.core.errors import InputError
from simworld.yamlfile import did_you_mean

MAX_TABLE_ROWS = 1000  # rows for people, unless they ask for more
MAX_TABLE_BYTES = 1 << 24  # of an answer in tables
ROWS_PER_TABLE = 200  # rows laid out in one table


@click.command()
@click.argument("sql", required=False)
@click.option("--list", "list_queries", is_flag=True, help="List the ready queries.")
@click.option(
    "--show", is_flag=True, help="Print a ready query: what it answers, its columns, and its SQL."
)
@click.option(
    "--set",
    "assignments",
    metavar="NAME=VALUE",
    multiple=True,
    help="The value of :NAME in the query.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    help="The most rows; 0: all.  [default: 1000 in tables, else all]",
)
@click.option("--timeout", type=click.FloatRange(min=0.001), default=30.0, help="Seconds.")
@db_option
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
def query(
    sql: str | None,
    list_queries: bool,
    show: bool,
    assignments: tuple[str, ...],
    db: str,
    as_json: bool,
    as_csv: bool,
    limit: int | None,
    timeout: float,
) -> None:
    """Ask a database in SQL, reading only.

    SQL is one statement, `-` reads it from standard input, and `@NAME` is a ready query.

    \b
    simworld db query --list
    simworld db query @scores --set run=first
    simworld db query "SELECT family, avg(score) FROM episode_scores GROUP BY 1"
    """  # noqa: D301  # click reads the escape: it keeps the examples' lines
    if as_json and as_csv:
        raise InputError("--json and --csv exclude each other")
    if list_queries:
        _list_ready_queries(list(ready_queries().values()), as_json)
        return
    if not sql:
        raise InputError(
            "no query is given; write SQL, or the @NAME of a ready query: --list lists them"
        )
    ready = ready_query(sql) if sql.startswith("@") else None
    if show:
        if ready is None:
            raise InputError("--show prints a ready query: give its @NAME")
        click.echo(ready.text, nl=False)
        return
    if re.fullmatch(r"[\w-]+", sql) and (
        hint := did_you_mean(sql, ready_queries(), display="@{}".format)
    ):
        raise InputError(f"{sql!r} is not SQL{hint}")
    values = _parse_assignments(assignments)
    if ready is not None:
        sql, values = ready.sql, ready.bind(values)
        check_names(db, values)
    elif sql == "-":
        sql = sys.stdin.read()
    if limit is None:
        limit = 0 if as_json or as_csv else MAX_TABLE_ROWS
    most_bytes = 0 if as_json or as_csv else MAX_TABLE_BYTES
    has_no_rows = False
    with store.query(
        db, sql, values, limit=limit, max_bytes=most_bytes, timeout_s=timeout
    ) as answer:
        if as_json:
            _print_json(answer.columns, answer)
        elif as_csv:
            _print_csv(answer.columns, answer)
        else:
            has_no_rows = not _print_tables(answer.columns, answer)
        if answer.truncated:
            click.echo(f"{answer.truncation_note('--limit 0 gives all').capitalize()}.", err=True)
    if has_no_rows:
        reason = f": {explain_empty(db, ready, values)}" if ready is not None else ""
        say(f"No rows{reason}.", err=True)


def _parse_assignments(texts: Sequence[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise InputError(f"--set {text!r} is not understood; write NAME=VALUE, like run=first")
        if name in values:
            raise InputError(f"--set gives {name!r} twice")
        values[name] = value
    return values


def _list_ready_queries(queries: Sequence[ReadyQuery], as_json: bool) -> None:
    if as_json:
        queries_json = [
            {
                "name": query.name,
                "question": query.question,
                "notes": query.notes,
                "columns": dict(query.columns),
                "parameters": dict(query.parameters),
                "required": list(query.required),
            }
            for query in queries
        ]
        print_json(queries_json, indent=1)
        return
    table = grid("query", "what it answers", "--set")
    for query in queries:
        names = (
            f"{name}=…" if name in query.required else f"[{name}=…]" for name in query.parameters
        )
        table.add_row(f"@{query.name}", query.question, cell(" ".join(names)))
    console().print(table)


def _print_tables(columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> int:
    """Tables of a few hundred rows each, so that a long answer needs no memory. Gives the number of
    rows.
    """
    remaining = iter(rows)
    screen = console()
    row_count = 0
    while chunk := list(islice(remaining, ROWS_PER_TABLE)):
        row_count += len(chunk)
        numeric = tuple(
            name
            for index, name in enumerate(columns)
            if all(isinstance(row[index], (int, float, Decimal, type(None))) for row in chunk)
        )
        table = grid(*columns, right=numeric)
        for row in chunk:
            table.add_row(*(cell(value) for value in row))
        screen.print(table)
    return row_count


def _print_json(columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
    """An array of objects, written as the rows come."""
    duplicates = sorted({name for name in columns if columns.count(name) > 1})
    if duplicates:
        raise InputError(
            f"several columns are called {', '.join(duplicates)}; name them apart with AS"
        )
    out = sys.stdout
    start = "["
    for row in rows:
        out.write(f"{start}{plain_json(dict(zip(columns, row, strict=True)), default=_json_value)}")
        start = ",\n "
    out.write("[]\n" if start == "[" else "]\n")


def _print_csv(columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
    stdout = sys.stdout
    writer = csv.writer(stdout, lineterminator="\n")
    writer.writerow(columns)
    safe_rows = _harmless_rows(rows) if sys.stdout.isatty() else rows
    writer.writerows([_csv_value(value) for value in row] for row in safe_rows)


def _harmless_rows(rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    return (
        tuple(harmless(value) if isinstance(value, str) else value for value in row) for row in rows
    )


def _csv_value(value: Any) -> Any:
    if isinstance(value, (dict, list)):
        return plain_json(value, default=_json_value)
    return _json_value(value) if isinstance(value, (bytes, datetime)) else value


def _json_value(value: Any) -> Any:
    """What JSON lacks: bytes as base64, times in ISO form, exact decimals as numbers, anything else
    as its text.
    """
    if isinstance(value, (bytes, memoryview)):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    return str(value)
