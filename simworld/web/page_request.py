"""What a page is asked for: path parts and query fields from outside, turned into checked values or
clear errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from simworld.core.counts import counted
from simworld.core.errors import InputError
from simworld.yamlfile import did_you_mean

MAX_FILTER_CHARS = 500  # characters of a filter


class PageNotFound(InputError):
    """What the address names does not exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """The question that an address asks. Fields that are empty count as not given."""

    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    # whether the user came from our own pages or typed the address, and no other site sent them
    same_origin: bool = True

    def path_part(self, name: str) -> str:
        """A part of the path."""
        return self.path[name]

    def text(self, name: str, *, max_chars: int = MAX_FILTER_CHARS) -> str | None:
        """A field. Raises InputError where it is longer than anything that could be meant."""
        value = self.query.get(name, "").strip()
        if len(value) > max_chars:
            raise InputError(
                f"{name}: found {counted(len(value), 'character')}, expected at most {max_chars:,}"
            )
        return value or None

    def integer(self, name: str, *, low: int, high: int, default: int) -> int:
        """A field that is a whole number. Raises InputError."""
        value = self.text(name)
        if value is None:
            return default
        digits = value.removeprefix("-")
        if not (
            digits.isascii() and digits.isdigit() and len(digits) < 19 and low <= int(value) <= high
        ):
            raise InputError(
                f"{name}: found {value!r}, expected a whole number between {low} and {high}"
            )
        return int(value)

    def choice(self, name: str, choices: Sequence[str]) -> str | None:
        """A field that must be one of the choices. Raises InputError with what was probably
        meant.
        """
        value = self.text(name)
        if value is not None and value not in choices:
            hint = did_you_mean(value, choices) or f"; there are {', '.join(choices) or 'none'}"
            raise InputError(f"{name}: there is no {value!r}{hint}")
        return value
