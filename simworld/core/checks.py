"""Programmatic checks: what a scenario asks of the dialogue that needs no judge."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from math import isfinite

import regex

from simworld.core.episode import ActionKind, CheckResult, Turn
from simworld.core.errors import Problem
from simworld.core.safe_patterns import PatternError, compile_pattern
from simworld.core.scenario import Check, CheckKind, Scenario
from simworld.core.whole_words import searchable_text, word_pattern

PATTERN_TIMEOUT_S = 0.25  # on one utterance; patterns come from authors, and some never end
ALL_CHECKS_TIMEOUT_S = 2.0  # for all patterns on one dialogue


def run_check(
    check: Check, turns: Sequence[Turn], *, deadline: float = float("inf")
) -> CheckResult:
    """Whether a check holds for a dialogue, decided before `deadline` (monotonic time).

    A pattern that takes too long or cannot be used gives `holds=None` and an error, no exception.
    """
    try:
        occurrences = list(_occurrences(check, turns, deadline))
    except TimeoutError:
        error = (
            f"the pattern took longer than {PATTERN_TIMEOUT_S} s on one utterance; make it simpler"
        )
        if time.monotonic() >= deadline:
            error = (
                f"the checks took longer than {ALL_CHECKS_TIMEOUT_S:g} s together on this dialogue;"
                " make them simpler"
            )
        return CheckResult(name=check.name, holds=None, error=error)
    except PatternError as error:
        return CheckResult(name=check.name, holds=None, error=str(error))
    if check.kind is CheckKind.number:
        return _number_result(check, occurrences)
    value, turn = occurrences[0] if occurrences else (None, None)
    return CheckResult(
        name=check.name, holds=bool(occurrences) != check.absent, value=value, turn=turn
    )


def run_checks(checks: Sequence[Check], turns: Sequence[Turn]) -> tuple[CheckResult, ...]:
    """Every check's result, in order."""
    deadline = time.monotonic() + ALL_CHECKS_TIMEOUT_S
    return tuple(run_check(check, turns, deadline=deadline) for check in checks)


def ending_check(checks: Iterable[Check], turns: Sequence[Turn]) -> str:
    """The name of the first check that ends the episode after these turns, or empty."""
    deadline = time.monotonic() + ALL_CHECKS_TIMEOUT_S
    for check in checks:
        if check.ends:
            # What occurred in an earlier turn would have ended the episode there.
            turns_to_check = turns if check.kind is CheckKind.number else turns[-1:]
            if run_check(check, turns_to_check, deadline=deadline).holds:
                return check.name
    return ""


def compile_check(check: Check) -> regex.Pattern[str]:
    """The pattern a check searches for, keywords in a `searchable_text`. Raises PatternError."""
    return compile_pattern(
        word_pattern(check.words) if check.kind is CheckKind.keyword else check.pattern
    )


def pattern_problems(scenario: Scenario) -> list[Problem]:
    """What is wrong with the patterns of a scenario that was not read from a file just now."""
    problems = []
    for check in scenario.checks:
        try:
            compile_check(check)
        except PatternError as error:
            problems.append(Problem(str(error), f"scenario {scenario.name}: checks.{check.name}"))
    return problems


def _occurrences(check: Check, turns: Sequence[Turn], deadline: float) -> Iterator[tuple[str, int]]:
    pattern = compile_check(check)
    for turn in turns:
        for act in turn.acts:
            if act.action.kind is ActionKind.none or (check.by and act.seat != check.by):
                continue
            remaining_s = deadline - time.monotonic()
            if remaining_s <= 0:
                raise TimeoutError
            text = (
                searchable_text(act.action.text)
                if check.kind is CheckKind.keyword
                else act.action.text
            )
            for match in pattern.finditer(text, timeout=min(PATTERN_TIMEOUT_S, remaining_s)):
                group = 1 if check.kind is CheckKind.number else 0
                if match.group(group) is not None:
                    yield match.group(group), turn.index


def _number_result(check: Check, occurrences: Sequence[tuple[str, int]]) -> CheckResult:
    if not occurrences:
        return CheckResult(name=check.name, holds=False)
    text, turn = occurrences[-1 if check.last else 0]
    try:
        value = float(_normalize_number(text))
        if not isfinite(value):
            raise ValueError(text)
    except ValueError:
        return CheckResult(
            name=check.name,
            holds=None,
            turn=turn,
            error=f"{text!r} is not a number; let group 1 match digits",
        )
    low, high = check.between or (float("-inf"), float("inf"))
    return CheckResult(name=check.name, holds=low <= value <= high, value=value, turn=turn)


def _normalize_number(text: str) -> str:
    """A number as Python reads it: 1,200 and 1 200 mean twelve hundred, 65,50 and 1.200,50 have a
    decimal comma.
    """
    text = unicodedata.normalize("NFKC", text).replace("٬", ",").replace("٫", ".")
    text = regex.sub(r"(?<=\d)\s(?=\d)", "", text)
    if regex.fullmatch(r"[+-]?\d{1,3}(?:\.\d{3})+,\d+|[+-]?\d+,(?:\d{1,2}|\d{4,})", text):
        return text.replace(".", "").replace(",", ".")
    if regex.fullmatch(r"[+-]?\d{1,3}(?:\.\d{3}){2,}", text):
        return text.replace(".", "")
    return text.replace(",", "")
