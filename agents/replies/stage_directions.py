"""Where the stage directions of a line stand: in brackets of any script, asterisks or underscores.
One pass over the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

DIRECTION_BRACKETS = dict(zip("([（［【〔〖﹙", ")]）］】〕〗﹚", strict=True))
# these last hold marks of privacy alone; else they are speech
ALL_BRACKETS = DIRECTION_BRACKETS | dict(zip("{<｛〈", "}>｝〉", strict=True))
OPENING_BY_CLOSING = {closing: opening for opening, closing in ALL_BRACKETS.items()}
_BRACKET = re.compile("[" + re.escape("".join([*ALL_BRACKETS, *OPENING_BY_CLOSING])) + "]")
_EMPHASIS = re.compile(
    r"(?<![\w*])\*{1,2}(?![\s*])([^*\n]+)(?<!\s)\*{1,2}(?!\w)|"
    r"(?<!\w)_(?!\s)([^_\n]+)(?<!\s)_(?!\w)|"
    r"(?<!＊)＊{1,2}(?![\s＊])([^＊\n]+)＊{1,2}"
)
_PART_START = re.compile("[*_＊" + re.escape("".join(ALL_BRACKETS)) + "]")


@dataclass(frozen=True, slots=True, kw_only=True)
class StageDirection:
    """A part of a line that is set off from speech."""

    start: int
    end: int
    inner: str
    opening: str  # the bracket or "*" or "_"
    closed: bool = True

    @property
    def is_bracketed(self) -> bool:
        """Whether it stands in brackets, which stress no word."""
        return self.opening in ALL_BRACKETS

    @property
    def is_direction(self) -> bool:
        """Whether it is a stage direction whatever it says."""
        return self.closed and (self.opening in DIRECTION_BRACKETS or not self.is_bracketed)


def find_stage_directions(line: str) -> list[StageDirection]:
    """The stage directions, in order; what stands inside another one is part of it."""
    return [part for part in _iterate_parts(line) if part.is_direction]


def find_set_off_parts(line: str) -> list[StageDirection]:
    """All that is set off, in order: stage directions, parts in braces and angle brackets, and what
    an unclosed bracket opens.

    An unclosed one goes on to the next bracket of another kind that closes, to the next that opens,
    or to the end of its line.
    """
    return list(_iterate_parts(line))


def is_emphasis(line: str, part: StageDirection) -> bool:
    """Whether a part stands inside a sentence: asterisks there stress a word, `That is *really*
    good`.
    """
    before, after = (
        line[max(0, part.start - 2) : part.start].rstrip(),
        line[part.end : part.end + 3],
    )
    inside = bool(before) and before[-1] not in '.!?…"”*)]'
    return inside and bool(re.match(r"[,;]?\s*\w|[.!?]", after))


def remove_parts(line: str, parts: list[StageDirection]) -> str:
    """The line with a space in place of each part."""
    kept, at = [], 0
    for part in parts:
        kept += [line[at : part.start], " "]
        at = part.end
    return "".join([*kept, line[at:]])


def _iterate_parts(line: str) -> Iterator[StageDirection]:
    ends = _match_brackets(line)
    at = 0
    for match in _PART_START.finditer(line):
        start = match.start()
        if start < at:
            continue
        opening = match.group()
        if start in ends:
            at = ends[start] + 1
            yield StageDirection(
                start=start, end=at, inner=line[start + 1 : at - 1].strip(), opening=opening
            )
        elif opening not in ALL_BRACKETS and (emphasis := _EMPHASIS.match(line, start)):
            at = emphasis.end()
            inner = next(filter(None, emphasis.groups()), "").strip()
            yield StageDirection(start=start, end=at, inner=inner, opening=opening)
        elif unclosed := _UNCLOSED.match(line, start):
            yield StageDirection(
                start=start,
                end=unclosed.end(),
                inner=unclosed.group(1).strip(),
                opening=opening,
                closed=False,
            )


_BRACKETS = re.escape("".join([*ALL_BRACKETS, *OPENING_BY_CLOSING]))
_UNCLOSED = re.compile(
    rf"(?:(?<![^\s\"'“‘])[*＊]{{1,2}}(?!\s)|[{re.escape(''.join(ALL_BRACKETS))}])"
    rf"(\s?[\"'“‘@]?\w[^\n*＊{_BRACKETS}]*)[)\]）］】}}>]?"
)


def _match_brackets(line: str) -> dict[int, int]:
    # Opening bracket → its closing one. A bracket without its partner is passed over.
    closing_positions: dict[int, int] = {}
    open_positions: dict[str, list[int]] = {opening: [] for opening in ALL_BRACKETS}
    for match in _BRACKET.finditer(line):
        bracket = match.group()
        if bracket in ALL_BRACKETS:
            open_positions[bracket].append(match.start())
        elif open_positions[OPENING_BY_CLOSING[bracket]]:
            closing_positions[open_positions[OPENING_BY_CLOSING[bracket]].pop()] = match.start()
    return closing_positions
