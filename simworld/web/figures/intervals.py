"""A number with its interval as a dot on a line, in a table's cell; and the axis that heads the column."""

from __future__ import annotations

from markupsafe import Markup

from simworld.web.figures.scales import Scale, tick_text, ticks
from simworld.web.figures.svg import picture, tag

WIDTH, SMALL = 220.0, 120.0
HEIGHT = 22.0
EDGE = 8.0


def interval(
    value: float | None,
    low: float | None,
    high: float | None,
    ends: tuple[float, float],
    *,
    mark: float | None = None,
    small: bool = False,
) -> Markup:
    """One row: the dot is the number, the line its interval, the thin vertical line a reference such as zero."""
    width = SMALL if small else WIDTH
    scale = Scale(*ends, EDGE, width - EDGE)
    middle = HEIGHT / 2
    parts = [tag("line", x1=EDGE, x2=width - EDGE, y1=middle, y2=middle, class_="rail")]
    if mark is not None and ends[0] <= mark <= ends[1]:
        parts.append(tag("line", x1=scale(mark), x2=scale(mark), y1=0.0, y2=HEIGHT, class_="mark"))
    if low is not None and high is not None:
        left, right = scale(low), scale(high)
        parts.append(tag("line", x1=left, x2=right, y1=middle, y2=middle, class_="whisker"))
        parts += [tag("line", x1=x, x2=x, y1=middle - 4, y2=middle + 4, class_="whisker") for x in (left, right)]
    if value is not None:
        parts.append(tag("circle", cx=scale(value), cy=middle, r=4.0, class_="dot"))
    return picture(width, HEIGHT, parts, kind="interval")


def axis(ends: tuple[float, float], *, mark: float | None = None, small: bool = False) -> Markup:
    """The labels above a column of intervals."""
    width = SMALL if small else WIDTH
    scale = Scale(*ends, EDGE, width - EDGE)
    places = ticks(*ends, wanted=2 if small else 4)
    step = places[1] - places[0] if len(places) > 1 else 1.0
    parts = []
    for value in places:
        x = scale(value)
        anchor = "start" if x < 2.5 * EDGE else "end" if x > width - 2.5 * EDGE else "middle"
        parts.append(tag("line", x1=x, x2=x, y1=14.0, y2=18.0, class_="mark" if value == mark else "tick"))
        parts.append(tag("text", tick_text(value, step), x=x, y=10.0, text_anchor=anchor))
    return picture(width, 18.0, parts, kind="axis")
