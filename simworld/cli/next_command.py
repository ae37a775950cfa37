"""The line that ends a command: which one comes next, ready to be copied."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import click

from simworld.cli.text import harmless

DEFAULT_DB = "sqlite:///simworld.db"
ARGV_KEY = "simworld.given"  # in a context's `meta`: the words after `simworld`


def suggest_next(command: str, *arguments: str, db: str | None = None) -> None:
    """Prints `next: simworld …`; `db` is left out where it is the default."""
    _print_next(
        [
            *command.split(),
            *map(str, arguments),
            *(["--db", db] if db not in (None, DEFAULT_DB) else []),
        ]
    )


def suggest_again(*options: str, without: str = "") -> None:
    """Prints as the next command the one that is running, with these options where it lacks them,
    and without a flag.
    """
    words: Sequence[str] = click.get_current_context().meta.get(ARGV_KEY, ())
    kept = [word for word in words if word != without]
    end = kept.index("--") if "--" in kept else len(kept)  # after it, all words are arguments
    _print_next([*kept[:end], *(option for option in options if option not in kept), *kept[end:]])


def _print_next(words: Sequence[str]) -> None:
    click.echo(harmless(" ".join(["next: simworld", *map(shlex.quote, words)])))
