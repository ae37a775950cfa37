"""What a part of the campaign is: cases by number, each of which counts what it did and says what
it found."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that must not happen: `what` is the same for the same fault, `detail` tells of this
    case."""

    what: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a case did (numbers that add up from case to case) and found."""

    counts: Mapping[str, int] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


# Takes the name of each step of a case before it begins, so that a step that never ends has a name
Told = Callable[[str], None]


class Part(Protocol):
    """One kind of attack; made in the process that runs it, in an empty folder."""

    def run(self, seed: int, folder: Path, tell: Told) -> Outcome:
        """Does the case of this number in an empty folder of its own."""

    def close(self) -> None:
        """Stops what it started."""


def chance(part: str, seed: int) -> random.Random:
    """The random numbers of a case: the same for the same part and number, on every machine."""
    return random.Random(f"{part} {seed}")
