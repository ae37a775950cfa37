"""The top-level keys of a YAML file, which tell its kind even if it is broken further down."""

from __future__ import annotations

import os
import re
from pathlib import Path

from simworld.core.errors import InputError
from simworld.yamlfile.document import load_yaml

_KEY_LINE = re.compile(
    r"""^(?P<row>- +|  )?["']?(?P<key>[A-Za-z][\w-]*)["']?[ \t]*:(?:\s|$)""", re.MULTILINE
)
_FIRST_CHARACTER = re.compile(r"(?:\s*(?:#[^\n]*|---[^\n]*)?\n)*\s*(?P<first>\S)")
MAX_BYTES = 10_000_000  # bytes looked at


def top_level_keys(path: Path) -> tuple[frozenset[str], bool]:
    """The keys of a file's mapping, or of the rows of its list, and whether it is a list; none
    where it cannot be read.
    """
    try:
        if not os.path.isfile(path) or path.stat().st_size > MAX_BYTES:
            return frozenset(), False
        text = path.read_bytes().decode("utf-8", "replace").replace("\r\n", "\n")
    except (OSError, ValueError):
        return frozenset(), False
    start = _FIRST_CHARACTER.match(text + "\n")
    first = start["first"] if start else ""
    is_list = first == "-"
    # keys that begin no line
    if first in ("{", "[") or (is_list and re.search(r"^- *[{[]", text, re.MULTILINE)):
        return _parsed_keys(path)
    matches = (match for match in _KEY_LINE.finditer(text) if bool(match["row"]) == is_list)
    return frozenset(match["key"] for match in matches), is_list


def _parsed_keys(path: Path) -> tuple[frozenset[str], bool]:
    try:
        data = load_yaml(path).data
    except InputError:
        return frozenset(), False
    is_list = isinstance(data, list)
    mappings = [row for row in (data if is_list else [data]) if isinstance(row, dict)]
    return frozenset(key for row in mappings for key in row if isinstance(key, str)), is_list
