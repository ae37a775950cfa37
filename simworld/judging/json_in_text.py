"""The JSON in a model's reply, whatever stands around it; bounded in time on any text."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

MAX_CHARACTERS = 500_000  # of a text that is read
MAX_VALUES = 200  # objects in one text
# characters gone over again because what looked like an object could not be read
MAX_REREAD_CHARACTERS = 2_000_000

_BRACE = re.compile(r"[{}]")
_OBJECT_START = re.compile(r'\{\s*["}]')  # an object; prose has {words}
# A string, closed or not, or a comma that nothing follows. Possessive, so that no text takes more
# than one pass.
_STRING_OR_TRAILING_COMMA = re.compile(r'("(?:[^"\\]|\\.)*+(?:"|\\?\Z))|,(?=\s*+[}\]])', re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonValues:
    """The JSON values in a text, and what is wrong with the first that is broken."""

    values: tuple[Any, ...]  # outermost, in order
    broken: str = ""  # what is wrong with the first object that cannot be read


def find_json(text: str) -> JsonValues:
    """The whole text where it is JSON, else every object that stands in it and in no other brace.

    What stands inside something that cannot be read is left alone: it may be what somebody said,
    quoted.
    """
    if len(text) > MAX_CHARACTERS:
        return JsonValues(
            values=(), broken=f"it has {len(text):,} characters, more than {MAX_CHARACTERS:,}"
        )
    whole_value = parse_whole_json(text)
    if isinstance(whole_value, dict | list | str):
        return JsonValues(values=(whole_value,))
    values: list[Any] = []
    broken = ""
    position = depth = reread_characters = 0
    while brace := _BRACE.search(text, position):
        position = brace.end()
        if brace[0] == "}":
            depth = max(0, depth - 1)
            continue
        if depth == 0 and _OBJECT_START.match(text, brace.start()):
            try:
                value, position = _DECODER.raw_decode(text, brace.start())
                if len(values) < MAX_VALUES:
                    values.append(value)
                    continue
            except (ValueError, RecursionError):
                reread_characters += len(text) - brace.start()
            if reread_characters > MAX_REREAD_CHARACTERS or len(values) >= MAX_VALUES:
                return JsonValues(values=(), broken="too many objects begin in it")
            try:
                value, length = _DECODER.raw_decode(_without_trailing_commas(text[brace.start() :]))
                values.append(value)
                position = brace.start() + length
                continue
            except (ValueError, RecursionError) as error:
                broken = broken or _one_line(error)
        depth += 1
    return JsonValues(values=tuple(values), broken=broken)


def parse_whole_json(text: str) -> Any:
    """The value of a text that is JSON as a whole, trailing commas allowed; else None."""
    stripped = text.strip()
    if not stripped.startswith(("{", "[", '"')):
        return None
    for candidate in (stripped, _without_trailing_commas(stripped)):
        try:
            return _DECODER.decode(candidate)
        except (ValueError, RecursionError):
            continue
    return None


def _without_trailing_commas(text: str) -> str:
    """Of the same length: a blank for each."""
    return _STRING_OR_TRAILING_COMMA.sub(lambda match: match[1] or " ", text)


def _refuse_conflicting_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for key, value in pairs:
        if key in merged and merged[key] != value:
            raise ValueError(f"{key[:40]!r} stands in it twice, with different values")
        merged[key] = value
    return merged


def _refuse_constant(constant: str) -> float:
    raise ValueError(f"{constant} is no number")


def _one_line(error: Exception) -> str:
    return (
        "it is nested too deeply"
        if isinstance(error, RecursionError)
        else " ".join(str(error).split())[:200]
    )


# Not strict: line breaks and tabs may stand in strings as they are.
_DECODER = json.JSONDecoder(
    strict=False, parse_constant=_refuse_constant, object_pairs_hook=_refuse_conflicting_keys
)
