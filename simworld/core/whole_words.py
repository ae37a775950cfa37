"""Whole words in any script: how keywords and texts are normalised, and where a word begins and
ends.

Chinese, Japanese, Thai, Lao, Khmer and Burmese have no spaces between words, so a word of theirs
may stand anywhere between two characters as readers see them, and only a dictionary could say more.
Katakana is told from its surroundings, so a run of it is a word. Everywhere else a word ends where
the letters, digits and combining marks do.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from itertools import groupby

import regex

_UNSPACED = r"\p{Han}\p{Hiragana}\p{Line_Break=SA}"
_KATAKANA = r"\p{Katakana}ー"
_LETTER = rf"(?![{_UNSPACED}{_KATAKANA}])[\w\p{{M}}]"  # of a script with spaces between its words
_BEFORE = {
    "unspaced": "",
    "katakana": rf"(?<![{_KATAKANA}])",
    "letter": rf"(?<!{_LETTER})",
    "other": "",
}
# A combining mark belongs to the character before it, in every script.
_AFTER = {
    "unspaced": r"(?!\p{M})",
    "katakana": rf"(?![{_KATAKANA}\p{{M}}])",
    "letter": rf"(?!\p{{M}}|{_LETTER})",
    "other": "",
}
_CHARACTER_CLASSES = {
    "unspaced": regex.compile(rf"[{_UNSPACED}]"),
    "katakana": regex.compile(rf"[{_KATAKANA}]"),
    "letter": regex.compile(r"[\w\p{M}]"),
}
# Written or left out at will: vowel points of Arabic and Hebrew, the Arabic stretch, soft hyphens,
# how an emoji is drawn.
_OPTIONAL = regex.compile(
    r"[\u064b-\u0652\u0670\u0640\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u00ad\ufe0e\ufe0f]"
)
_WORD = regex.compile(rf"[{_UNSPACED}]\p{{M}}*|[{_KATAKANA}]+\p{{M}}*|{_LETTER}+(?:'{_LETTER}+)*")
_APOSTROPHES = str.maketrans(dict.fromkeys("\u2018\u2019\u02bc", "'"))


def searchable_text(text: str) -> str:
    """The text as words are looked for in it: NFKC (ＯＫ is OK, e + ´ is é), one apostrophe,
    without what may be left out.
    """
    if text.isascii():
        return text
    normalized_text: str = _OPTIONAL.sub(
        "", unicodedata.normalize("NFKC", text).translate(_APOSTROPHES)
    )
    return normalized_text


def split_words(text: str) -> list[str]:
    """The words of a text, case folded; of scripts without spaces each character."""
    words: list[str] = _WORD.findall(searchable_text(text).casefold())
    return words


def word_pattern(words: Iterable[str]) -> str:
    """A pattern for any of the words as a whole word in a `searchable_text`, case ignored."""
    return f"(?if){whole_words_pattern(searchable_text(word).strip() or word for word in words)}"


def whole_words_pattern(words: Iterable[str]) -> str:
    """A pattern for any of the words as a whole word, as written; of two that fit, the earlier."""
    alternatives = []
    for (first, last), group in groupby(
        sorted(dict.fromkeys(words), key=_end_classes), key=_end_classes
    ):
        words_pattern = "|".join(
            r"\s+".join(regex.escape(part) for part in word.split()) or regex.escape(word)
            for word in group
        )
        alternatives.append(f"{_BEFORE[first]}(?:{words_pattern}){_AFTER[last]}")
    return "|".join(alternatives)


def _end_classes(word: str) -> tuple[str, str]:
    return _character_class(word[:1]), _character_class(word[-1:])


def _character_class(character: str) -> str:
    return next(
        (name for name, pattern in _CHARACTER_CLASSES.items() if pattern.match(character)), "other"
    )
