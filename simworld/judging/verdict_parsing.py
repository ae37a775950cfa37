"""A server judge's reply: its JSON schema, and our own parsing, for not all enforce schemas."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agents.lm.reasoning import split_thought
from simworld.core.judgement import Dimension
from simworld.judging.json_in_text import find_json, parse_whole_json

MAX_ENUM = 101  # whole numbers are listed, for some servers ignore minimum and maximum

MAX_WRAPPING_DEPTH = 3  # objects and lists around a verdict
MAX_WRAPPED_ITEMS = 20  # things in one of them
# what a model may call the reason where the schema is not enforced, the asked one first
_REASON_KEYS = ("reason", "reasons", "reasoning", "rationale", "explanation", "justification")
MAX_SCORE_CHARACTERS = 1000  # characters of a score that is not a number

# What a reply that cannot be used comes to, the nearer to a verdict the later.
_PROBLEM_KINDS = (
    "missing-seat",
    "missing-dimension",
    "missing-score",
    "not-a-number",
    "out-of-range",
    "not-whole",
)
# A number, perhaps of so many; then nothing, something in brackets, or words after a mark. "7-8"
# and "7 or 8" are no number.
_WORDED_SCORE = re.compile(
    r"(?P<number>[+\-\N{MINUS SIGN}]?\d+(?:\.\d+)?)(?:\s*(?:/|out of|of)\s*(?P<of>\d+(?:\.\d+)?))?"
    r"(?:\.?|\s*[(\[].*|\s*[:;,\N{EN DASH}\N{EM DASH}]\s[^\d]*|\s+-\s[^\d]*)",
    re.DOTALL,
)
ParsedScores = dict[tuple[str, str], tuple[float, str]]  # (name, dimension) → (score, reason)


class UnusableReply(Exception):
    """A reply that gives no verdict; `kind` is a stable word, the text says what is wrong."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def has_whole_scores(d: Dimension) -> bool:
    """Whether a dimension is scored in whole numbers: both ends are, at least two apart."""
    return d.low == int(d.low) and d.high == int(d.high) and 2 <= d.high - d.low < MAX_ENUM


def verdict_schema(asked: Mapping[str, Sequence[Dimension]]) -> dict[str, Any]:
    """The JSON schema of the reply: name → dimension → reason, then score."""

    def seat_schema(dimensions: Sequence[Dimension]) -> dict[str, Any]:
        reason = {"type": "string"}
        scores = {d.name: {"reason": reason, "score": _score_schema(d)} for d in dimensions}
        return _object_schema({name: _object_schema(score) for name, score in scores.items()})

    return _object_schema({name: seat_schema(dimensions) for name, dimensions in asked.items()})


def parse_verdicts(
    text: str, asked: Mapping[str, Sequence[Dimension]], *, was_cut: bool = False, thought: str = ""
) -> ParsedScores:
    """Scores and reasons by name and dimension, whatever stands around. Raises UnusableReply.

    `thought` is what the model thought. A server may have put the reply there; it is a verdict only
    where it stands alone.

    Of everything in the reply that is JSON, also inside a wrapping object or list, the one that
    fits what was asked is the verdict; two that fit and differ are none.
    """
    # A backend has split thoughts off: a last defence, for no verdict is taken out of one.
    is_json = parse_whole_json(text) is not None
    answer = text if is_json else split_thought(text).answer
    if not is_json and text.strip() == thought.strip():
        answer = ""
    if not answer.strip():
        raise UnusableReply("empty", "it is empty.")
    json_values = find_json(answer)
    problems: list[UnusableReply] = []
    values = json_values.values
    verdicts = [fit for value in values for fit in _fitting_verdicts(value, asked, problems)]
    if len({json.dumps([score for score, _ in scores.values()]) for scores in verdicts}) > 1:
        raise UnusableReply(
            "ambiguous", f"there are {len(verdicts)} verdicts in it, and they differ; give one."
        )
    if verdicts:
        return verdicts[-1]
    if was_cut and json_values.broken:
        raise UnusableReply("truncated", "it was cut off before its end; write shorter reasons.")
    if problems:
        raise max(problems, key=lambda problem: _PROBLEM_KINDS.index(problem.kind))
    if json_values.broken:
        raise UnusableReply("not-json", f"it is not valid JSON ({json_values.broken}).")
    raise UnusableReply("not-json", "there is no JSON object in it.")


def find_missing_reason(scores: ParsedScores) -> UnusableReply | None:
    """What to say of the first score that has no reason; None where all have one."""
    for (name, dimension), (_, reason) in scores.items():
        if not reason:
            return UnusableReply("missing-reason", f"{name!r}, {dimension!r} has no reason.")
    return None


def _fitting_verdicts(
    value: Any,
    asked: Mapping[str, Sequence[Dimension]],
    problems: list[UnusableReply],
    depth: int = 0,
) -> Iterator[ParsedScores]:
    """What fits in a value, or in what it wraps; what does not fit adds to the problems."""
    parts: list[Any] = []
    if isinstance(value, str):
        parts = [parse_whole_json(value)]
    elif isinstance(value, list):
        parts = value
    elif isinstance(value, Mapping):
        try:
            yield _parse_scores(value, asked)
            return
        except UnusableReply as problem:
            problems.append(problem)
            if problem.kind != _PROBLEM_KINDS[0]:
                return
        parts = list(value.values())
    if depth < MAX_WRAPPING_DEPTH and len(parts) <= MAX_WRAPPED_ITEMS:
        for part in parts:
            yield from _fitting_verdicts(part, asked, problems, depth + 1)


def _parse_scores(
    data: Mapping[str, Any], asked: Mapping[str, Sequence[Dimension]]
) -> ParsedScores:
    scores: ParsedScores = {}
    for name, dimensions in asked.items():
        verdicts = _lookup(data, name, "missing-seat", f"there is nothing under {name!r}")
        for d in dimensions:
            message = f"{name!r} has no {d.name!r}"
            verdict = _lookup(verdicts, d.name, "missing-dimension", message)
            score_key = _find_key(verdict, "score")
            if score_key is None:
                raise UnusableReply("missing-score", f"{name!r}, {d.name!r} has no 'score'.")
            score = parse_score(verdict[score_key], name, d)
            scores[name, d.name] = score, _parse_reason(verdict)
    return scores


def _parse_reason(verdict: Mapping[str, Any]) -> str:
    """The reason, empty where it has no word in it: "…" is how the form of the reply shows it. A
    list of sentences is one reason.
    """
    for key in _REASON_KEYS:
        found = _find_key(verdict, key)
        value = verdict[found] if found is not None else None
        parts = value if isinstance(value, list) else [value]
        text = " ".join(part.strip() for part in parts if isinstance(part, str)).strip()
        if re.search(r"\w", text):
            return text
    return ""


def _lookup(data: Mapping[str, Any], key: str, kind: str, message: str) -> Mapping[str, Any]:
    found = _find_key(data, key)
    if found is None:
        keys_text = ", ".join(repr(k) for k in list(data)[:10]) or "nothing"
        raise UnusableReply(kind, f"{message}, found {keys_text}.")
    value = data[found]
    if not isinstance(value, Mapping):
        raise UnusableReply(kind, f"{message} that is an object.")
    return value


def _find_key(data: Mapping[str, Any], key: str) -> str | None:
    """The key as it stands in the data: a model may write another case, or blanks for underscores.
    None where there is none, or where several are alike.
    """
    if key in data:
        return key
    similar_keys = [k for k in data if _normalized_key(k) == _normalized_key(key)]
    return similar_keys[0] if len(similar_keys) == 1 else None


def parse_score(value: Any, name: str, d: Dimension) -> float:
    """The score that a dimension was given, as a number or in words like "8", "8/10" or "0 (nothing
    happened)". Raises UnusableReply.
    """
    if isinstance(value, str):
        value = _parse_worded_score(value, name, d)
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
    if has_whole_scores(d) and value != int(value):
        raise UnusableReply(
            "not-whole", f"{name!r}, {d.name!r}: the score {value:g} is not a whole number."
        )
    return float(value)


def _parse_worded_score(text: str, name: str, d: Dimension) -> float:
    match = _WORDED_SCORE.fullmatch(text[:MAX_SCORE_CHARACTERS].strip())
    if match is None:
        raise UnusableReply(
            "not-a-number", f"{name!r}, {d.name!r}: the score {text[:40]!r} is no number."
        )
    if match["of"] is not None and float(match["of"]) not in {d.high, -d.low} - {0}:
        span = f"{d.low:g} to {d.high:g}"
        raise UnusableReply(
            "not-a-number", f"{name!r}, {d.name!r}: {text[:40]!r} is of another scale than {span}."
        )
    return float(match["number"].replace("\N{MINUS SIGN}", "-"))


def _normalized_key(key: object) -> str:
    return re.sub(r"[\W_]+", " ", str(key)).strip().casefold()


def _score_schema(d: Dimension) -> dict[str, Any]:
    if has_whole_scores(d):
        return {"type": "integer", "enum": list(range(int(d.low), int(d.high) + 1))}
    return {"type": "number", "minimum": d.low, "maximum": d.high}


def _object_schema(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
