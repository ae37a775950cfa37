"""Regular expressions from outside, compiled only where that is sure to be cheap.

The compiler of `regex` writes a repeated part out as often as it must occur at least:
`((a{900}){900}){900}` would take tens of gigabytes, and nested groups end in a RecursionError. So
the size is counted first, in one pass over the text.
"""

from __future__ import annotations

import re
from functools import lru_cache

import regex

MAX_LENGTH = 20_000  # characters
MAX_DEPTH = 50  # groups in groups: the compiler calls itself several times for each
MAX_PARTS = 100_000  # characters once repeats are written out: some 25 MB and a third of a second

# Flags that change how what follows is read; only where they stand at the very beginning is their
# reach plain.
_LEADING_FLAGS = re.compile(r"(?:\(\?(?:[aiLmsuxbefprw]|V[01])+\))*")
_LATER_FLAGS = re.compile(r"\(\?[a-zA-Z0-9]*(?:[xV\s-]|(?<=[a-zA-Z0-9])#)")
_ATOM = r"""
    \\(?s:.)  # an escape
  # a set; ] may stand first
  | \[\^?\]?(?>(?:\\(?s:.)|\[:\^?[\w\ &.-]*+(?:[:=][\w\ &/.-]*+)?:\]|[^\]\\])*)\]?
  # a comment, or flags
  | (?P<nothing>\(\?\#(?:\\(?s:.)|[^)\\])*\)? | \(\?[a-zA-Z0-9]*\))
"""
_COUNT = r"\{(?P<low>[0-9]*)(?P<comma>,)?(?P<high>[0-9]*)\}"
_TOKEN = re.compile(rf"{_ATOM} | {_COUNT} | (?s:.)", re.VERBOSE)
_SPACE = r"(?:\s|\#[^\n]*(?:\n|$))"
_VERBOSE_COUNT = rf"\{{(?P<low>(?:[0-9]|{_SPACE})*+)(?P<comma>,)?(?P<high>(?:[0-9]|{_SPACE})*+)\}}"
_VERBOSE_TOKEN = re.compile(rf"{_ATOM} | {_VERBOSE_COUNT} | {_SPACE}+ | (?s:.)", re.VERBOSE)
_ANY_COUNT = re.compile(_VERBOSE_COUNT, re.VERBOSE)


class PatternError(ValueError):
    """A pattern that cannot be used; the text says why, in one line."""


@lru_cache(maxsize=2_000)
def compile_pattern(pattern: str) -> regex.Pattern[str]:
    """The compiled pattern.

    Raises:
        PatternError: it is no regular expression, or would be too large.
    """
    if too_large := _too_large(pattern):
        raise PatternError(too_large)
    try:
        return regex.compile(pattern)
    except regex.error as error:
        position = (
            f" at position {error.pos + 1}" if getattr(error, "pos", None) is not None else ""
        )
        raise PatternError(
            f"not a valid regular expression: {getattr(error, 'msg', error)}{position}"
        ) from None
    except (
        ValueError,
        OverflowError,
        RecursionError,
        MemoryError,
        KeyError,
        IndexError,
        AttributeError,
    ) as error:
        # The compiler of `regex` is not made for hostile input; whatever it trips over is the
        # pattern's fault.
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise PatternError(f"not a valid regular expression: {reason}") from None


def _too_large(pattern: str) -> str:
    """Why a pattern is not compiled, or empty."""
    if len(pattern) > MAX_LENGTH:
        return f"the pattern has {len(pattern):,} characters; at most {MAX_LENGTH:,} are compiled"
    parts, depth = pattern_size(pattern)
    if depth > MAX_DEPTH:
        return f"the pattern has groups nested {depth} deep; at most {MAX_DEPTH} are compiled"
    if parts > MAX_PARTS:
        return (
            f"the pattern is too large: with its repeats written out it has more than {MAX_PARTS:,}"
            " parts; use smaller counts, or * for any number"
        )
    return ""


def pattern_size(pattern: str) -> tuple[int, int]:
    """How many parts a pattern has with its repeats written out, counted up to a little over the
    limit, and its depth.

    Never fewer than there are; more where flags in the middle of the pattern leave open how it is
    read.
    """
    flags_match = _LEADING_FLAGS.match(pattern)
    start = flags_match.end() if flags_match else 0
    flags = pattern[:start]
    if "V" in flags or _LATER_FLAGS.search(pattern, start):
        return _largest_size(pattern)
    open_groups = [0]  # parts so far of each group that is still open
    last_size, depth = 0, 0
    for token in (_VERBOSE_TOKEN if "x" in flags else _TOKEN).finditer(pattern, start):
        text = token[0]
        if text == "(":
            open_groups.append(1)
            last_size, depth = 0, max(depth, len(open_groups) - 1)
        elif text == ")":
            last_size = open_groups.pop() if len(open_groups) > 1 else 0
            open_groups[-1] = _capped_size(open_groups[-1] + last_size)
        elif copies := _copy_count(token):
            open_groups[-1] = _capped_size(open_groups[-1] + last_size * (copies - 1))
            last_size = _capped_size(last_size * copies)
        elif token["nothing"]:  # a quantifier after it is for what stands before it
            last_size = max(last_size, 1)
            open_groups[-1] = _capped_size(open_groups[-1] + 1)
        elif not ("x" in flags and (text[0].isspace() or text[0] == "#")):
            last_size = len(text) if text[0] == "[" else 1
            open_groups[-1] = _capped_size(open_groups[-1] + last_size)
    return sum(open_groups), depth


def _largest_size(pattern: str) -> tuple[int, int]:
    """The size a pattern has at most: as if every repeat stood inside every other."""
    parts = len(pattern) * 2 ** min(pattern.count("+"), 20)
    for token in _ANY_COUNT.finditer(pattern):
        parts = _capped_size(parts * max(1, _copy_count(token)))
    return parts, pattern.count("(") + pattern.count("[")


def _copy_count(token: re.Match[str]) -> int:
    """How often a quantifier has what it repeats written out; 0 for what is no quantifier."""
    if token[0] in ("*", "?"):
        return 1
    if token[0] == "+":
        return 2
    if token["low"] is None:
        return 0
    low, high = (int(_digits(token[name])[:9] or "0") for name in ("low", "high"))
    if token["comma"] is None:
        return max(1, low)
    return low + (low != high or not _digits(token["high"]))


def _digits(text: str) -> str:
    return "".join(re.findall("[0-9]", re.sub(r"#[^\n]*", "", text))).lstrip("0")


def _capped_size(parts: int) -> int:
    return min(parts, MAX_PARTS + 1)
