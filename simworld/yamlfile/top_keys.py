"""The top-level keys of a YAML file, which tell its kind even if it is broken further down."""

from __future__ import annotations

import os
import re
from pathlib import Path

from simworld.core.errors import InputError
from simworld.yamlfile.document import load_yaml

_KEY = re.compile(
    r"""^(?P<row>- +|  )?["']?(?P<key>[A-Za-z][\w-]*)["']?[ \t]*:(?:\s|$)""", re.MULTILINE
)
_START = re.compile(r"(?:\s*(?:#[^\n]*|---[^\n]*)?\n)*\s*(?P<first>\S)")
MOST = 10_000_000  # bytes looked at


def top_keys(path: Path) -> tuple[frozenset[str], bool]:
    """The keys of a file's mapping, or of the rows of its list, and whether it is a list; none
    where it cannot be read.
    """
    try:
        if not os.path.isfile(path) or path.stat().st_size > MOST:
            return frozenset(), False
        text = path.read_bytes().decode("utf-8", "replace").replace("\r\n", "\n")
    except (OSError, ValueError):
        return frozenset(), False
    start = _START.match(text + "\n")
    first = start["first"] if start else ""
    rows = first == "-"
    # keys that begin no line
    if first in ("{", "[") or (rows and re.search(r"^- *[{[]", text, re.MULTILINE)):
        return _of_data(path)
    matches = (match for match in _KEY.finditer(text) if bool(match["row"]) == rows)
    return frozenset(match["key"] for match in matches), rows


def _of_data(path: Path) -> tuple[frozenset[str], bool]:
    try:
        data = load_yaml(path).data
    except InputError:
        return frozenset(), False
    rows = isinstance(data, list)
    mappings = [row for row in (data if rows else [data]) if isinstance(row, dict)]
    return frozenset(key for row in mappings for key in row if isinstance(key, str)), rows
