"""Two agents side by side in equal cells: difference, effect size, p, and how many families would settle it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from scipy.special import nctdtr, stdtrit

from simworld.analysis.arms import OVERALL
from simworld.analysis.games import SeatScore
from simworld.analysis.seat_scores import SOTOPIA_MEAN
from simworld.core.paired import Circumstance, Paired, compare, with_holm

POWER = 0.8
MOST = 1_000_000  # families; whoever needs more needs another question


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One agent less another on one measure."""

    paired: Paired
    effect: float | None  # Cohen's d_z over families: mean / standard deviation; None where it is not defined
    settles: (
        int | None
    )  # families with which a difference like this one is found in 80 % of the cases; None: above a million


def compare_agents(scores: Iterable[SeatScore], first: str, second: str) -> dict[str, Difference]:
    """Measure → the first agent less the second, paired on scenario, seat, partners and repeat (and so on the seed).

    P is corrected over the dimensions by Holm's method; `overall` and `sotopia_mean` are no dimensions. A measure on which the two
    share no cell is left out.

    Args:
        scores: of both agents; others are passed over.
        first: name of the one.
        second: name of the other.
    """
    values: dict[str, dict[str, dict[Circumstance, float]]] = {}
    for score in scores:
        if score.agent in (first, second):
            for measure, value in score.values.items():
                values.setdefault(measure, {first: {}, second: {}})[score.agent][score.circumstance] = value
    found = {}
    for measure, sides in values.items():
        if (paired := compare(sides[first], sides[second])) is not None:
            found[measure] = paired
    main = [measure for measure in (OVERALL, SOTOPIA_MEAN) if measure in found]
    corrected = with_holm({measure: paired for measure, paired in found.items() if measure not in main})
    return {measure: _difference(paired) for measure, paired in ({m: found[m] for m in main} | corrected).items()}


def families_needed(effect: float, *, power: float = POWER, alpha: float = 0.05) -> int | None:
    """The families with which a two-sided paired t test finds this effect size with this power; None: more than a million.

    By the noncentral t distribution, exactly.
    """
    low, high = 2, 2
    while _power(effect, high, alpha) < power:
        low, high = high, high * 2
        if high > MOST:
            return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if _power(effect, middle, alpha) >= power else (middle + 1, high)
    return low


def _power(effect: float, families: int, alpha: float) -> float:
    # The chance of a significant result of the wrong sign is left out: it matters only where there is no effect to find.
    critical = -float(stdtrit(families - 1, alpha / 2))
    return 1 - float(nctdtr(families - 1, abs(effect) * families**0.5, critical))


def _difference(paired: Paired) -> Difference:
    effect = None if paired.z is None else paired.z / paired.families**0.5
    return Difference(paired=paired, effect=effect, settles=families_needed(effect) if effect else None)
