"""What a plain scalar means: the YAML 1.2 core schema, so that `no`, `on`, `1:30` and `2024-01-01`
stay text.
"""

from __future__ import annotations

import re

Scalar = str | int | float | bool | None

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL_OR_HEX = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITY = re.compile(r"([-+]?)\.(inf|Inf|INF)")
_NAN = frozenset({".nan", ".NaN", ".NAN"})

MAX_NUMBER_LENGTH = 300  # characters; a longer run of digits is text: no field takes such a number


def resolve_scalar(text: str) -> Scalar:
    """The value of an unquoted scalar."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if len(text) > MAX_NUMBER_LENGTH:
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _OCTAL_OR_HEX.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    if infinite := _INFINITY.fullmatch(text):
        return float(f"{infinite[1]}inf")
    if text in _NAN:
        return float("nan")
    return text


def quote_scalar(text: str) -> str:
    """A text as YAML writes it, also in a list in brackets: plain where that is read as the same
    text, else in quotes.
    """
    if (
        re.fullmatch(r"[\w./][\w./ -]*", text, re.ASCII)
        and text == text.strip()
        and isinstance(resolve_scalar(text), str)
    ):
        return text
    return "'" + text.replace("'", "''") + "'"
