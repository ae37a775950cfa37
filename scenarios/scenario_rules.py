"""What a scenario's fields must mean together, beyond the shape of each: seats that exist, patterns
that compile.

The rules read the plain data and not the validated model, so that they also find their problems in
a file with other mistakes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from simworld.core.checks import compile_check
from simworld.core.errors import Problem
from simworld.core.safe_patterns import PatternError, compile_pattern
from simworld.core.scenario import Check, CheckKind
from simworld.yamlfile import Document, did_you_mean, shorten

_ONLY_FOR: Mapping[str, tuple[str, ...]] = {
    "pattern": ("regex", "number"),
    "words": ("keyword",),
    "between": ("number",),
    "last": ("number",),
    "absent": ("regex", "keyword"),
}


def rule_problems(document: Document, data: Any) -> list[Problem]:
    """The problems of a scenario's data (placeholders replaced), each with its place."""
    if not isinstance(data, dict):
        return []
    seats = [name for _, _, name in _named(data, "seats")]
    return [
        *_duplicate_name_problems(document, data, "seats", "two seats are called"),
        *_duplicate_name_problems(document, data, "checks", "two checks are called"),
        *_relationship_problems(document, data, seats),
        *_check_problems(document, data, seats),
    ]


def _named(data: Mapping[str, Any], section: str) -> Iterator[tuple[int, Mapping[str, Any], str]]:
    for i, entry in _entries(data, section):
        if isinstance(entry.get("name"), str):
            yield i, entry, entry["name"].strip()


def _entries(data: Mapping[str, Any], section: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    entries = data.get(section)
    if isinstance(entries, list):
        yield from ((i, entry) for i, entry in enumerate(entries) if isinstance(entry, dict))


def _duplicate_name_problems(
    document: Document, data: Mapping[str, Any], section: str, noun: str
) -> Iterator[Problem]:
    seen: set[str] = set()
    for i, _, name in _named(data, section):
        if name in seen:
            yield document.problem((section, i, "name"), f"{noun} '{shorten(name)}'")
        seen.add(name)


def _unknown_seat_message(name: str, seats: list[str]) -> str:
    known = f"; the seats are {', '.join(shorten(seat) for seat in seats[:8])}" if seats else ""
    return f"unknown seat '{shorten(name)}'{did_you_mean(name, seats) or known}"


def _relationship_problems(
    document: Document, data: Mapping[str, Any], seats: list[str]
) -> Iterator[Problem]:
    seen: set[frozenset[str]] = set()
    for i, entry in _entries(data, "relationships"):
        between = entry.get("between")
        if not isinstance(between, list) or not all(isinstance(name, str) for name in between):
            continue
        loc = ("relationships", i, "between")
        for j, name in enumerate(between):
            if name.strip() not in seats:
                yield document.problem((*loc, j), _unknown_seat_message(name, seats))
        pair = frozenset(name.strip() for name in between)
        if len(between) == 2 and len(pair) == 1:
            yield document.problem(loc, "names the same seat twice")
        elif len(between) == 2 and pair in seen:
            yield document.problem(
                loc,
                f"the relationship between {' and '.join(map(shorten, between))} is given twice",
            )
        seen.add(pair)


def _check_problems(
    document: Document, data: Mapping[str, Any], seats: list[str]
) -> Iterator[Problem]:
    for i, check in _entries(data, "checks"):
        loc = ("checks", i)
        kind = check.get("kind")
        by = check.get("by")
        if isinstance(by, str) and by.strip() and by.strip() not in seats:
            yield document.problem((*loc, "by"), _unknown_seat_message(by, seats))
        if kind in ("regex", "keyword", "number"):
            for name, kinds in _ONLY_FOR.items():
                if name in check and kind not in kinds:
                    message = f"a {kind} check has no '{name}'; it belongs to {' and '.join(kinds)}"
                    yield document.problem((*loc, name), message, key=True)
            needed = "words" if kind == "keyword" else "pattern"
            if not check.get(needed) and (needed not in check or check[needed] == []):
                yield document.problem(loc, f"a {kind} check needs '{needed}'")
        yield from _pattern_problems(document, check, i)
        yield from _between_problems(document, check, i)
        if check.get("ends") is True and check.get("absent") is True:
            yield document.problem(
                (*loc, "ends"),
                "would end every episode at once, for nothing has occurred yet",
                key=True,
            )


def _pattern_problems(document: Document, check: Mapping[str, Any], i: int) -> Iterator[Problem]:
    if check.get("kind") == "keyword":
        yield from _keyword_problems(document, check, i)
        return
    pattern = check.get("pattern")
    if not isinstance(pattern, str):
        return
    loc = ("checks", i, "pattern")
    try:
        groups = compile_pattern(pattern).groups
    except PatternError as error:
        yield document.problem(loc, str(error))
        return
    if check.get("kind") == "number" and groups < 1:
        yield document.problem(
            loc,
            r"a number check reads group 1; put parentheses around the digits, like '(\d+) euros'",
        )


def _keyword_problems(document: Document, check: Mapping[str, Any], i: int) -> Iterator[Problem]:
    words = check.get("words")
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        return
    try:
        compile_check(Check(name="", kind=CheckKind.keyword, words=tuple(words)))
    except PatternError as error:
        yield document.problem(("checks", i, "words"), f"too many or too long: {error}")


def _between_problems(document: Document, check: Mapping[str, Any], i: int) -> Iterator[Problem]:
    between = check.get("between")
    if not isinstance(between, list) or len(between) != 2:
        return
    if any(isinstance(end, bool) or not isinstance(end, int | float) for end in between):
        return
    low, high = between
    if low > high:
        yield document.problem(
            ("checks", i, "between"), f"expected the lower end first: [{high:g}, {low:g}]"
        )
