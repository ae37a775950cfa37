"""Bars: how far a run is, where a score lies in its range, how a judge's answers are spread."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from simworld.web.figures.scales import Scale
from simworld.web.figures.svg import picture, tag

PROGRESS_PX = 120.0
RANGE_PX = 64.0


def draw_progress(done: int, failed: int, planned: int) -> Markup:
    """The share of planned work that is done, and that failed."""
    total = max(1, planned, done + failed)
    done_px, failed_px = PROGRESS_PX * done / total, PROGRESS_PX * failed / total
    parts = [
        tag("rect", x=0.0, y=0.0, width=PROGRESS_PX, height=8.0, rx=4.0, class_="rail"),
        tag(
            "rect", x=0.0, y=0.0, width=done_px, height=8.0, rx=min(4.0, done_px / 2), class_="done"
        ),
    ]
    if failed:
        parts.append(
            tag("rect", x=done_px, y=0.0, width=max(2.0, failed_px), height=8.0, class_="failed")
        )
    return picture(PROGRESS_PX, 8.0, parts, kind="progress")


def draw_score_in_range(score: float, low: float, high: float) -> Markup:
    """A score in its range, drawn from zero where the range holds it, else from the lower end."""
    scale = Scale(low, high, 0.0, RANGE_PX)
    zero, x = scale(min(max(0.0, low), high)), scale(score)
    parts = [
        tag("rect", x=0.0, y=3.0, width=RANGE_PX, height=4.0, rx=2.0, class_="rail"),
        tag("rect", x=min(zero, x), y=3.0, width=abs(x - zero), height=4.0, class_="fill"),
        tag("line", x1=zero, x2=zero, y1=0.0, y2=10.0, class_="mark"),
        tag("circle", cx=min(max(x, 4.0), RANGE_PX - 4), cy=5.0, r=3.5, class_="dot"),
    ]
    return picture(RANGE_PX, 10.0, parts, kind="range")


def draw_shares(shares: Sequence[float], names: Sequence[str], label: str) -> Markup:
    """Shares as upright bars, each with its name below."""
    width, top = 15.0, 34.0
    most = max(max(shares, default=0.0), 1e-9)
    parts = []
    for i, (share, name) in enumerate(zip(shares, names, strict=True)):
        bar = max(0.5, top * share / most)
        parts.append(
            tag("rect", x=i * width + 1, y=top - bar, width=width - 2, height=bar, class_="fill")
        )
        parts.append(tag("text", name, x=i * width + width / 2, y=top + 11, text_anchor="middle"))
    return picture(width * len(shares), top + 14, parts, label=label, kind="histogram")


def draw_dots(values: Sequence[float], ends: tuple[float, float], label: str) -> Markup:
    """Single values as dots on a line, with zero marked."""
    scale = Scale(*ends, 6.0, 154.0)
    parts = [
        tag("line", x1=6.0, x2=154.0, y1=9.0, y2=9.0, class_="rail"),
        tag("line", x1=scale(0.0), x2=scale(0.0), y1=2.0, y2=16.0, class_="mark"),
        *(tag("circle", cx=scale(value), cy=9.0, r=3.5, class_="dot soft") for value in values),
    ]
    return picture(160.0, 18.0, parts, label=label, kind="spread")


def draw_histogram(counts: Sequence[int], edges: Sequence[float], label: str) -> Markup:
    """A histogram of numbers: counts between edges, of which there is one more."""
    width, top = 26.0, 90.0
    most = max(max(counts, default=0), 1)
    parts = [tag("line", x1=0.0, x2=width * len(counts), y1=top, y2=top, class_="tick")]
    for i, count in enumerate(counts):
        bar = top * count / most
        parts.append(
            tag("rect", x=i * width + 1, y=top - bar, width=width - 2, height=bar, class_="fill")
        )
    for i in sorted({0, len(counts) // 2, len(counts)}):
        anchor = "start" if i == 0 else "end" if i == len(counts) else "middle"
        parts.append(tag("text", f"{edges[i]:.3g}", x=i * width, y=top + 12, text_anchor=anchor))
    return picture(width * len(counts), top + 16, parts, label=label, kind="columns")
