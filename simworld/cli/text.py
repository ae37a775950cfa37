"""Text from models, files and databases made harmless for a terminal: control characters could move the cursor or forge output."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from typing import Any

KEPT = "\n\t"
HIDDEN = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")  # control, format (text direction), surrogates, private use, separators
JOINERS = "\u200c\u200d"  # letters of some scripts, and emoji of several parts, need them


def harmless(text: str) -> str:
    """The text with control and direction characters written out as escapes; line ends and tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character
        if character in KEPT or character in JOINERS or unicodedata.category(character) not in HIDDEN
        else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def plain_json(data: Any, *, indent: int | None = None, default: Callable[[Any], Any] | None = None) -> str:
    """The data as JSON, in which what `harmless` hides stands escaped: the same data to a program."""
    text = json.dumps(data, indent=indent, ensure_ascii=False, default=default)
    if text.isascii():
        return text
    return "".join(
        json.dumps(character)[1:-1]
        if not character.isascii() and character not in JOINERS and unicodedata.category(character) in HIDDEN
        else character
        for character in text
    )
