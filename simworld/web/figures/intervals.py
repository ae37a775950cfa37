"""A number with its interval as a dot on a line, in a table's cell; and the axis that heads the
column.
"""

from __future__ import annotations

import math

from markupsafe import Markup

from simworld.web.figures.scales import Scale, tick_text, tick_values
from simworld.web.figures.svg import picture, tag

WIDTH, SMALL_WIDTH = 220.0, 120.0
HEIGHT = 22.0
MARGIN = 8.0


def draw_interval(
    value: float | None,
    low: float | None,
    high: float | None,
    ends: tuple[float, float],
    *,
    mark: float | None = None,
    small: bool = False,
) -> Markup:
    """One row: the dot is the number, the line its interval, the thin vertical line a reference
    such as zero.

    An infinite end is an arrow to the edge, and the dot is then hollow: the number is no estimate
    in the middle of anything.
    """
    width = SMALL_WIDTH if small else WIDTH
    scale = Scale(*ends, MARGIN, width - MARGIN)
    middle = HEIGHT / 2
    parts = [tag("line", x1=MARGIN, x2=width - MARGIN, y1=middle, y2=middle, class_="rail")]
    if mark is not None and ends[0] <= mark <= ends[1]:
        parts.append(tag("line", x1=scale(mark), x2=scale(mark), y1=0.0, y2=HEIGHT, class_="mark"))
    if low is not None and high is not None:
        left, right = scale(low), scale(high)
        parts.append(tag("line", x1=left, x2=right, y1=middle, y2=middle, class_="whisker"))
        parts += [
            _whisker_end(x, middle, infinite=math.isinf(end))
            for x, end in ((left, low), (right, high))
        ]
    if value is not None:
        bounded = all(end is None or math.isfinite(end) for end in (low, high))
        parts.append(
            tag(
                "circle",
                cx=scale(value),
                cy=middle,
                r=4.0,
                class_="dot" if bounded else "dot hollow",
            )
        )
    return picture(width, HEIGHT, parts, kind="interval")


def _whisker_end(x: float, middle: float, *, infinite: bool) -> Markup:
    """An end of a whisker; one without end, which lies on the edge, is an arrow outwards."""
    if not infinite:
        return tag("line", x1=x, x2=x, y1=middle - 4, y2=middle + 4, class_="whisker")
    tip, back = (x - 6, x + 1) if x < 2 * MARGIN else (x + 6, x - 1)
    return tag(
        "path",
        d=f"M{back:g} {middle - 5:g}L{tip:g} {middle:g}L{back:g} {middle + 5:g}z",
        class_="arrow",
    )


def draw_axis(
    ends: tuple[float, float], *, mark: float | None = None, small: bool = False
) -> Markup:
    """The labels above a column of intervals."""
    width = SMALL_WIDTH if small else WIDTH
    scale = Scale(*ends, MARGIN, width - MARGIN)
    values = tick_values(*ends, count=2 if small else 4)
    step = values[1] - values[0] if len(values) > 1 else 1.0
    parts = []
    for value in values:
        x = scale(value)
        anchor = "start" if x < 2.5 * MARGIN else "end" if x > width - 2.5 * MARGIN else "middle"
        parts.append(
            tag("line", x1=x, x2=x, y1=14.0, y2=18.0, class_="mark" if value == mark else "tick")
        )
        parts.append(tag("text", tick_text(value, step), x=x, y=10.0, text_anchor=anchor))
    return picture(width, 18.0, parts, kind="axis")
