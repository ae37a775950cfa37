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


def axis_range(
    values: Iterable[float | None], *, include: float | None = None, margin: float = 0.06
) -> tuple[float, float]:
    """The ends of an axis on which all the values have room; never of width 0."""
    finite = [value for value in values if value is not None and math.isfinite(value)]
    if include is not None:
        finite.append(include)
    if not finite:
        return 0.0, 1.0
    low, high = min(finite), max(finite)
    if high - low < 1e-9 * max(1.0, abs(high)):
        low, high = low - max(0.5, abs(low) * 0.1), high + max(0.5, abs(high) * 0.1)
    margin_width = (high - low) * margin
    return low - margin_width, high + margin_width


def tick_values(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers between the ends, about so many."""
    raw_step = (high - low) / max(1, count)
    power = 10.0 ** math.floor(math.log10(raw_step))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= raw_step * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def tick_text(value: float, step: float) -> str:
    """A tick's label with as many digits as its step needs."""
    digits = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 0
    text = f"{value:,.{digits}f}"
    return text.replace("-", "\u2212")
