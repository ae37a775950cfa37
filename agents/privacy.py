"""Marks of privacy, `(to Ida) …`: who alone is to hear a reply, and which replies leave that open.

A mark that says clearly which seats it means makes the whole reply private to them. Any other mark,
two marks that differ, and a reply of which one part is marked and another is not are
`UnresolvedAddressee`: what was meant for one person is never said to all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from agents.direction_patterns import FOR_SOMEBODY
from agents.people_names import PeopleNames, any_label
from agents.privacy_marks import MEANING, SUBJECT, UNCLEAR, Mark, Marks
from agents.privacy_words import GOING, LOW_VOICE
from agents.speaker_labels import without_own_name
from agents.stage_directions import (
    StageDirection,
    find_stage_directions,
    is_emphasis,
    set_off_parts,
    without_parts,
)

_LOW_VOICE = re.compile(f"(?i){LOW_VOICE}")
_WRAPPED = {
    "*": "*",
    "_": "_",
    "~": "~",
    "`": "`",
    '"': '"',
    "“": "”",
    "'": "'",
    "‘": "’",
    "«": "»",
    "「": "」",
}
_AFTER = re.compile(r"\s*[:：]?[*_]*\s*")
_LABEL = re.compile(
    r"(?im)^[\s*_>\"“-]{0,6}((?:[^\W\d_][\w'’-]*[ ,]+){0,6}?"
    r"(?:to\s+[^\n:：\"“()\[\]]{1,60}|privately|aside|whisper(?:s|ing)?))[*_]{0,3}\s*[:：]"
)
_OTHER_LABEL = re.compile(rf"(?im)^[\s*_>\"“-]{{0,6}}({FOR_SOMEBODY})[*_]{{0,3}}\s*[:：]\s*")
_FENCED = re.compile(r"(?m)^([|/~=+]{1,3}|-{1,3}|[—–])\s?(\w[^\n]{0,80}?)\s?\1(?=\s|$)")
_NUMBERED = re.compile(r"\d{1,2}[.)]\s(?=[(\[（【*_])")
_COMMAND = re.compile(r"(?im)^\s*/(?:w|whisper|msg|tell|dm|pm)\b")
_TAGGED = re.compile(r"[\"”]\s*([^\"“”\n]{1,160})")
_SENTENCE_OVER = re.compile(r"[.!?…。！？\n\"”’'»」:：*)\]）】]\s*$")
_LAST_WORD = re.compile(r"([^\W\d_]+)\W*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class UnresolvedAddressee:
    """A private reply whose addressees cannot be determined."""

    reason: str  # for people


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateLine:
    """A line without its marks of privacy."""

    line: str
    to: tuple[str, ...] = ()  # the seats that alone perceive it; empty: everybody


@dataclass(frozen=True, slots=True, kw_only=True)
class _LocatedMark:
    start: int
    end: int
    text: str  # as written
    mark: Mark

    @property
    def to(self) -> tuple[str, ...]:
        return self.mark.to or ()


def read_private_line(line: str, names: PeopleNames) -> PrivateLine | UnresolvedAddressee:
    """The line without its marks of privacy, with its addressees; an UnresolvedAddressee where they
    are not clear.
    """
    if not names.others:
        return PrivateLine(line=line)
    reader = _reader(names.own, tuple(names.others.items()), tuple(names.meant.items()))
    line = _NUMBERED.sub("", line, count=1) if _NUMBERED.match(line) else line
    rest = without_own_name(line, names)
    if not reader.marks(line[: len(line) - len(rest)]):
        line = rest
    marks = reader.marks(line)
    for placed in marks:
        if placed.mark.to is None:
            return UnresolvedAddressee(
                reason=f"it is not clear who is meant by {_short(placed.text)!r}"
            )
    return _combined_line(line, marks) if marks else PrivateLine(line=line)


class _MarkReader:
    """Finds the marks in one seat's lines."""

    def __init__(self, names: PeopleNames) -> None:
        self._marks = Marks(names)
        own = any_label(names.own)
        self._label = re.compile(
            rf"(?im)^[\s*_>\"“「\[(【（-]{{0,6}}(?:{own})[*_\])】）」]{{0,4}}"
            r"(?P<manner>[^\n:：\"“]{0,160}?)[*_]{0,3}\s*[:：][*_]{0,3}\s*"
        )
        self._narrated = re.compile(
            rf"(?i)\s*[*_]{{0,2}}(?:(?P<own>{own})|{SUBJECT})\b(?P<manner>[^\n:：\"“]{{1,160}}?)[,:：]\s*(?=[\"“])"
        )

    def marks(self, line: str) -> list[_LocatedMark]:
        """All marks, in order, none inside another."""
        located = [*self._labels(line), *self._narrations(line), *self._directions(line)]
        kept: list[_LocatedMark] = []
        for placed in sorted(located, key=lambda placed: (placed.start, -placed.end)):
            if not kept or placed.start >= kept[-1].end:
                kept.append(placed)
        return kept

    def _labels(self, line: str) -> Iterator[_LocatedMark]:
        # `Nadia (to Ida):`, `Nadia whispers to Ida: "…"`, `To Ida: …`, `/w Ida …`, where a line
        # begins
        for match in self._label.finditer(line):
            yield from _placed(self._marks.label(match.group("manner")), match)
        for match in _LABEL.finditer(line):
            yield from _placed(
                self._marks.direction(match.group(1), boundary=True, first=False), match
            )
        for match in _OTHER_LABEL.finditer(line):
            if self._marks.table.named(match.group(1)) != ():
                yield from _placed(
                    self._marks.direction(match.group(1), boundary=True, first=False), match
                )
        for match in _FENCED.finditer(line):
            yield from _placed(
                self._marks.direction(match.group(2), boundary=True, first=False), match
            )
        for match in _COMMAND.finditer(line):
            yield from _placed(UNCLEAR, match)

    def _narrations(self, line: str) -> Iterator[_LocatedMark]:
        # `Nadia leans over and whispers to Ida, "…"` and `"…," she whispers to Ida.` are told like
        # a story.
        if match := self._narrated.match(line):
            if match.group("own") or _LOW_VOICE.search(match.group("manner")):
                yield from _placed(self._marks.label(match.group("manner")), match)
        elif line[:1] in {'"', "“"}:
            for match in _TAGGED.finditer(line):
                if _LOW_VOICE.search(match.group(1)):
                    manner = re.sub(rf"(?i)\b{SUBJECT}\b", " ", match.group(1))
                    yield from _placed(self._marks.label(manner), match, group=1)

    def _directions(self, line: str) -> Iterator[_LocatedMark]:
        spoken = False  # something, so far
        at = 0
        last = max((match.end() for match in MEANING.finditer(line)), default=0)
        for part in set_off_parts(line):
            spoken = spoken or bool(MEANING.search(line, at, part.start))
            at = max(at, part.end if part.closed else part.start)
            if not MEANING.search(part.inner):
                continue
            boundary = (
                not spoken
                or last <= part.end
                or bool(_SENTENCE_OVER.search(line[max(0, part.start - 8) : part.start]))
            )
            if (
                not part.bracket
                and (not boundary or is_emphasis(line, part))
                and not self._hides_a_mark(part.inner)
            ):
                continue  # a word that is stressed
            inner = part.inner
            if not part.closed and inner[:3].casefold() == "to ":
                inner = " ".join(inner.split()[:2])  # where it ends is not known
            mark = self._marks.direction(
                inner, boundary=boundary, first=part.bracket and not spoken
            )
            if mark is None or (mark.to is None and self._goes_there(line, part)):
                continue
            if not part.closed and (mark.speech or mark.act or inner != part.inner):
                mark = UNCLEAR
            start, end = _wrapped(line, part)
            yield _LocatedMark(start=start, end=end, text=line[part.start : part.end], mark=mark)

    def _hides_a_mark(self, inner: str) -> bool:
        # `**Nadia (to Ida):**` or `*whispers to Ida*` in the middle of a sentence, after what a
        # model wrote before it
        if any(
            self._marks.direction(part.inner, boundary=True, first=False)
            for part in set_off_parts(inner)
            if part.bracket
        ):
            return True
        return bool(_LOW_VOICE.search(inner)) and self._marks.table.named(inner) != ()

    def _goes_there(self, line: str, part: StageDirection) -> bool:
        # `the train (to Lisbon)`
        before = _LAST_WORD.search(line[max(0, part.start - 30) : part.start])
        to, _, where = part.inner.partition(" ")
        travels = before is not None and before.group(1).casefold() in GOING
        return travels and to.casefold() == "to" and not self._marks.table.resembles(where)


@lru_cache(maxsize=256)
def _reader(
    own: tuple[str, ...],
    others: tuple[tuple[str, str], ...],
    meant: tuple[tuple[str, frozenset[str]], ...],
) -> _MarkReader:
    return _MarkReader(PeopleNames(own=own, others=dict(others), meant=dict(meant)))


def _combined_line(line: str, marks: Sequence[_LocatedMark]) -> PrivateLine | UnresolvedAddressee:
    """Joins the parts of a line, which must all have the same addressees. A mark at the end of the
    line applies to the part before it.
    """
    ends = [*(placed.start for placed in marks[1:]), len(line)]
    texts = [line[: marks[0].start]]
    texts += [
        f"{placed.mark.speech} {line[placed.end : end]}"
        for placed, end in zip(marks, ends, strict=True)
    ]
    for_whom: list[tuple[str, ...]] = [(), *(placed.to for placed in marks)]
    speaks = [
        bool(MEANING.search(without_parts(text, find_stage_directions(text)))) for text in texts
    ]
    if not any(speaks[1:]):  # `My floor is 60. (to Ida)`
        speaks = [False, *(True for _ in marks)]
    elif not speaks[-1]:
        speaks[-1] = True
    hearers = [to for to, speaking in zip(for_whom, speaks, strict=True) if speaking]
    if len({frozenset(to) for to in hearers}) > 1:
        return UnresolvedAddressee(reason="one part of it is for other people than another")
    text = " ".join(filter(None, (text.strip(" ") for text in texts)))
    acts = [placed.mark.act for placed in marks if placed.mark.act]
    if acts and not MEANING.search(text):
        text = f"[{', '.join(acts)}]"
    return PrivateLine(line=text.strip(), to=hearers[0])


def _placed(mark: Mark | None, match: re.Match[str], *, group: int = 0) -> Iterator[_LocatedMark]:
    if mark is not None:
        yield _LocatedMark(
            start=match.start(group),
            end=match.end(group),
            text=match.group(group).strip(),
            mark=mark,
        )


def _wrapped(line: str, part: StageDirection) -> tuple[int, int]:
    # With the quotes or asterisks around a mark, and the colon after it.
    start, end = part.start, part.end
    while (
        start > 0 and (closing := _WRAPPED.get(line[start - 1])) and line[end : end + 1] == closing
    ):
        start, end = start - 1, end + 1
    after = _AFTER.match(line, end)
    return start, after.end() if after and part.closed else end


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."
