"""From numbers to places: linear scales with round ticks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """Numbers from `low` to `high` on places from `start` to `end`; what lies outside is put on the
    edge.
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The place of a number."""
        share = (value - self.low) / (self.high - self.low)
        return self.start + (self.end - self.start) * min(1.0, max(0.0, share))


def span(
    values: Iterable[float | None], *, around: float | None = None, margin: float = 0.06
) -> tuple[float, float]:
    """The ends of an axis on which all the values have room; never of width 0."""
    finite = [value for value in values if value is not None and math.isfinite(value)]
    if around is not None:
        finite.append(around)
    if not finite:
        return 0.0, 1.0
    low, high = min(finite), max(finite)
    if high - low < 1e-9 * max(1.0, abs(high)):
        low, high = low - max(0.5, abs(low) * 0.1), high + max(0.5, abs(high) * 0.1)
    more = (high - low) * margin
    return low - more, high + more


def ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round numbers between the ends, about so many."""
    raw = (high - low) / max(1, wanted)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def tick_text(value: float, step: float) -> str:
    """A tick's label with as many digits as its step needs."""
    digits = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 0
    text = f"{value:,.{digits}f}"
    return text.replace("-", "\u2212")
