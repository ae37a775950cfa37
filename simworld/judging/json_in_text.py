"""The JSON in a model's reply, whatever stands before, around and after it; bounded in time on any
text.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

MAX_CHARACTERS = 500_000  # of a text that is read
MAX_VALUES = 200  # objects in one text
# characters gone over again because what looked like an object could not be read
MAX_WORK = 2_000_000

_BRACE = re.compile(r"[{}]")
_BEGINS = re.compile(r'\{\s*["}]')  # an object; prose has {words}
# A string, closed or not, or a comma that nothing follows. Possessive, so that no text takes more
# than one pass.
_STRING_OR_TRAILING_COMMA = re.compile(r'("(?:[^"\\]|\\.)*+(?:"|\\?\Z))|,(?=\s*+[}\]])', re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonValues:
    """What a text holds."""

    values: tuple[Any, ...]  # outermost, in order
    broken: str = ""  # what is wrong with the first object that cannot be read


def json_in(text: str) -> JsonValues:
    """The whole text where it is JSON, else every object that stands in it and in no other brace.

    What stands inside something that cannot be read is left alone: it may be what somebody said,
    quoted.
    """
    if len(text) > MAX_CHARACTERS:
        return JsonValues(
            values=(), broken=f"it has {len(text):,} characters, more than {MAX_CHARACTERS:,}"
        )
    whole = json_whole(text)
    if isinstance(whole, dict | list | str):
        return JsonValues(values=(whole,))
    values: list[Any] = []
    broken = ""
    at = depth = work = 0
    while brace := _BRACE.search(text, at):
        at = brace.end()
        if brace[0] == "}":
            depth = max(0, depth - 1)
            continue
        if depth == 0 and _BEGINS.match(text, brace.start()):
            try:
                value, at = _DECODER.raw_decode(text, brace.start())
                if len(values) < MAX_VALUES:
                    values.append(value)
                    continue
            except (ValueError, RecursionError):
                work += len(text) - brace.start()
            if work > MAX_WORK or len(values) >= MAX_VALUES:
                return JsonValues(values=(), broken="too many objects begin in it")
            try:
                value, length = _DECODER.raw_decode(_without_trailing_commas(text[brace.start() :]))
                values.append(value)
                at = brace.start() + length
                continue
            except (ValueError, RecursionError) as error:
                broken = broken or _one_line(error)
        depth += 1
    return JsonValues(values=tuple(values), broken=broken)


def json_whole(text: str) -> Any:
    """The value of a text that is JSON from its beginning to its end, with commas too many; None
    where it is not.
    """
    body = text.strip()
    if not body.startswith(("{", "[", '"')):
        return None
    for tried in (body, _without_trailing_commas(body)):
        try:
            return _DECODER.decode(tried)
        except (ValueError, RecursionError):
            continue
    return None


def _without_trailing_commas(text: str) -> str:
    """Of the same length: a blank for each."""
    return _STRING_OR_TRAILING_COMMA.sub(lambda found: found[1] or " ", text)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in pairs:
        if key in made and made[key] != value:
            raise ValueError(f"{key[:40]!r} stands in it twice, with different values")
        made[key] = value
    return made


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no number")


def _one_line(error: Exception) -> str:
    return (
        "it is nested too deeply"
        if isinstance(error, RecursionError)
        else " ".join(str(error).split())[:200]
    )


# Not strict: line breaks and tabs may stand in strings as they are.
_DECODER = json.JSONDecoder(strict=False, parse_constant=_refuse, object_pairs_hook=_once)
