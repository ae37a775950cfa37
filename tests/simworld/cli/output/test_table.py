"""How tables fit a terminal."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from simworld.cli.output.table import Grid
from simworld.cli.output.terminal import cell

LONG = "a-scenario-with-a-very-long-name-that-somebody-gave-it"


def drawn(table: Grid, width: int, *, terminal: bool = True) -> list[str]:
    screen = Console(
        file=io.StringIO(), width=width, force_terminal=terminal, color_system=None, highlight=False
    )
    screen.print(table)
    assert isinstance(screen.file, io.StringIO)
    return [line.rstrip() for line in screen.file.getvalue().splitlines()]


def test_what_fits_stands_as_it_is() -> None:
    table = Grid(["agent", "mean"], right=["mean"])
    table.add_row("anna", "0.5")
    table.add_row(Text("bo"), "-1.25")
    assert drawn(table, 80) == ["agent   mean", "anna     0.5", "bo     -1.25"]


def test_the_widest_texts_are_shortened_and_numbers_and_ids_stand_whole() -> None:
    table = Grid(["id", "scenario", "ending", "score", "95 % interval"], right=["score"])
    table.add_row("0123456789", LONG, "turn_limit", "-0.4853", "-0.5000 … -0.4000")
    assert drawn(table, 80) == [
        "id          scenario                      ending        score  95 % interval",
        "0123456789  a-scenario-with-a-very-long…  turn_limit  -0.4853  -0.5000 … -0.4000",
    ]


def test_texts_of_several_words_take_several_lines_of_whole_words() -> None:
    table = Grid(["agent", "description"])
    table.add_row("anna", "She bakes bread at night and sleeps by day.")
    assert drawn(table, 30) == [
        "agent  description",
        "anna   She bakes bread at",
        "       night and sleeps by",
        "       day.",
    ]


def test_a_file_holds_the_whole_text() -> None:
    table = Grid(["scenario"])
    table.add_row(LONG * 5)
    assert "".join(drawn(table, 200, terminal=False)[1:]) == LONG * 5


def test_columns_that_do_not_fit_stand_below_behind_the_first() -> None:
    table = Grid(["agent", "one", "two", "three"], right=["one", "two", "three"])
    table.add_row("anna", "1234567890", "2234567890", "3234567890")
    table.add_row("bo", "1", "2", "3", style="bold")
    assert drawn(table, 30) == [
        "agent         one         two",
        "anna   1234567890  2234567890",
        "bo              1           2",
        "",
        "agent       three",
        "anna   3234567890",
        "bo              3",
    ]


def test_in_parts_a_row_keeps_its_name() -> None:
    table = Grid(["agent", "one", "two", "three"], right=["one", "two", "three"])
    table.add_row("base-with-a-long-name", "1234567890", "2234567890", "3234567890")
    assert [line[:21] for line in drawn(table, 40) if "base" in line] == [
        "base-with-a-long-name"
    ] * 3


def test_a_long_heading_takes_several_lines() -> None:
    table = Grid(["agent", "longer text wins"], right=["longer text wins"])
    table.add_row("a-long-agent", "50 %")
    assert drawn(table, 20) == [
        "              longer",
        "                text",
        "agent           wins",
        "a-long-agent    50 %",
    ]


def test_what_is_named_exact_stands_whole_though_it_has_letters() -> None:
    table = Grid(["agent", "interval"], exact=["interval"])
    table.add_row(LONG, "1,032 or more, with no bound above")
    assert drawn(table, 50)[1] == "a-scenario-wi…  1,032 or more, with no bound above"


def test_markup_in_a_string_is_style_and_in_a_text_it_is_text() -> None:
    table = Grid(["a", "b"])
    table.add_row("[bold]x[/bold]", Text("[bold]"))
    assert drawn(table, 80) == ["a  b", "x  [bold]"]


@pytest.mark.parametrize("names", [[], ["agent"]])
def test_a_table_without_rows(names: list[str]) -> None:
    assert "".join(drawn(Grid(names), 80)) == "".join(names)


@given(
    st.lists(
        st.tuples(st.text("ab-", min_size=1, max_size=60), st.floats(-1e6, 1e6), st.floats(0, 1)),
        min_size=1,
    ),
    st.integers(30, 100),
)
def test_no_line_is_wider_than_the_screen_and_no_number_is_cut(
    rows: list[tuple[str, float, float]], width: int
) -> None:
    table = Grid(["name", "value", "95 % interval"], right=["value"])
    for name, value, low in rows:
        table.add_row(name, f"{value:+.3f}", f"{low:.3f} … {low + 1:.3f}")
    lines = drawn(table, width)
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    assert [float(found) for found in re.findall(r"[+-]\d+\.\d{3}", text)] == [
        round(value, 3) for _, value, _ in rows
    ]
    assert len(re.findall(r"\d\.\d{3} … \d\.\d{3}", text)) == len(rows)


def test_of_a_text_of_megabytes_a_table_shows_the_beginning() -> None:
    text = cell("x" * 10_000_000).plain
    assert text == "x" * 20_000 + "… (10,000,000 characters in all; --json or --csv gives them)"
    assert cell("x" * 20_000).plain == "x" * 20_000
