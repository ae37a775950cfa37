"""An action vector as a strip of coloured cells: one cell a coordinate, blue below zero and orange
above it.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from simworld.web.figures.svg import picture, tag

STEPS = 4  # shades on each side of zero
FULL = 2.0  # from here on the colour is full; actions have a mean square of 1


def strip(values: Sequence[float], label: str, *, height: float = 14.0) -> Markup:
    """The coordinates of an action from left to right; at most 512 wide, each shade drawn at one
    stroke.
    """
    wide = max(1.0, min(8.0, 512 / max(1, len(values))))
    shapes: dict[str, list[str]] = {}
    for i, value in enumerate(values):
        shapes.setdefault(_shade(value), []).append(
            f"M{i * wide:g} 0h{wide:g}v{height:g}h-{wide:g}z"
        )
    cells = [
        tag("path", d="".join(shape), class_=f"h{shade}") for shade, shape in sorted(shapes.items())
    ]
    return picture(max(1.0, wide * len(values)), height, cells, label=label, kind="strip")


def _shade(value: float) -> str:
    step = max(-STEPS, min(STEPS, round(value / FULL * STEPS)))
    return "0" if step == 0 else f"{'p' if step > 0 else 'm'}{abs(step)}"
