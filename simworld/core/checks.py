"""Programmatic checks: what a scenario asks of the dialogue that needs no judge."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from math import isfinite

import regex

from simworld.core.episode import ActionKind, CheckResult, Turn
from simworld.core.scenario import Check, CheckKind
from simworld.core.words import comparable, word_pattern

TIMEOUT_S = 0.25  # for one pattern on one utterance; patterns come from authors, and some never end


def run_check(check: Check, turns: Sequence[Turn]) -> CheckResult:
    """Whether a check holds for a dialogue. A pattern that takes too long gives `holds=None` and an error, no exception."""
    try:
        found = list(_occurrences(check, turns))
    except TimeoutError:
        error = f"the pattern took longer than {TIMEOUT_S} s on one utterance; make it simpler"
        return CheckResult(name=check.name, holds=None, error=error)
    if check.kind is CheckKind.number:
        return _number(check, found)
    value, turn = found[0] if found else (None, None)
    return CheckResult(name=check.name, holds=bool(found) != check.absent, value=value, turn=turn)


def run_checks(checks: Sequence[Check], turns: Sequence[Turn]) -> tuple[CheckResult, ...]:
    """Every check's result, in order."""
    return tuple(run_check(check, turns) for check in checks)


def compiled(check: Check) -> regex.Pattern[str]:
    """The pattern a check searches for, if it is for keywords in a `comparable` text. Raises regex.error."""
    if check.kind is CheckKind.keyword:
        return regex.compile(word_pattern(check.words))
    return regex.compile(check.pattern)


def _occurrences(check: Check, turns: Sequence[Turn]) -> Iterator[tuple[str, int]]:
    pattern = compiled(check)
    for turn in turns:
        for act in turn.acts:
            if act.action.kind is ActionKind.none or (check.by and act.seat != check.by):
                continue
            text = comparable(act.action.text) if check.kind is CheckKind.keyword else act.action.text
            for match in pattern.finditer(text, timeout=TIMEOUT_S):
                group = 1 if check.kind is CheckKind.number else 0
                if match.group(group) is not None:
                    yield match.group(group), turn.index


def _number(check: Check, found: Sequence[tuple[str, int]]) -> CheckResult:
    if not found:
        return CheckResult(name=check.name, holds=False)
    text, turn = found[-1 if check.last else 0]
    try:
        value = float(_plain_number(text))
        if not isfinite(value):
            raise ValueError(text)
    except ValueError:
        return CheckResult(
            name=check.name, holds=None, turn=turn, error=f"{text!r} is no number; let group 1 match digits"
        )
    low, high = check.between or (float("-inf"), float("inf"))
    return CheckResult(name=check.name, holds=low <= value <= high, value=value, turn=turn)


def _plain_number(text: str) -> str:
    """A number as Python reads it: 1,200 and 1 200 mean twelve hundred, 65,50 and 1.200,50 have a decimal comma."""
    text = unicodedata.normalize("NFKC", text).replace("٬", ",").replace("٫", ".")
    text = regex.sub(r"(?<=\d)\s(?=\d)", "", text)
    if regex.fullmatch(r"[+-]?\d{1,3}(?:\.\d{3})+,\d+|[+-]?\d+,(?:\d{1,2}|\d{4,})", text):
        return text.replace(".", "").replace(",", ".")
    if regex.fullmatch(r"[+-]?\d{1,3}(?:\.\d{3}){2,}", text):
        return text.replace(".", "")
    return text.replace(",", "")
