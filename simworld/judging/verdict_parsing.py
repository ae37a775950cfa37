"""A server judge's reply: the JSON schema it is asked to follow, and our own reading of it, for
schemas are not always enforced.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agents.lm.reasoning import split_thought
from simworld.core.judgement import Dimension
from simworld.judging.json_in_text import json_in, json_whole

MAX_ENUM = 101  # whole numbers are listed, for some servers ignore minimum and maximum

MAX_WRAPS = 3  # objects and lists around a verdict
MAX_WRAPPED = 20  # things in one of them
MAX_WORDS = 1000  # characters of a score that is not a number

# What a reply that cannot be used comes to, the nearer to a verdict the later.
_NEARNESS = (
    "missing-seat",
    "missing-dimension",
    "missing-score",
    "not-a-number",
    "out-of-range",
    "not-whole",
)
# A number, perhaps of so many; then nothing, something in brackets, or words after a mark. "7-8"
# and "7 or 8" are no number.
_WORDED = re.compile(
    r"(?P<number>[+\-\N{MINUS SIGN}]?\d+(?:\.\d+)?)(?:\s*(?:/|out of|of)\s*(?P<of>\d+(?:\.\d+)?))?"
    r"(?:\.?|\s*[(\[].*|\s*[:;,\N{EN DASH}\N{EM DASH}]\s[^\d]*|\s+-\s[^\d]*)",
    re.DOTALL,
)
ParsedScores = dict[tuple[str, str], tuple[float, str]]  # (name, dimension) → (score, reason)


class UnusableReply(Exception):
    """A reply that gives no verdict; `kind` is a stable word, the text says what is wrong, for the
    model and for people.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def is_whole(d: Dimension) -> bool:
    """Whether a dimension is scored in whole numbers: both ends are, and there are at least two
    steps between.
    """
    return d.low == int(d.low) and d.high == int(d.high) and 2 <= d.high - d.low < MAX_ENUM


def schema_for(keys: Mapping[str, Sequence[Dimension]]) -> dict[str, Any]:
    """The JSON schema of the reply: name → dimension → reason, then score."""
    return _object(
        {
            name: _object(
                {
                    d.name: _object({"reason": {"type": "string"}, "score": _score(d)})
                    for d in dimensions
                }
            )
            for name, dimensions in keys.items()
        }
    )


def read_reply(
    text: str, keys: Mapping[str, Sequence[Dimension]], *, cut: bool = False, thought: str = ""
) -> ParsedScores:
    """Scores and reasons by name and dimension, whatever their order and whatever stands around
    them. Raises UnusableReply.

    `thought` is what the model thought. A server may have put the reply there; it is a verdict only
    where it stands alone.

    Of everything in the reply that is JSON, also inside a wrapping object or list, the one that
    fits what was asked is the verdict; two that fit and differ are none.
    """
    # A backend has split thoughts off: a last defence, for no verdict is taken out of one.
    whole = json_whole(text) is not None
    answer = text if whole else split_thought(text).answer
    if not whole and text.strip() == thought.strip():
        answer = ""
    if not answer.strip():
        raise UnusableReply("empty", "it is empty.")
    found = json_in(answer)
    problems: list[UnusableReply] = []
    readings = [scores for value in found.values for scores in _readings(value, keys, problems)]
    if len({json.dumps([score for score, _ in scores.values()]) for scores in readings}) > 1:
        raise UnusableReply(
            "ambiguous", f"there are {len(readings)} verdicts in it, and they differ; give one."
        )
    if readings:
        return readings[-1]
    if cut and found.broken:
        raise UnusableReply("truncated", "it was cut off before its end; write shorter reasons.")
    if problems:
        raise max(problems, key=lambda problem: _NEARNESS.index(problem.kind))
    if found.broken:
        raise UnusableReply("not-json", f"it is not valid JSON ({found.broken}).")
    raise UnusableReply("not-json", "there is no JSON object in it.")


def _readings(
    value: Any,
    keys: Mapping[str, Sequence[Dimension]],
    problems: list[UnusableReply],
    depth: int = 0,
) -> Iterator[ParsedScores]:
    """What fits in a value, or in what it wraps; what does not fit adds to the problems."""
    parts: list[Any] = []
    if isinstance(value, str):
        parts = [json_whole(value)]
    elif isinstance(value, list):
        parts = value
    elif isinstance(value, Mapping):
        try:
            yield _scores(value, keys)
            return
        except UnusableReply as problem:
            problems.append(problem)
            if problem.kind != _NEARNESS[0]:
                return
        parts = list(value.values())
    if depth < MAX_WRAPS and len(parts) <= MAX_WRAPPED:
        for part in parts:
            yield from _readings(part, keys, problems, depth + 1)


def _scores(data: Mapping[str, Any], keys: Mapping[str, Sequence[Dimension]]) -> ParsedScores:
    scores: ParsedScores = {}
    for name, dimensions in keys.items():
        about = _entry(data, name, "missing-seat", f"there is nothing under {name!r}")
        for d in dimensions:
            verdict = _entry(about, d.name, "missing-dimension", f"{name!r} has no {d.name!r}")
            if "score" not in verdict:
                raise UnusableReply("missing-score", f"{name!r}, {d.name!r} has no 'score'.")
            reason = verdict.get("reason", "")
            scores[name, d.name] = (
                read_score(verdict["score"], name, d),
                reason.strip() if isinstance(reason, str) else "",
            )
    return scores


def _entry(data: Mapping[str, Any], key: str, kind: str, message: str) -> Mapping[str, Any]:
    if key in data:
        value = data[key]
    else:  # a model may write another case, or blanks for underscores
        alike = [k for k in data if _plain(k) == _plain(key)]
        if len(alike) != 1:
            found = ", ".join(repr(k) for k in list(data)[:10]) or "nothing"
            raise UnusableReply(kind, f"{message}, found {found}.")
        value = data[alike[0]]
    if not isinstance(value, Mapping):
        raise UnusableReply(kind, f"{message} that is an object.")
    return value


def read_score(value: Any, name: str, d: Dimension) -> float:
    """The score that a dimension was given, as a number or in words like "8", "8/10" or "0 (nothing
    happened)". Raises UnusableReply.
    """
    if isinstance(value, str):
        value = _worded(value, name, d)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnusableReply(
            "not-a-number",
            f"{name!r}, {d.name!r}: the score {json.dumps(value)[:40]} is no number.",
        )
    if not d.low <= value <= d.high:  # also what is not finite
        span = f"{d.low:g} to {d.high:g}"
        raise UnusableReply(
            "out-of-range", f"{name!r}, {d.name!r}: the score {str(value)[:20]} is not in {span}."
        )
    if is_whole(d) and value != int(value):
        raise UnusableReply(
            "not-whole", f"{name!r}, {d.name!r}: the score {value:g} is not a whole number."
        )
    return float(value)


def _worded(text: str, name: str, d: Dimension) -> float:
    words = _WORDED.fullmatch(text[:MAX_WORDS].strip())
    if words is None:
        raise UnusableReply(
            "not-a-number", f"{name!r}, {d.name!r}: the score {text[:40]!r} is no number."
        )
    if words["of"] is not None and float(words["of"]) not in {d.high, -d.low} - {0}:
        span = f"{d.low:g} to {d.high:g}"
        raise UnusableReply(
            "not-a-number", f"{name!r}, {d.name!r}: {text[:40]!r} is of another scale than {span}."
        )
    return float(words["number"].replace("\N{MINUS SIGN}", "-"))


def _plain(key: object) -> str:
    return re.sub(r"[\W_]+", " ", str(key)).strip().casefold()


def _score(d: Dimension) -> dict[str, Any]:
    if is_whole(d):
        return {"type": "integer", "enum": list(range(int(d.low), int(d.high) + 1))}
    return {"type": "number", "minimum": d.low, "maximum": d.high}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
