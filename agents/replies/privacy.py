"""Marks of privacy, `(to Ida) …`: who alone is to hear a reply, and which replies leave that open.

A mark that says clearly which seats it means makes the whole reply private to them. Any other mark,
two marks that differ, and a reply of which one part is marked and another is not are
`UnresolvedAddressee`: what was meant for one person is never said to all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

from agents.replies.direction_patterns import ADDRESSEE_LABEL_PATTERN
from agents.replies.people_names import PeopleNames, any_label
from agents.replies.privacy_marks import MEANINGFUL, SUBJECT_PRONOUN, UNCLEAR, Mark, MarkParser
from agents.replies.privacy_words import LOW_VOICE, TRAVEL_WORDS
from agents.replies.speaker_labels import without_own_name
from agents.replies.stage_directions import (
    StageDirection,
    find_set_off_parts,
    find_stage_directions,
    is_emphasis,
    remove_parts,
)

_LOW_VOICE = re.compile(f"(?i){LOW_VOICE}")
_CLOSING_QUOTES = dict(zip("*_~`\"“'‘«「", "*_~`\"”'’»」", strict=True))
_COLON_AFTER_MARK = re.compile(r"\s*[:：]?[*_]*\s*")
_ADDRESSEE_LABEL = re.compile(
    r"(?im)^[\s*_>\"“-]{0,6}((?:[^\W\d_][\w'’-]*[ ,]+){0,6}?"
    r"(?:to\s+[^\n:：\"“()\[\]]{1,60}|privately|aside|whisper(?:s|ing)?))[*_]{0,3}\s*[:：]"
)
_ADDRESSEE_LABEL_ELSEWHERE = re.compile(
    rf"(?im)^[\s*_>\"“-]{{0,6}}({ADDRESSEE_LABEL_PATTERN})[*_]{{0,3}}\s*[:：]\s*"
)
_FENCED_MARK = re.compile(r"(?m)^([|/~=+]{1,3}|-{1,3}|[—–])\s?(\w[^\n]{0,80}?)\s?\1(?=\s|$)")
_LIST_NUMBER = re.compile(r"\d{1,2}[.)]\s(?=[(\[（【*_])")
_WHISPER_COMMAND = re.compile(r"(?im)^\s*/(?:w|whisper|msg|tell|dm|pm)\b")
_NARRATION_AFTER_QUOTE = re.compile(r"[\"”]\s*([^\"“”\n]{1,160})")
_SENTENCE_END = re.compile(r"[.!?…。！？\n\"”’'»」:：*)\]）】]\s*$")
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
    finder = _mark_finder(names.own, tuple(names.others.items()), tuple(names.looser_names.items()))
    line = _LIST_NUMBER.sub("", line, count=1) if _LIST_NUMBER.match(line) else line
    rest = without_own_name(line, names)
    if not finder.find_marks(line[: len(line) - len(rest)]):
        line = rest
    marks = finder.find_marks(line)
    for located in marks:
        if located.mark.to is None:
            return UnresolvedAddressee(
                reason=f"it is not clear who is meant by {_excerpt(located.text)!r}"
            )
    return _join_marked_parts(line, marks) if marks else PrivateLine(line=line)


class _MarkFinder:
    """Finds the marks in one seat's lines."""

    def __init__(self, names: PeopleNames) -> None:
        self._parser = MarkParser(names)
        own = any_label(names.own)
        self._own_label = re.compile(
            rf"(?im)^[\s*_>\"“「\[(【（-]{{0,6}}(?:{own})[*_\])】）」]{{0,4}}"
            r"(?P<manner>[^\n:：\"“]{0,160}?)[*_]{0,3}\s*[:：][*_]{0,3}\s*"
        )
        self._narration = re.compile(
            rf"(?i)\s*[*_]{{0,2}}(?:(?P<own>{own})|{SUBJECT_PRONOUN})\b(?P<manner>[^\n:：\"“]{{1,160}}?)[,:：]\s*(?=[\"“])"
        )

    def find_marks(self, line: str) -> list[_LocatedMark]:
        """All marks, in order, none inside another."""
        located = [
            *self._find_labels(line),
            *self._find_narrations(line),
            *self._find_directions(line),
        ]
        kept: list[_LocatedMark] = []
        for mark in sorted(located, key=lambda mark: (mark.start, -mark.end)):
            if not kept or mark.start >= kept[-1].end:
                kept.append(mark)
        return kept

    def _find_labels(self, line: str) -> Iterator[_LocatedMark]:
        # `Nadia (to Ida):`, `Nadia whispers to Ida: "…"`, `To Ida: …`, `/w Ida …`, where a line
        # begins
        parse = partial(self._parser.parse_direction, at_boundary=True, opens_reply=False)
        for match in self._own_label.finditer(line):
            yield from _locate(self._parser.parse_label(match.group("manner")), match)
        for match in _ADDRESSEE_LABEL.finditer(line):
            yield from _locate(parse(match.group(1)), match)
        for match in _ADDRESSEE_LABEL_ELSEWHERE.finditer(line):
            if self._parser.people.seats_named_in(match.group(1)) != ():
                yield from _locate(parse(match.group(1)), match)
        for match in _FENCED_MARK.finditer(line):
            yield from _locate(parse(match.group(2)), match)
        for match in _WHISPER_COMMAND.finditer(line):
            yield from _locate(UNCLEAR, match)

    def _find_narrations(self, line: str) -> Iterator[_LocatedMark]:
        # `Nadia leans over and whispers to Ida, "…"` and `"…," she whispers to Ida.` are told like
        # a story.
        if match := self._narration.match(line):
            if match.group("own") or _LOW_VOICE.search(match.group("manner")):
                yield from _locate(self._parser.parse_label(match.group("manner")), match)
        elif line[:1] in {'"', "“"}:
            for match in _NARRATION_AFTER_QUOTE.finditer(line):
                if _LOW_VOICE.search(match.group(1)):
                    manner = re.sub(rf"(?i)\b{SUBJECT_PRONOUN}\b", " ", match.group(1))
                    yield from _locate(self._parser.parse_label(manner), match, group=1)

    def _find_directions(self, line: str) -> Iterator[_LocatedMark]:
        something_said = False  # something, so far
        read_to = 0
        last_meaning = max((match.end() for match in MEANINGFUL.finditer(line)), default=0)
        for part in find_set_off_parts(line):
            something_said = something_said or bool(MEANINGFUL.search(line, read_to, part.start))
            read_to = max(read_to, part.end if part.closed else part.start)
            if not MEANINGFUL.search(part.inner):
                continue
            at_boundary = (
                not something_said
                or last_meaning <= part.end
                or bool(_SENTENCE_END.search(line[max(0, part.start - 8) : part.start]))
            )
            if (
                not part.is_bracketed
                and (not at_boundary or is_emphasis(line, part))
                and not self._hides_a_mark(part.inner)
            ):
                continue  # a word that is stressed
            inner = part.inner
            if not part.closed and inner[:3].casefold() == "to ":
                inner = " ".join(inner.split()[:2])  # where it ends is not known
            mark = self._parser.parse_direction(
                inner, at_boundary=at_boundary, opens_reply=part.is_bracketed and not something_said
            )
            if mark is None or (mark.to is None and self._is_destination(line, part)):
                continue
            if not part.closed and (mark.speech or mark.act or inner != part.inner):
                mark = UNCLEAR
            start, end = _widen_to_wrapping(line, part)
            yield _LocatedMark(start=start, end=end, text=line[part.start : part.end], mark=mark)

    def _hides_a_mark(self, inner: str) -> bool:
        # `**Nadia (to Ida):**` or `*whispers to Ida*` in the middle of a sentence, after what a
        # model wrote before it
        if any(
            self._parser.parse_direction(part.inner, at_boundary=True, opens_reply=False)
            for part in find_set_off_parts(inner)
            if part.is_bracketed
        ):
            return True
        return bool(_LOW_VOICE.search(inner)) and self._parser.people.seats_named_in(inner) != ()

    def _is_destination(self, line: str, part: StageDirection) -> bool:
        # `the train (to Lisbon)`
        before = _LAST_WORD.search(line[max(0, part.start - 30) : part.start])
        to, _, where = part.inner.partition(" ")
        travels = before is not None and before.group(1).casefold() in TRAVEL_WORDS
        return travels and to.casefold() == "to" and not self._parser.people.resembles_name(where)


@lru_cache(maxsize=256)
def _mark_finder(
    own: tuple[str, ...],
    others: tuple[tuple[str, str], ...],
    meant: tuple[tuple[str, frozenset[str]], ...],
) -> _MarkFinder:
    return _MarkFinder(PeopleNames(own=own, others=dict(others), looser_names=dict(meant)))


def _join_marked_parts(
    line: str, marks: Sequence[_LocatedMark]
) -> PrivateLine | UnresolvedAddressee:
    """Joins the parts of a line, which must all have the same addressees. A mark at the end of the
    line applies to the part before it.
    """
    part_ends = [*(located.start for located in marks[1:]), len(line)]
    texts = [line[: marks[0].start]]
    texts += [
        f"{located.mark.speech} {line[located.end : end]}"
        for located, end in zip(marks, part_ends, strict=True)
    ]
    addressees: list[tuple[str, ...]] = [(), *(located.to for located in marks)]
    has_speech = [
        bool(MEANINGFUL.search(remove_parts(text, find_stage_directions(text)))) for text in texts
    ]
    if not any(has_speech[1:]):  # `My floor is 60. (to Ida)`
        has_speech = [False, *(True for _ in marks)]
    elif not has_speech[-1]:
        has_speech[-1] = True
    hearers = [to for to, spoken in zip(addressees, has_speech, strict=True) if spoken]
    if len({frozenset(to) for to in hearers}) > 1:
        return UnresolvedAddressee(reason="one part of it is for other people than another")
    text = " ".join(filter(None, (text.strip(" ") for text in texts)))
    acts = [located.mark.act for located in marks if located.mark.act]
    if acts and not MEANINGFUL.search(text):
        text = f"[{', '.join(acts)}]"
    return PrivateLine(line=text.strip(), to=hearers[0])


def _locate(mark: Mark | None, match: re.Match[str], *, group: int = 0) -> Iterator[_LocatedMark]:
    if mark is not None:
        yield _LocatedMark(
            start=match.start(group),
            end=match.end(group),
            text=match.group(group).strip(),
            mark=mark,
        )


def _widen_to_wrapping(line: str, part: StageDirection) -> tuple[int, int]:
    # With the quotes or asterisks around a mark, and the colon after it.
    start, end = part.start, part.end
    while (
        start > 0
        and (closing := _CLOSING_QUOTES.get(line[start - 1]))
        and line[end : end + 1] == closing
    ):
        start, end = start - 1, end + 1
    after = _COLON_AFTER_MARK.match(line, end)
    return start, after.end() if after and part.closed else end


def _excerpt(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."
