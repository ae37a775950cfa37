"""Numbers as people read them."""

from __future__ import annotations

import math

from simworld.stats.ratings import Rating

DASH = "–"
MINUS = "\u2212"


def format_count(value: int | None) -> str:
    """A whole number with thousands marked."""
    return DASH if value is None else f"{value:,}"


def format_number(value: float | None, digits: int = 2) -> str:
    """A number with so many digits behind the point; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return DASH
    text = f"{value:,.{digits}f}"
    if not text.strip("-0.,"):
        text = text.removeprefix("-")
    return text.replace("-", MINUS)


def format_rating_interval(rating: Rating | None) -> str:
    """The interval of a rating; of one that the games leave open, the end that there is."""
    if rating is None or rating.low is None or rating.high is None:
        return "none"
    if rating.high == math.inf:
        return "no bounds" if rating.low == -math.inf else f"{format_number(rating.low, 0)} or more"
    return (
        f"{format_number(rating.high, 0)} or less"
        if rating.low == -math.inf
        else f"{format_number(rating.low, 0)} to {format_number(rating.high, 0)}"
    )


def format_signed(value: float | None, digits: int = 2) -> str:
    """A difference, its sign always written."""
    text = format_number(value, digits)
    return text if text.startswith((MINUS, DASH)) else f"+{text}"


def format_percent(value: float | None) -> str:
    """A share as whole percents; one that is neither 0 nor 1 is never shown as such."""
    if value is None or not math.isfinite(value):
        return DASH
    rounded = round(100 * value)
    if rounded in (0, 100) and value not in (0, 1):
        return "<1 %" if rounded == 0 else ">99 %"
    return f"{rounded} %"
