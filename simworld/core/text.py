"""Text from models, files and databases made harmless to show: controls could move a cursor,
direction marks forge a line.
"""

from __future__ import annotations

import re
import unicodedata

KEPT_CONTROLS = "\n\t"
# control, format (text direction), surrogates, private use, separators
HIDDEN_CATEGORIES = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
JOINERS = "\u200c\u200d"  # letters of some scripts, and emoji of several parts, need them

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def harmless(text: str) -> str:
    """The text with control and direction characters written out as escapes; line ends and tabs
    stay.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character
        if character in KEPT_CONTROLS
        or character in JOINERS
        or unicodedata.category(character) not in HIDDEN_CATEGORIES
        else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def replace_controls(text: str) -> str:
    """The text with each control character and lone surrogate, which no prompt, page or database
    can hold, as U+FFFD.

    Tabs and line ends stay; a carriage return becomes a line end.
    """
    if text.isascii() and text.isprintable():
        return text
    return _CONTROLS.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))
