"""A server judge's reply: the JSON schema it is asked to follow, and our own reading of it, for schemas are not always enforced."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from simworld.core.judgement import Dimension

MAX_ENUM = 101  # whole numbers are listed, for some servers ignore minimum and maximum

_FENCE = re.compile(r"```(?:json)?\s*(.*?)```", re.DOTALL)
_THOUGHT = re.compile(r"^\s*<think>.*?</think>", re.DOTALL)

Scores = dict[tuple[str, str], tuple[float, str]]  # (name, dimension) → (score, reason)


class Unusable(Exception):
    """A reply that gives no verdict; `kind` is a stable word, the text says what is wrong, for the model and for people."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def is_whole(d: Dimension) -> bool:
    """Whether a dimension is scored in whole numbers: both ends are, and there are at least two steps between."""
    return d.low == int(d.low) and d.high == int(d.high) and 2 <= d.high - d.low < MAX_ENUM


def schema_for(keys: Mapping[str, Sequence[Dimension]]) -> dict[str, Any]:
    """The JSON schema of the reply: name → dimension → reason, then score."""
    return _object(
        {
            name: _object({d.name: _object({"reason": {"type": "string"}, "score": _score(d)}) for d in dimensions})
            for name, dimensions in keys.items()
        }
    )


def read_reply(text: str, keys: Mapping[str, Sequence[Dimension]], *, cut: bool = False) -> Scores:
    """Scores and reasons by name and dimension, whatever their order in the reply. Raises Unusable."""
    data = _json(text, cut=cut)
    scores: Scores = {}
    for name, dimensions in keys.items():
        about = _entry(data, name, "missing-seat", f"there is nothing under {name!r}")
        for d in dimensions:
            verdict = _entry(about, d.name, "missing-dimension", f"{name!r} has no {d.name!r}")
            if "score" not in verdict:
                raise Unusable("missing-score", f"{name!r}, {d.name!r} has no 'score'.")
            reason = verdict.get("reason", "")
            scores[name, d.name] = (
                _number(verdict["score"], name, d),
                reason.strip() if isinstance(reason, str) else "",
            )
    return scores


def _json(text: str, *, cut: bool) -> Mapping[str, Any]:
    body = _THOUGHT.sub("", text).strip()
    if not body:
        raise Unusable("empty", "it is empty.")
    if fenced := _FENCE.search(body):
        body = fenced[1].strip()
    start = body.find("{")
    if start < 0:
        raise Unusable("not-json", "there is no JSON object in it.")
    try:
        data, _ = json.JSONDecoder(parse_constant=_refuse).raw_decode(body[start:])  # text around the object is ignored
    except (ValueError, RecursionError) as error:
        if cut:
            raise Unusable("truncated", "it was cut off before its end; write shorter reasons.") from None
        raise Unusable("not-json", f"it is not valid JSON ({error}).") from None
    return data if isinstance(data, Mapping) else {}


def _entry(data: Mapping[str, Any], key: str, kind: str, message: str) -> Mapping[str, Any]:
    if key in data:
        value = data[key]
    else:  # a model may write another case, or blanks for underscores
        alike = [k for k in data if _plain(k) == _plain(key)]
        if len(alike) != 1:
            found = ", ".join(repr(k) for k in list(data)[:10]) or "nothing"
            raise Unusable(kind, f"{message}, found {found}.")
        value = data[alike[0]]
    if not isinstance(value, Mapping):
        raise Unusable(kind, f"{message} that is an object.")
    return value


def _number(value: Any, name: str, d: Dimension) -> float:
    if isinstance(value, str):
        try:
            value = float(value.strip())
        except ValueError:
            raise Unusable("not-a-number", f"{name!r}, {d.name!r}: the score {value[:40]!r} is no number.") from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unusable("not-a-number", f"{name!r}, {d.name!r}: the score is no number.")
    if not d.low <= value <= d.high:  # also what is not finite
        span = f"{d.low:g} to {d.high:g}"
        raise Unusable("out-of-range", f"{name!r}, {d.name!r}: the score {str(value)[:20]} is not in {span}.")
    if is_whole(d) and value != int(value):
        raise Unusable("not-whole", f"{name!r}, {d.name!r}: the score {value:g} is not a whole number.")
    return float(value)


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no number")


def _plain(key: object) -> str:
    return re.sub(r"[\W_]+", " ", str(key)).strip().casefold()


def _score(d: Dimension) -> dict[str, Any]:
    if is_whole(d):
        return {"type": "integer", "enum": list(range(int(d.low), int(d.high) + 1))}
    return {"type": "number", "minimum": d.low, "maximum": d.high}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
