"""Markdown of what is generated: tables, and texts that must not be read as markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_CODE = re.compile(r"(`[^`]+`)")
_MARKUP = re.compile(r"([\\*_<>\[\]|{}])")


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already."""
    lines = [titles, ["---"] * len(titles), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def plain(text: str) -> str:
    """A text in which only backquotes mean something."""
    parts = _CODE.split(text)
    return "".join(
        part if n % 2 else _MARKUP.sub(lambda found: f"&#{ord(found[1])};", part)
        for n, part in enumerate(parts)
    )


def cell(text: str) -> str:
    """A text as a cell: in one line, and no bar of it ends the cell."""
    return " ".join(plain(text).split()).replace("|", "&#124;")


def code(text: str) -> str:
    """A word as code; a bar in it would end the cell that it stands in."""
    if "|" in text or "`" in text:
        return f"<code>{plain(text).replace('`', '&#96;')}</code>"
    return f"`{text}`"


def sentence(text: str) -> str:
    """A description that begins with a capital and ends with a full stop."""
    text = text.strip()
    if not text:
        return ""
    first = text[0].upper() if re.match(r"[a-z]+[ ,;]", text) else text[0]
    return first + text[1:] + ("" if text[-1] in ".!?…" else ".")
