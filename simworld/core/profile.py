"""Where time goes: seconds by part of the work, with the tokens that went through it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfilePart:
    """The time and tokens that one part of the work took."""

    seconds: float
    tokens: int | None = None  # that went through it; None where tokens are no measure


@runtime_checkable
class Metered(Protocol):
    """A backend that knows where its time goes; optional."""

    def parts_spent(self) -> Mapping[str, ProfilePart]:
        """Part of the work → what it took since the backend was opened; parts do not overlap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Where the wall time of a piece of work went; what no part accounts for is `other`."""

    wall_s: float
    parts: Mapping[str, ProfilePart]

    def to_json(self) -> dict[str, Any]:
        """As JSON data: seconds, share of the wall time, and tokens and tokens per second where
        they apply.
        """
        unaccounted_s = max(0.0, self.wall_s - sum(part.seconds for part in self.parts.values()))
        parts = {**self.parts, OTHER: ProfilePart(seconds=unaccounted_s)}
        return {
            "wall_s": round(self.wall_s, 3),
            "parts": {name: self._part_json(part) for name, part in parts.items()},
        }

    def _part_json(self, part: ProfilePart) -> dict[str, float | int]:
        data: dict[str, float | int] = {
            "seconds": round(part.seconds, 3),
            "share": round(part.seconds / self.wall_s, 4) if self.wall_s else 0.0,
        }
        if part.tokens is not None:
            data["tokens"] = part.tokens
            if part.seconds:
                data["tokens_per_s"] = round(part.tokens / part.seconds, 1)
        return data


def parts_since(
    now: Mapping[str, ProfilePart], before: Mapping[str, ProfilePart]
) -> dict[str, ProfilePart]:
    """What was spent between two readings of one meter; parts without any are left out."""
    spent = {}
    for name, part in now.items():
        earlier_part = before.get(name, ProfilePart(seconds=0.0))
        tokens = None if part.tokens is None else part.tokens - (earlier_part.tokens or 0)
        if part.seconds > earlier_part.seconds or tokens:
            spent[name] = ProfilePart(seconds=part.seconds - earlier_part.seconds, tokens=tokens)
    return spent


def sum_parts(
    first: Mapping[str, ProfilePart], second: Mapping[str, ProfilePart]
) -> dict[str, ProfilePart]:
    """Part → the sum of both, seconds and tokens."""
    sums = dict(first)
    for name, part in second.items():
        summed = sums.get(name, ProfilePart(seconds=0.0))
        tokens = part.tokens if summed.tokens is None else summed.tokens + (part.tokens or 0)
        sums[name] = ProfilePart(seconds=summed.seconds + part.seconds, tokens=tokens)
    return sums
