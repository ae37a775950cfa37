"""Bars: how far a run is, where a score lies in its range, how a judge's answers are spread."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from simworld.web.figures.scales import Scale
from simworld.web.figures.svg import picture, tag

WIDTH = 120.0
RANGE = 64.0


def progress(done: int, failed: int, planned: int) -> Markup:
    """The share of planned work that is done, and that failed."""
    whole = max(1, planned, done + failed)
    good, bad = WIDTH * done / whole, WIDTH * failed / whole
    parts = [
        tag("rect", x=0.0, y=0.0, width=WIDTH, height=8.0, rx=4.0, class_="rail"),
        tag("rect", x=0.0, y=0.0, width=good, height=8.0, rx=min(4.0, good / 2), class_="done"),
    ]
    if failed:
        parts.append(tag("rect", x=good, y=0.0, width=max(2.0, bad), height=8.0, class_="failed"))
    return picture(WIDTH, 8.0, parts, kind="progress")


def in_range(score: float, low: float, high: float) -> Markup:
    """A score in its range, drawn from zero where the range holds it, else from the lower end."""
    scale = Scale(low, high, 0.0, RANGE)
    zero, at = scale(min(max(0.0, low), high)), scale(score)
    parts = [
        tag("rect", x=0.0, y=3.0, width=RANGE, height=4.0, rx=2.0, class_="rail"),
        tag("rect", x=min(zero, at), y=3.0, width=abs(at - zero), height=4.0, class_="fill"),
        tag("line", x1=zero, x2=zero, y1=0.0, y2=10.0, class_="mark"),
        tag("circle", cx=min(max(at, 4.0), RANGE - 4), cy=5.0, r=3.5, class_="dot"),
    ]
    return picture(RANGE, 10.0, parts, kind="range")


def histogram(shares: Sequence[float], names: Sequence[str], label: str) -> Markup:
    """Shares as upright bars, each with its name below."""
    wide, high = 15.0, 34.0
    top = max(max(shares, default=0.0), 1e-9)
    parts = []
    for i, (share, name) in enumerate(zip(shares, names, strict=True)):
        tall = max(0.5, high * share / top)
        parts.append(
            tag("rect", x=i * wide + 1, y=high - tall, width=wide - 2, height=tall, class_="fill")
        )
        parts.append(tag("text", name, x=i * wide + wide / 2, y=high + 11, text_anchor="middle"))
    return picture(wide * len(shares), high + 14, parts, label=label, kind="histogram")


def spread(values: Sequence[float], ends: tuple[float, float], label: str) -> Markup:
    """Single values as dots on a line, with zero marked."""
    scale = Scale(*ends, 6.0, 154.0)
    parts = [
        tag("line", x1=6.0, x2=154.0, y1=9.0, y2=9.0, class_="rail"),
        tag("line", x1=scale(0.0), x2=scale(0.0), y1=2.0, y2=16.0, class_="mark"),
        *(tag("circle", cx=scale(value), cy=9.0, r=3.5, class_="dot soft") for value in values),
    ]
    return picture(160.0, 18.0, parts, label=label, kind="spread")


def columns(counts: Sequence[int], edges: Sequence[float], label: str) -> Markup:
    """A histogram of numbers: counts between edges, of which there is one more."""
    wide, high = 26.0, 90.0
    top = max(max(counts, default=0), 1)
    parts = [tag("line", x1=0.0, x2=wide * len(counts), y1=high, y2=high, class_="tick")]
    for i, count in enumerate(counts):
        tall = high * count / top
        parts.append(
            tag("rect", x=i * wide + 1, y=high - tall, width=wide - 2, height=tall, class_="fill")
        )
    for i in sorted({0, len(counts) // 2, len(counts)}):
        anchor = "start" if i == 0 else "end" if i == len(counts) else "middle"
        parts.append(tag("text", f"{edges[i]:.3g}", x=i * wide, y=high + 12, text_anchor=anchor))
    return picture(wide * len(counts), high + 16, parts, label=label, kind="columns")
