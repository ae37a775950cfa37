"""The line that ends a command: which one comes next, ready to be copied."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import click

from simworld.cli.output.text import say
from simworld.jobs.database import DEFAULT_DB

ARGV_KEY = "simworld.given"  # in a context's `meta`: the words after `simworld`


def suggest_next(command: str, *arguments: str, db: str | None = None) -> None:
    """Prints `next: simworld …`; `db` is left out where it is the default."""
    database = ["--db", db] if db is not None and db != DEFAULT_DB else []
    _print_next([*command.split(), *map(str, arguments), *database])


def suggest_again(*options: str, without: str = "") -> None:
    """Prints as the next command the one that is running, with these options where it lacks them,
    and without a flag.
    """
    words: Sequence[str] = click.get_current_context().meta.get(ARGV_KEY, ())
    kept_words = [word for word in words if word != without]
    # after it, all words are arguments
    end = kept_words.index("--") if "--" in kept_words else len(kept_words)
    added = [option for option in options if option not in kept_words]
    _print_next([*kept_words[:end], *added, *kept_words[end:]])


def _print_next(words: Sequence[str]) -> None:
    say(" ".join(["next: simworld", *map(shlex.quote, words)]))
