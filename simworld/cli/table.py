"""Tables that fit a terminal: long texts are shortened, words stay whole, and numbers are never
cut.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions
from rich.table import Table
from rich.text import Text

GAP = 2  # between two columns
SHORT = 12  # a text of so many characters, an id for example, is not shortened
PILLAR = 16  # narrower sentences are hard to read
LABEL = 24  # characters that are left of what a row is called, where a table has several parts
LEAST = 6  # characters that are left of a text


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    name: str
    right: bool
    exact: bool  # what it holds means something else, or nothing, once a part is missing
    cells: Sequence[Text]

    @property
    def natural(self) -> int:
        """The width in which nothing is wrapped."""
        return max(_widths([self.name, *self._lines()]))

    @property
    def whole(self) -> int:
        """The smallest width that breaks no word and does not squeeze sentences into a narrow
        column.
        """
        words = [word for line in self._lines() for word in line.split()] or [""]
        return (
            self.natural
            if self.exact
            else min(self.natural, max(PILLAR, *_widths([*words, *self.name.split()])))
        )

    @property
    def least(self) -> int:
        """The smallest width in which it can be read; the name may take several lines."""
        widest = max(_widths(self._lines()))
        word = max(_widths(self.name.split() or [""]))
        return max(word, widest if self.exact or widest <= SHORT else LEAST)

    def _lines(self) -> list[str]:
        return [line for text in self.cells for line in text.plain.split("\n")] or [""]


class Grid:
    """A table without lines, as narrow as the console; what cannot stand side by side stands in
    parts, one below the other.
    """

    def __init__(
        self, columns: Sequence[str], *, right: Collection[str] = (), exact: Collection[str] = ()
    ) -> None:
        """Args: `right` names the columns of numbers, `exact` others that are not shortened; nor
        are those without a letter.
        """
        self._names, self._right, self._exact = list(columns), set(right), {*right, *exact}
        self._rows: list[tuple[list[Text], str]] = []

    def add_row(self, *cells: str | Text, style: str = "") -> None:
        """One row, of a cell for each column; texts may hold rich's markup."""
        texts = [text if isinstance(text, Text) else Text.from_markup(text) for text in cells]
        self._rows.append(([*texts, *(Text() for _ in self._names[len(texts) :])], style))

    def __rich_console__(self, screen: Console, options: ConsoleOptions) -> Iterator[Table | Text]:
        """The parts of the table."""
        columns = [self._column(place, name) for place, name in enumerate(self._names)]
        for number, part in enumerate(_parts(columns, options.max_width)):
            if number:
                yield Text()
            # A file holds all of a text, over several lines if it must be; a screen the beginning.
            yield self._table(part, options.max_width, "ellipsis" if screen.is_terminal else "fold")

    def _column(self, place: int, name: str) -> _Column:
        cells = [cells[place] for cells, _ in self._rows]
        exact = name in self._exact or not any(
            character.isalpha() for text in cells for character in text.plain
        )
        return _Column(name=name, right=name in self._right, exact=exact, cells=cells)

    def _table(self, columns: Sequence[_Column], width: int, overflow: str) -> Table:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column, wide in zip(columns, _fitted(columns, width), strict=True):
            table.add_column(
                Text(column.name, overflow="fold"),
                justify="right" if column.right else "left",
                width=wide,
                overflow=overflow,  # type: ignore[arg-type]  # one of two literals
            )
        for number, (_, style) in enumerate(self._rows):
            table.add_row(*(column.cells[number] for column in columns), style=style)
        return table


def _parts(columns: Sequence[_Column], width: int) -> Iterator[list[_Column]]:
    """The columns that fit beside each other; from the second part on behind the first column,
    which says what a row is.
    """
    if not columns:
        return
    (head, first), *others = [(column, column.least) for column in columns]
    if _together([first, *(least for _, least in others)]) > width:
        # there are parts anyhow, so the rows may have their names
        first = max(first, min(head.natural, LABEL))
    part, taken = [head], first
    for column, least in others:
        if len(part) > 1 and taken + GAP + least > width:
            yield part
            part, taken = [head], first
        part.append(column)
        taken += GAP + least
    yield part


def _fitted(columns: Sequence[_Column], width: int) -> list[int]:
    """The width of each column: the widest first are wrapped between words, and only then words
    shortened.
    """
    wide = [min(column.natural, width) for column in columns]
    for least in ([column.whole for column in columns], [column.least for column in columns]):
        while _together(wide) > width:
            place = max(range(len(wide)), key=lambda i: (wide[i] > least[i], wide[i]))
            if wide[place] <= least[place]:
                break
            wide[place] -= 1
    return wide


def _together(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


def _widths(texts: Sequence[str]) -> list[int]:
    return [cell_len(text) for text in texts]
