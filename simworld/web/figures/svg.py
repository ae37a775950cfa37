"""Elements of an SVG picture, escaped."""

from __future__ import annotations

import math
from collections.abc import Iterable

from markupsafe import Markup, escape

from simworld.core.text import harmless


def tag(name: str, *children: Markup | str, **attributes: object) -> Markup:
    """An element; `class_` and `stroke_width` stand for `class` and `stroke-width`, None leaves an
    attribute out.
    """
    attribute_text = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    content = "".join(map(_text, children))
    return Markup(
        f"<{name}{attribute_text}>{content}</{name}>" if children else f"<{name}{attribute_text}/>"
    )


def picture(
    width: float, height: float, children: Iterable[Markup], *, label: str = "", kind: str = ""
) -> Markup:
    """A whole picture. Without a label it only repeats what the text beside it says, and is hidden
    from screen readers.
    """
    description: dict[str, object] = (
        {"role": "img", "aria_label": label} if label else {"aria_hidden": "true"}
    )
    return tag(
        "svg",
        *children,
        Markup(""),
        class_=f"figure {kind}".strip(),
        viewBox=f"0 0 {_value(width)} {_value(height)}",
        width=width,
        height=height,
        **description,
    )


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".") if math.isfinite(value) else "0"
    return str(escape(harmless(str(value))))


def _text(child: Markup | str) -> str:
    return str(child if isinstance(child, Markup) else escape(harmless(child)))
