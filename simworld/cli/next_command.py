"""The line that ends a command: which one comes next, ready to be copied."""

from __future__ import annotations

import shlex

import click

from simworld.cli.text import harmless

DEFAULT_DB = "sqlite:///simworld.db"


def next_command(command: str, *arguments: str, db: str | None = None) -> None:
    """Prints `next: simworld …`; `db` is left out where it is the default."""
    words = [*arguments, *(["--db", db] if db not in (None, DEFAULT_DB) else [])]
    click.echo(harmless(" ".join(["next: simworld", command, *map(shlex.quote, map(str, words))])))
