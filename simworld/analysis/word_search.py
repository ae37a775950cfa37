"""Episodes by the words in them: what a reader writes as phrases, and where these stand in a
line.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from simworld.core.errors import InputError

MAX_PHRASES = 20  # phrases
_QUOTED_OR_WORD = re.compile(r'"([^"]*)"?|(\S+)')
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class WordMatch:
    """A line in which something was found."""

    number: int  # of the act, from 0
    parts: tuple[tuple[str, bool], ...]  # the line in pieces; True where it is what was looked for


def parse_phrases(text: str) -> list[str]:
    """What is to occur: single words, and what stands in double quotes as a whole.

    Raises:
        InputError: there is nothing to look for, or too much.
    """
    texts = [quoted or single for quoted, single in _QUOTED_OR_WORD.findall(text)]
    distinct = list(
        dict.fromkeys(phrase for part in texts if (phrase := " ".join(_WORD.findall(part))))
    )
    if not distinct:
        raise InputError(
            'nothing to look for; write words, and in quotation marks "what stands together"'
        )
    if len(distinct) > MAX_PHRASES:
        raise InputError(f"found {len(distinct)} words and phrases, expected at most {MAX_PHRASES}")
    return distinct


def matching_lines(text: str, phrases: Sequence[str], *, max_lines: int = 3) -> list[WordMatch]:
    """The first lines of an episode's text in which one of the phrases occurs, in any case and with
    or without accents.
    """
    patterns = [
        re.compile(rf"\b{_NOT_WORD.join(map(re.escape, _WORD.findall(_fold(phrase)[0])))}\b")
        for phrase in phrases
    ]
    matches = []
    for number, line in enumerate(text.split("\n")):
        folded, positions = _fold(line)
        spans = sorted(match.span() for pattern in patterns for match in pattern.finditer(folded))
        if spans:
            matches.append(
                WordMatch(
                    number=number,
                    parts=tuple(_pieces(line, [(positions[a], positions[b]) for a, b in spans])),
                )
            )
            if len(matches) == max_lines:
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
    positions: list[int] = []
    for position, character in enumerate(text):
        base_characters = [
            c for c in unicodedata.normalize("NFKD", character) if not unicodedata.combining(c)
        ]
        for letter in "".join(base_characters).casefold():
            folded.append(letter)
            positions.append(position)
    return "".join(folded), [*positions, len(text)]


def _pieces(line: str, spans: Sequence[tuple[int, int]]) -> list[tuple[str, bool]]:
    pieces = []
    done = 0
    for start, end in spans:
        if start >= done:
            pieces += [(line[done:start], False), (line[start:end], True)]
            done = end
    return [piece for piece in (*pieces, (line[done:], False)) if piece[0]]
