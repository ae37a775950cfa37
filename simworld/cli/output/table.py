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

COLUMN_GAP = 2  # between two columns
UNSHORTENED_WIDTH = 12  # a text of so many characters, an id for example, is not shortened
MIN_SENTENCE_WIDTH = 16  # narrower sentences are hard to read
ROW_LABEL_WIDTH = 24  # left of what a row is called, where a table has several parts
MIN_TEXT_WIDTH = 6  # characters that are left of a text


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    name: str
    right: bool
    exact: bool  # what it holds means something else, or nothing, once a part is missing
    cells: Sequence[Text]

    @property
    def natural_width(self) -> int:
        """The width in which nothing is wrapped."""
        return max(_cell_widths([self.name, *self._lines()]))

    @property
    def unbroken_width(self) -> int:
        """The smallest width that breaks no word and does not squeeze sentences into a narrow
        column.
        """
        words = [word for line in [*self._lines(), self.name] for word in line.split()] or [""]
        return (
            self.natural_width
            if self.exact
            else min(self.natural_width, max(MIN_SENTENCE_WIDTH, *_cell_widths(words)))
        )

    @property
    def min_width(self) -> int:
        """The smallest width in which it can be read; the name may take several lines."""
        widest = max(_cell_widths(self._lines()))
        word = max(_cell_widths(self.name.split() or [""]))
        return max(word, widest if self.exact or widest <= UNSHORTENED_WIDTH else MIN_TEXT_WIDTH)

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
        columns = [self._column(index, name) for index, name in enumerate(self._names)]
        for number, part in enumerate(_split_into_parts(columns, options.max_width)):
            if number:
                yield Text()
            # A file holds all of a text, over several lines if it must be; a screen the beginning.
            yield self._table(part, options.max_width, "ellipsis" if screen.is_terminal else "fold")

    def _column(self, index: int, name: str) -> _Column:
        cells = [cells[index] for cells, _ in self._rows]
        exact = name in self._exact or not any(
            character.isalpha() for text in cells for character in text.plain
        )
        return _Column(name=name, right=name in self._right, exact=exact, cells=cells)

    def _table(self, columns: Sequence[_Column], width: int, overflow: str) -> Table:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column, column_width in zip(columns, _fit_widths(columns, width), strict=True):
            table.add_column(
                Text(column.name, overflow="fold"),
                justify="right" if column.right else "left",
                width=column_width,
                overflow=overflow,  # type: ignore[arg-type]  # one of two literals
            )
        for number, (_, style) in enumerate(self._rows):
            table.add_row(*(column.cells[number] for column in columns), style=style)
        return table


def _split_into_parts(columns: Sequence[_Column], width: int) -> Iterator[list[_Column]]:
    """The columns that fit beside each other; from the second part on behind the first column,
    which says what a row is.
    """
    if not columns:
        return
    (head, first_width), *other_columns = [(column, column.min_width) for column in columns]
    if _total_width([first_width, *(min_width for _, min_width in other_columns)]) > width:
        # there are parts anyhow, so the rows may have their names
        first_width = max(first_width, min(head.natural_width, ROW_LABEL_WIDTH))
    part, width_taken = [head], first_width
    for column, min_width in other_columns:
        if len(part) > 1 and width_taken + COLUMN_GAP + min_width > width:
            yield part
            part, width_taken = [head], first_width
        part.append(column)
        width_taken += COLUMN_GAP + min_width
    yield part


def _fit_widths(columns: Sequence[_Column], total: int) -> list[int]:
    """The width of each column: the widest first are wrapped between words, and only then words
    shortened.
    """
    widths = [min(column.natural_width, total) for column in columns]
    for limits in ([c.unbroken_width for c in columns], [c.min_width for c in columns]):
        while _total_width(widths) > total:
            widest = max(range(len(widths)), key=lambda i: (widths[i] > limits[i], widths[i]))
            if widths[widest] <= limits[widest]:
                break
            widths[widest] -= 1
    return widths


def _total_width(widths: Sequence[int]) -> int:
    return sum(widths) + COLUMN_GAP * (len(widths) - 1)


def _cell_widths(texts: Sequence[str]) -> list[int]:
    return [cell_len(text) for text in texts]
