"""Output for people on a terminal, harmless whatever it shows."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from simworld.cli.output.table import Grid
from simworld.cli.output.text import harmless, say
from simworld.core.counts import counted

# characters of one cell of a table; more is no table any longer, and wrapping it takes minutes
MAX_CELL_CHARS = 20_000


def cell(value: object) -> Text:
    """A table's cell: harmless, without markup; numbers to six digits, null as a dim dash. Of a
    very long text the beginning.
    """
    if value is None:
        return Text("–", style="dim")
    if isinstance(value, float):
        return Text(f"{value:.6g}")
    if isinstance(value, bytes):
        return Text(counted(len(value), "byte"), style="dim")
    text = str(value)
    if len(text) > MAX_CELL_CHARS:
        text = (
            f"{text[:MAX_CELL_CHARS]}… ({counted(len(text), 'character')} in all; --json or --csv"
            " gives them)"
        )
    return Text(harmless(text))


def grid(*columns: str, right: tuple[str, ...] = (), exact: tuple[str, ...] = ()) -> Grid:
    """An empty table in the house's form; the columns named in `right` hold numbers, those in
    `exact` are never shortened.
    """
    names, numbers, whole = (
        [harmless(name) for name in group] for group in (columns, right, exact)
    )
    return Grid(names, right=numbers, exact=whole)


def console() -> Console:
    """Standard output for people; as wide as the terminal, and wide where there is none."""
    screen = Console(soft_wrap=False, highlight=False)
    return screen if screen.is_terminal else Console(width=200, highlight=False)


def show_notes(lines: Sequence[str]) -> None:
    """What a reader of the numbers must know."""
    for line in lines:
        say(f"Note: {line}", err=True)


def say_loading(model: str) -> None:
    """Says on stderr that a model is being loaded."""
    say(f"loading {model} …", err=True)


def warn(line: str) -> None:
    """Prints a warning on stderr."""
    say(f"Warning: {line}", err=True)
