"""Requirements on an evaluation, `steered>base` and the like: what makes it usable as a gate."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from simworld.core.errors import InputError, Problem
from simworld.stats.paired_tests import PairedComparison
from simworld.yamlfile import did_you_mean

SYNTAX = "ARM>ARM, ARM>ARM:MEASURE or ARM>ARM:MEASURE:p<0.05"
_REQUIREMENT = re.compile(
    r"\s*([\w.-]+)\s*>\s*([\w.-]+)\s*(?::\s*([\w/.-]+?)\s*)?(?::\s*p\s*<\s*([0-9.eE-]+)\s*)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One arm must be better than another: a higher mean, and a two-sided p below `alpha`."""

    text: str
    better: str
    worse: str
    measure: str
    alpha: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RequirementOutcome:
    """Whether a requirement holds, and why."""

    requirement: Requirement
    holds: bool
    reason: str


def read_requirements(
    texts: Collection[str],
    *,
    arms: Collection[str],
    measures: Collection[str],
    main: str,
    alpha: float = 0.05,
) -> tuple[Requirement, ...]:
    """Requirements from their texts; without a measure they mean the main one. Raises InputError
    with every problem.
    """
    requirements: list[Requirement] = []
    messages: list[str] = []
    for text in texts:
        match = _REQUIREMENT.fullmatch(text)
        if match is None:
            messages.append(f"--require {text!r} is not understood; write {SYNTAX}")
            continue
        better, worse, measure, p_text = match.groups()
        for arm in (better, worse):
            if arm not in arms:
                hint = did_you_mean(arm, tuple(arms)) or f"; there are {', '.join(arms)}"
                messages.append(f"--require {text!r}: no arm {arm!r}{hint}")
        if better == worse:
            messages.append(f"--require {text!r}: an arm is never better than itself")
        if measure is not None and measure not in measures:
            hint = did_you_mean(measure, tuple(measures)) or f"; there are {', '.join(measures)}"
            messages.append(f"--require {text!r}: no measure {measure!r}{hint}")
        threshold = _parse_probability(p_text) if p_text is not None else alpha
        if threshold is None:
            messages.append(f"--require {text!r}: p must lie below a number between 0 and 1")
            continue
        requirements.append(
            Requirement(
                text=text, better=better, worse=worse, measure=measure or main, alpha=threshold
            )
        )
    if messages:
        raise InputError(Problem(message=message) for message in messages)
    return tuple(requirements)


def check_requirement(
    requirement: Requirement, paired: PairedComparison | None
) -> RequirementOutcome:
    """Whether a comparison (better less worse) meets a requirement.

    p is that of t; where every family has the same difference, that of the sign flips. One family
    never proves anything.
    """
    p = None if paired is None else paired.sign_p if paired.p is None else paired.p
    holds = False
    if paired is None:
        reason = "the two arms share no scored circumstance"
    elif p is None:
        reason = f"{paired.families} family gives no p"
    else:
        holds = paired.mean > 0 and p < requirement.alpha
        required = f"required above 0 with p < {requirement.alpha:g}"
        test = "sign-flip p" if paired.p is None else "p"  # where all families differ equally
        reason = f"difference {paired.mean:+.4g}, {test} {p:.3g}; {required}"
    return RequirementOutcome(requirement=requirement, holds=holds, reason=reason)


def _parse_probability(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 < value < 1 else None
