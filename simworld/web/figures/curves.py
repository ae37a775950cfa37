"""Numbers over training steps as a line with axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from simworld.web.figures.scales import Scale, axis_range, tick_text, tick_values
from simworld.web.figures.svg import picture, tag

WIDTH, HEIGHT = 340.0, 170.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 10.0, 10.0, 24.0
MAX_POINTS = 400  # points drawn of a series; more could not be told apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One line: its name and its points (step, value); values that are not finite leave a gap."""

    name: str
    points: Sequence[tuple[float, float]]


def draw_curves(lines: Sequence[Series], label: str, *, mark: float | None = None) -> Markup:
    """Some series on shared axes, the first in the accent's colour; `mark` is a level to compare
    with, such as zero.
    """
    series = [Series(name=line.name, points=_thin_out(line.points)) for line in lines]
    steps = [step for line in series for step, _ in line.points]
    x_scale = Scale(*axis_range(steps, margin=0.0), LEFT, WIDTH - RIGHT)
    value_range = axis_range((value for line in series for _, value in line.points), include=mark)
    y_scale = Scale(*value_range, HEIGHT - BOTTOM, TOP)
    parts = [*_axes(x_scale, y_scale, mark)]
    for number, line in enumerate(series):
        parts += _line(line, x_scale, y_scale, number)
    return picture(WIDTH, HEIGHT, parts, label=label, kind="curve")


def _axes(x_scale: Scale, y_scale: Scale, mark: float | None) -> list[Markup]:
    parts = []
    for scale, count in ((y_scale, 4), (x_scale, 5)):
        values = tick_values(scale.low, scale.high, count)
        step = values[1] - values[0] if len(values) > 1 else 1.0
        for value in values:
            at = scale(value)
            text = tick_text(value, step)
            if scale is y_scale:
                parts.append(tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=at, y2=at, class_="tick"))
                parts.append(tag("text", text, x=LEFT - 6, y=at + 3.5, text_anchor="end"))
            else:
                anchor = "end" if at > WIDTH - RIGHT - 14 else "middle"
                parts.append(tag("text", text, x=at, y=HEIGHT - 8, text_anchor=anchor))
    if mark is not None:
        parts.append(
            tag(
                "line", x1=LEFT, x2=WIDTH - RIGHT, y1=y_scale(mark), y2=y_scale(mark), class_="mark"
            )
        )
    return parts


def _line(line: Series, x_scale: Scale, y_scale: Scale, number: int) -> list[Markup]:
    segments: list[list[str]] = [[]]
    parts = []
    for step, value in line.points:
        if not math.isfinite(value):
            segments.append([])
            continue
        segments[-1].append(f"{x_scale(step):.1f},{y_scale(value):.1f}")
    for segment in segments:
        if len(segment) == 1:
            x, y = segment[0].split(",")
            parts.append(tag("circle", cx=x, cy=y, r=2.5, class_=f"dot line{number % 6}"))
        elif segment:
            parts.append(tag("polyline", points=" ".join(segment), class_=f"line line{number % 6}"))
    return parts


def _thin_out(points: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    if len(points) <= MAX_POINTS:
        return points
    return [points[i * (len(points) - 1) // (MAX_POINTS - 1)] for i in range(MAX_POINTS)]
