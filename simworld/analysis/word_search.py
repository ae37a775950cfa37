"""Episodes by the words in them: what a reader writes as phrases, and where these stand in a
line.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from simworld.core.errors import InputError

MOST = 20  # phrases
_PARTS = re.compile(r'"([^"]*)"?|(\S+)')
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class WordMatch:
    """A line in which something was found."""

    number: int  # of the act, from 0
    parts: tuple[tuple[str, bool], ...]  # the line in pieces; True where it is what was looked for


def phrases(text: str) -> list[str]:
    """What is to occur: single words, and what stands in double quotes as a whole.

    Raises:
        InputError: there is nothing to look for, or too much.
    """
    parts = [quoted or single for quoted, single in _PARTS.findall(text)]
    distinct = list(
        dict.fromkeys(phrase for part in parts if (phrase := " ".join(_WORD.findall(part))))
    )
    if not distinct:
        raise InputError(
            'nothing to look for; write words, and in quotation marks "what stands together"'
        )
    if len(distinct) > MOST:
        raise InputError(f"found {len(distinct)} words and phrases, expected at most {MOST}")
    return distinct


def matching_lines(text: str, wanted: Sequence[str], *, most: int = 3) -> list[WordMatch]:
    """The first lines of an episode's text in which one of the phrases occurs, in any case and with
    or without accents.
    """
    patterns = [
        re.compile(rf"\b{_NOT_WORD.join(map(re.escape, _WORD.findall(_fold(phrase)[0])))}\b")
        for phrase in wanted
    ]
    matches = []
    for number, line in enumerate(text.split("\n")):
        folded, places = _fold(line)
        spans = sorted(match.span() for pattern in patterns for match in pattern.finditer(folded))
        if spans:
            matches.append(
                WordMatch(
                    number=number,
                    parts=tuple(_pieces(line, [(places[a], places[b]) for a, b in spans])),
                )
            )
            if len(matches) == most:
                break
    return matches


_NOT_WORD = r"\W+"


def _fold(text: str) -> tuple[str, list[int]]:
    """The text without case and accents, and for each of its places, its end too, the place in the
    original.
    """
    if text.isascii():
        return text.lower(), list(range(len(text) + 1))
    folded: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        plain = [
            c for c in unicodedata.normalize("NFKD", character) if not unicodedata.combining(c)
        ]
        for letter in "".join(plain).casefold():
            folded.append(letter)
            places.append(place)
    return "".join(folded), [*places, len(text)]


def _pieces(line: str, spans: Sequence[tuple[int, int]]) -> list[tuple[str, bool]]:
    pieces = []
    at = 0
    for start, end in spans:
        if start >= at:
            pieces += [(line[at:start], False), (line[start:end], True)]
            at = end
    return [piece for piece in (*pieces, (line[at:], False)) if piece[0]]
