"""An action vector as a strip of coloured cells: one cell a coordinate, blue below zero and orange above it."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from simworld.web.figures.svg import picture, tag

STEPS = 4  # shades on each side of zero
FULL = 2.0  # from here on the colour is full; actions have a mean square of 1


def strip(values: Sequence[float], label: str, *, height: float = 14.0) -> Markup:
    """The coordinates of an action from left to right; wide enough for its size, at most 512."""
    wide = max(1.0, min(8.0, 512 / max(1, len(values))))
    cells = []
    start = 0
    shades = [_shade(value) for value in values]
    for i in range(1, len(shades) + 1):  # neighbours of one shade are one rectangle
        if i == len(shades) or shades[i] != shades[start]:
            cells.append(
                tag("rect", x=start * wide, y=0.0, width=(i - start) * wide, height=height, class_=f"h{shades[start]}")
            )
            start = i
    return picture(max(1.0, wide * len(values)), height, cells, label=label, kind="strip")


def _shade(value: float) -> str:
    step = max(-STEPS, min(STEPS, round(value / FULL * STEPS)))
    return "0" if step == 0 else f"{'p' if step > 0 else 'm'}{abs(step)}"
