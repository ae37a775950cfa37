"""The wording of problems: what was found, what was expected, and what the author may have
meant.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import yaml

from simworld.core.counts import counted

MAX_SHOWN = 40  # characters of a value in a message


CUTOFF = 0.6  # of likeness, from 0 to 1, for words


def did_you_mean(
    word: object,
    candidates: Iterable[str],
    *,
    cutoff: float = CUTOFF,
    display: Callable[[str], str] = str,
) -> str:
    """`; did you mean 'goal'?` for a near miss, else an empty text; `display` gives what is said of
    the candidate.
    """
    match = closest_match(word, candidates, cutoff=cutoff)
    return f"; did you mean '{display(match)}'?" if match else ""


def closest_match(word: object, candidates: Iterable[str], *, cutoff: float = CUTOFF) -> str | None:
    """The candidate that `word` most likely stands for: other case or dashes, few letters apart, or
    else its beginning.
    """
    originals = {_normalized(candidate): candidate for candidate in candidates}
    normalized_word = _normalized(str(word))
    matches = difflib.get_close_matches(normalized_word, originals, n=1, cutoff=cutoff)
    if not matches and len(normalized_word) >= 3:
        matches = [name for name in originals if name.startswith(normalized_word)]
    return originals[matches[0]] if matches else None


def dotted_path(loc: Sequence[str | int]) -> str:
    """`seats.1.goal`."""
    return ".".join(shorten(str(part)) for part in loc)


def shorten(text: str) -> str:
    """The text on one line and not too long."""
    line = " ".join(text.split())
    return line if len(line) <= MAX_SHOWN else line[: MAX_SHOWN - 1] + "…"


def describe_value(value: Any, raw_text: str | None = None) -> str:
    """What the author gave, in words; `raw_text` is a scalar's own spelling."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"the truth value {raw_text or str(value).lower()}"
    if isinstance(value, int | float):
        return f"the number {raw_text or value}"
    if isinstance(value, str):
        return f"the text '{shorten(value)}'"
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list"


# pydantic's error type → what was expected
_EXPECTED = {
    "string_type": "text",
    **dict.fromkeys(("int_type", "int_from_float", "int_parsing"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "a number"),
    "finite_number": "a finite number",
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(("list_type", "tuple_type", "set_type", "frozen_set_type"), "a list"),
    **dict.fromkeys(("dict_type", "mapping_type", "model_type"), "a mapping"),
    **dict.fromkeys(("model_attributes_type", "dataclass_type"), "a mapping"),
    "none_required": "nothing",
}


def expected_type(kind: str) -> str | None:
    """What an error of a wrong type expected, or None for errors of other kinds."""
    return _EXPECTED.get(kind)


def type_message(kinds: Sequence[str], value: Any, raw_text: str | None) -> str:
    """`expected text, found the number 5; put it in quotes`, for one error or for all branches of a
    union.
    """
    types = list(dict.fromkeys(_EXPECTED[kind] for kind in kinds if kind != "none_required"))
    text = f"expected {' or '.join(types)}, found {describe_value(value, raw_text)}"
    if "text" in types and isinstance(value, bool | int | float):
        return f"{text}; put it in quotes"
    if value is None:
        return f"{text}; write a value or remove the line"
    return text


def constraint_message(kind: str, error: Mapping[str, Any], value: Any, raw: str | None) -> str:
    """The message of any other validation error."""
    context: Mapping[str, Any] = error.get("ctx", {})
    if wording := _WORDINGS.get(kind):
        return wording(context, describe_value(value, raw))
    if kind in ("enum", "literal_error"):
        choices = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        hint = did_you_mean(value, choices) if isinstance(value, str) else ""
        return f"expected {join_with_or(choices)}, found {describe_value(value, raw)}{hint}"
    if kind == "union_tag_invalid":
        choices = re.findall(r"'([^']*)'", str(context.get("expected_tags", "")))
        tag = context.get("tag")
        return (
            f"{context.get('discriminator', '')}: expected {join_with_or(choices)}, found"
            f" '{tag}'{did_you_mean(tag, choices)}"
        )
    text = str(error.get("msg", "not valid"))
    text = re.sub(r"^(Value error|Assertion failed), ", "", text)
    return text if kind in ("value_error", "assertion_error") else f"{text[:1].lower()}{text[1:]}"


_WORDINGS: Mapping[str, Callable[[Mapping[str, Any], str], str]] = {
    "greater_than": lambda c, f: f"expected more than {c['gt']:g}, found {f}",
    "greater_than_equal": lambda c, f: f"expected at least {c['ge']:g}, found {f}",
    "less_than": lambda c, f: f"expected less than {c['lt']:g}, found {f}",
    "less_than_equal": lambda c, f: f"expected at most {c['le']:g}, found {f}",
    "too_short": lambda c, f: (
        f"expected at least {_entries(c['min_length'])}, found {_entries(c['actual_length'])}"
    ),
    "too_long": lambda c, f: f"expected at most {_entries(c['max_length'])}, found {_actual(c)}",
    "string_too_short": lambda c, f: (
        "must not be empty" if c["min_length"] == 1 else f"too short: at least {c['min_length']}"
    ),
    "string_too_long": lambda c, f: f"expected at most {c['max_length']:,} characters",
    "string_pattern_mismatch": lambda c, f: f"expected a text like {c['pattern']}, found {f}",
    "union_tag_not_found": lambda c, f: (
        f"{str(c['discriminator']).strip(chr(39))}: required field is missing"
    ),
}


def syntax_message(error: yaml.MarkedYAMLError, text: str) -> str:
    """A YAML syntax error in one line, with advice for what goes wrong most often."""
    problem = str(error.problem or error.context or "not valid YAML")
    mark = error.problem_mark
    lines = text.split("\n")
    line = lines[mark.line] if mark and mark.line < len(lines) else ""
    hint = ""
    if line[: len(line) - len(line.lstrip())].count("\t") or "'\\t'" in problem or "tab" in problem:
        hint = "; indent with spaces, not with tabs"
    elif "mapping values are not allowed" in problem:
        hint = "; text with ': ' in it needs quotes, or '>' and a line of its own"
    elif "cannot start any token" in problem:
        hint = "; text that begins with this character needs quotes"
    elif "end of stream" in problem or "unexpected end" in problem:
        hint = "; a quote or bracket is not closed"
    elif "expected" in problem and error.context:
        start = f" that begins in line {error.context_mark.line + 1}" if error.context_mark else ""
        hint = f" {error.context}{start}; check the indentation, quotes and brackets"
    return f"not valid YAML: {problem}{hint}"


def _normalized(word: str) -> str:
    return word.casefold().replace("-", "_").replace(" ", "_")


def join_with_or(choices: Sequence[str]) -> str:
    """`a, b or c`."""
    return _joined(choices, "or") or "another value"


def join_with_and(names: Sequence[str]) -> str:
    """`a, b and c`."""
    return _joined(names, "and")


def _joined(words: Sequence[str], link: str) -> str:
    return f"{', '.join(words[:-1])} {link} {words[-1]}" if len(words) > 1 else "".join(words)


def _entries(n: int) -> str:
    return counted(n, "entry", "entries")


def _actual(context: Mapping[str, Any]) -> str:
    return (
        _entries(context["actual_length"]) if context.get("actual_length") is not None else "more"
    )
