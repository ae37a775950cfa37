"""Where time goes: seconds by part of the work, with the tokens that went through it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfilePart:
    """What one kind of work took."""

    seconds: float
    tokens: int | None = None  # that went through it; None where tokens are no measure


@runtime_checkable
class Metered(Protocol):
    """A backend that knows where its time goes; optional."""

    def spent(self) -> Mapping[str, ProfilePart]:
        """By kind of work, since it was opened; the kinds do not overlap."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Where the wall time of a piece of work went; what no part accounts for is `other`."""

    wall_s: float
    parts: Mapping[str, ProfilePart]

    def plain(self) -> dict[str, Any]:
        """As JSON data: seconds, share of the wall time, and tokens and tokens per second where
        they apply.
        """
        rest = max(0.0, self.wall_s - sum(part.seconds for part in self.parts.values()))
        parts = {**self.parts, OTHER: ProfilePart(seconds=rest)}
        return {
            "wall_s": round(self.wall_s, 3),
            "parts": {name: self._plain(part) for name, part in parts.items()},
        }

    def _plain(self, part: ProfilePart) -> dict[str, float | int]:
        plain: dict[str, float | int] = {
            "seconds": round(part.seconds, 3),
            "share": round(part.seconds / self.wall_s, 4) if self.wall_s else 0.0,
        }
        if part.tokens is not None:
            plain["tokens"] = part.tokens
            if part.seconds:
                plain["tokens_per_s"] = round(part.tokens / part.seconds, 1)
        return plain


def profile_delta(
    now: Mapping[str, ProfilePart], before: Mapping[str, ProfilePart]
) -> dict[str, ProfilePart]:
    """What was spent between two readings of one meter; kinds of which there was nothing are left
    out.
    """
    spent = {}
    for name, part in now.items():
        earlier = before.get(name, ProfilePart(seconds=0.0))
        tokens = None if part.tokens is None else part.tokens - (earlier.tokens or 0)
        if part.seconds > earlier.seconds or tokens:
            spent[name] = ProfilePart(seconds=part.seconds - earlier.seconds, tokens=tokens)
    return spent


def add_spent(
    first: Mapping[str, ProfilePart], second: Mapping[str, ProfilePart]
) -> dict[str, ProfilePart]:
    """The sums of two."""
    sums = dict(first)
    for name, part in second.items():
        other = sums.get(name, ProfilePart(seconds=0.0))
        tokens = part.tokens if other.tokens is None else other.tokens + (part.tokens or 0)
        sums[name] = ProfilePart(seconds=other.seconds + part.seconds, tokens=tokens)
    return sums
