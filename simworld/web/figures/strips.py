"""An action vector as a strip of coloured cells: one cell a coordinate, blue below zero and orange
above it.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from simworld.web.figures.svg import picture, tag

SHADES = 4  # shades on each side of zero
FULL_COLOUR_AT = 2.0  # from here on the colour is full; actions have a mean square of 1


def draw_strip(values: Sequence[float], label: str, *, height: float = 14.0) -> Markup:
    """The coordinates of an action from left to right; at most 512 wide, each shade drawn at one
    stroke.
    """
    cell_width = max(1.0, min(8.0, 512 / max(1, len(values))))
    paths_by_shade: dict[str, list[str]] = {}
    for i, value in enumerate(values):
        paths_by_shade.setdefault(_shade_class(value), []).append(
            f"M{i * cell_width:g} 0h{cell_width:g}v{height:g}h-{cell_width:g}z"
        )
    cells = [
        tag("path", d="".join(path), class_=f"h{shade}")
        for shade, path in sorted(paths_by_shade.items())
    ]
    return picture(max(1.0, cell_width * len(values)), height, cells, label=label, kind="strip")


def _shade_class(value: float) -> str:
    step = max(-SHADES, min(SHADES, round(value / FULL_COLOUR_AT * SHADES)))
    return "0" if step == 0 else f"{'p' if step > 0 else 'm'}{abs(step)}"
