"""Figures and numbers: where marks stand, and what is written."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from simworld.web.figures.bars import (
    draw_histogram,
    draw_progress,
    draw_score_in_range,
    draw_shares,
)
from simworld.web.figures.curves import Series, draw_curves
from simworld.web.figures.intervals import MARGIN, WIDTH, draw_axis, draw_interval
from simworld.web.figures.scales import Scale, axis_range, tick_text, tick_values
from simworld.web.figures.strips import draw_strip
from simworld.web.figures.svg import picture, tag
from simworld.web.links import link
from simworld.web.numbers import format_count, format_number, format_percent, format_signed

FINITE = st.floats(allow_nan=False, allow_infinity=False, width=32)


def numbers(svg: str, element: str, attribute: str) -> list[float]:
    """The values of an attribute of all elements of a kind, in order."""
    found: list[float] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag == element:
                found.extend(float(value or 0) for name, value in attrs if name == attribute)

        handle_startendtag = handle_starttag

    Reader().feed(svg)
    return found


def test_an_interval_stands_where_its_numbers_are() -> None:
    drawn = draw_interval(5.0, 2.5, 10.0, (0.0, 10.0), mark=0.0)
    inner = WIDTH - 2 * MARGIN
    assert numbers(drawn, "circle", "cx") == [MARGIN + inner / 2]
    # the rail, the mark, the line and its two ends
    assert numbers(drawn, "line", "x1") == [
        MARGIN,
        MARGIN,
        MARGIN + inner / 4,
        MARGIN + inner / 4,
        WIDTH - MARGIN,
    ]


def test_what_is_not_known_is_not_drawn() -> None:
    drawn = draw_interval(None, None, None, (0.0, 1.0))
    assert "circle" not in drawn
    assert "whisker" not in drawn


def test_labels_of_an_axis() -> None:
    assert re.findall(">([^<>]+)</text>", draw_axis((890.0, 1130.0))) == ["900", "1,000", "1,100"]
    assert re.findall(">([^<>]+)</text>", draw_axis((-0.11, 0.1))) == ["−0.1", "0.0", "0.1"]


@given(FINITE, FINITE)
def test_ticks_lie_between_the_ends(a: float, b: float) -> None:
    low, high = axis_range([a, b])
    assert low < high
    found = tick_values(low, high)
    assert 1 <= len(found) <= 8
    reach = 1e-6 * max(abs(low), abs(high))
    assert all(low - reach <= value <= high + reach for value in found)


def test_a_scale_keeps_what_lies_outside_on_its_edge() -> None:
    scale = Scale(0.0, 1.0, 10.0, 20.0)
    assert (scale(-5.0), scale(0.5), scale(7.0)) == (10.0, 15.0, 20.0)


def test_no_values_have_an_axis() -> None:
    assert axis_range([]) == (0.0, 1.0)
    assert (
        axis_range([None, 3.0, 3.0]) == (2.4, 3.6)
        or axis_range([None, 3.0, 3.0])[0] < 3 < axis_range([None, 3.0, 3.0])[1]
    )
    assert tick_text(-0.5, 0.5) == "−0.5"


def test_progress_shows_a_single_failure() -> None:
    assert numbers(draw_progress(500, 1, 1000), "rect", "width") == [120.0, 60.0, 2.0]


def test_a_score_is_drawn_from_zero() -> None:
    (rail, fill) = numbers(draw_score_in_range(2.5, -5.0, 5.0), "rect", "width")
    assert fill == rail / 4
    upper = draw_score_in_range(-10.0, -10.0, 0.0)  # zero is the upper end
    assert numbers(upper, "rect", "width")[1] == rail


def test_shades_of_a_strip() -> None:
    drawn = draw_strip([0.1, -2.0, 9.0, -9.0], "four")
    assert sorted(re.findall('class="(h[^"]+)"', drawn)) == ["h0", "hm4", "hp4"]
    assert 'aria-label="four"' in drawn
    assert drawn.count("M8 0") == 1
    assert drawn.count("M24 0") == 1


def test_a_curve_leaves_gaps_where_there_is_no_number() -> None:
    nan = float("nan")
    drawn = draw_curves(
        [Series(name="a", points=[(0, 1.0), (1, 2.0), (2, nan), (3, 1.0)])], "a curve"
    )
    assert drawn.count("<polyline") == 1
    assert drawn.count("<circle") == 1  # one point alone is a dot
    assert "nan" not in drawn
    assert "<svg" in draw_curves([Series(name="a", points=[(0, nan)])], "nothing")
    assert (
        draw_curves(
            [Series(name="a", points=[(i, float(i)) for i in range(10_000)])], "long"
        ).count(",")
        < 1000
    )


def test_histograms_say_what_they_show() -> None:
    assert "0 to 9" in draw_shares([0.1] * 10, [str(i) for i in range(10)], "answers 0 to 9")
    assert numbers(draw_histogram([1, 4, 0], [0.0, 1.0, 2.0, 3.0], "x"), "rect", "height") == [
        22.5,
        90.0,
        0.0,
    ]


def test_texts_in_pictures_are_escaped() -> None:
    drawn = picture(1, 1, [tag("text", "<b>\x1b", x=1.0)], label='"><script>')
    assert "<b>" not in drawn
    assert "<script>" not in drawn
    assert "\\x1b" in drawn
    assert tag("g", Markup("<path/>"), id=None) == "<g><path/></g>"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (format_number(None), "–"),
        (format_number(float("nan")), "–"),
        (format_number(-1234.567), "−1,234.57"),
        (format_number(-0.001), "0.00"),
        (format_signed(0.5, 1), "+0.5"),
        (format_signed(-0.5, 1), "−0.5"),
        (format_signed(None), "–"),
        (format_percent(0.004), "<1 %"),
        (format_percent(0.996), ">99 %"),
        (format_percent(0.0), "0 %"),
        (format_percent(1.0), "100 %"),
        (format_percent(None), "–"),
        (format_count(12345), "12,345"),
        (format_count(None), "–"),
        (link("/a", "b/c?", d="e&f", g=None, h=""), "/a/b%2Fc%3F?d=e%26f"),
    ],
)
def test_numbers_and_addresses(text: str, expected: str) -> None:
    assert text == expected
