"""Programmatic checks: what a scenario asks of the dialogue that needs no judge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite

import regex

from simworld.core.episode import ActionKind, CheckResult, Turn
from simworld.core.scenario import Check, CheckKind

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
    """The pattern a check searches for. Raises regex.error for one that cannot be compiled."""
    if check.kind is CheckKind.keyword:
        words = "|".join(regex.escape(word) for word in check.words)
        return regex.compile(rf"(?i)(?<!\w)(?:{words})(?!\w)")
    return regex.compile(check.pattern)


def _occurrences(check: Check, turns: Sequence[Turn]) -> Iterator[tuple[str, int]]:
    pattern = compiled(check)
    for turn in turns:
        for act in turn.acts:
            if act.action.kind is ActionKind.none or (check.by and act.seat != check.by):
                continue
            for match in pattern.finditer(act.action.text, timeout=TIMEOUT_S):
                group = 1 if check.kind is CheckKind.number else 0
                if match.group(group) is not None:
                    yield match.group(group), turn.index


def _number(check: Check, found: Sequence[tuple[str, int]]) -> CheckResult:
    if not found:
        return CheckResult(name=check.name, holds=False)
    text, turn = found[-1 if check.last else 0]
    try:
        value = float(text.replace(",", ""))  # 1,200 means twelve hundred
        if not isfinite(value):
            raise ValueError(text)
    except ValueError:
        return CheckResult(
            name=check.name, holds=None, turn=turn, error=f"{text!r} is no number; let group 1 match digits"
        )
    low, high = check.between or (float("-inf"), float("inf"))
    return CheckResult(name=check.name, holds=low <= value <= high, value=value, turn=turn)
