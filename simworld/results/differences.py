"""Two agents side by side in equal cells: difference, effect size, p, and how many families would
settle it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import nctdtr, stdtrit

from simworld.core.arrays import Floats, Ints
from simworld.core.measures import OVERALL, SOTOPIA_MEAN
from simworld.results.seat_scores import SeatScores, unique_rows
from simworld.stats.paired_tests import PairedComparison, compare_pairs, with_holm

POWER = 0.8
MOST = 1_000_000  # families; whoever needs more needs another question


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One agent less another on one measure."""

    paired: PairedComparison
    # Cohen's d_z over families: mean / standard deviation; None where it is not defined
    effect: float | None
    # families with which a difference like this one is found in 80 % of the cases; None: above a
    # million
    settles: int | None


def compare_agents(
    parts: Iterable[SeatScores],
    first: str,
    second: str,
    *,
    main: Sequence[str] = (OVERALL, SOTOPIA_MEAN),
) -> dict[str, Difference]:
    """Measure → the first agent less the second, paired on scenario, seat, partners and repeat (and
    so on the seed). A measure on which the two share no cell is left out.

    Args:
        parts: no cell is in two of them; scores of other agents are passed over.
        first: name of the one.
        second: name of the other.
        main: measures that are no dimensions, as for `differences`.
    """
    scenarios: dict[tuple[str, str], int] = {}  # family and id → number
    gaps: dict[str, list[tuple[Ints, Floats]]] = {}  # measure → cells without their repeats, gaps
    for part in parts:
        if first not in part.agents or second not in part.agents:
            continue
        one, values = part.dense()
        gap = values[:, part.agents.index(first)] - values[:, part.agents.index(second)]
        numbers = [scenarios.setdefault(place[:2], len(scenarios)) for place in part.places]
        where = (np.array(numbers)[part.place[one]], part.seat[one], part.partners[one])
        cells = np.stack([*where, np.full(len(one), part.seats)])
        for measure, of_measure in zip(part.measures, gap.T, strict=True):
            if not np.isnan(of_measure).all():
                gaps.setdefault(measure, []).append((cells, of_measure))
    names = sorted({family for family, _ in scenarios})
    families = np.array([names.index(family) for family, _ in scenarios])
    found = {}
    for measure, held in gaps.items():
        cells = np.concatenate([cells for cells, _ in held], axis=1)
        differs = np.concatenate([of_measure for _, of_measure in held])
        found[measure] = compare_pairs(families[cells[0]], unique_rows(*cells)[1], differs)
    return differences(found, main)


def differences(
    found: Mapping[str, PairedComparison | None], main: Sequence[str] = (OVERALL, SOTOPIA_MEAN)
) -> dict[str, Difference]:
    """Measure → its comparison with effect size and power, where there is one, and p corrected over
    the dimensions by Holm's method; what is `main` is no dimension and comes first.
    """
    there = {measure: one for measure, one in found.items() if one is not None}
    first = {measure: there[measure] for measure in main if measure in there}
    corrected = with_holm({m: one for m, one in there.items() if m not in first})
    return {measure: _difference(one) for measure, one in (first | corrected).items()}


def families_needed(effect: float, *, power: float = POWER, alpha: float = 0.05) -> int | None:
    """The families with which a two-sided paired t test finds this effect size with this power;
    None: more than a million.

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
    # The chance of a significant result of the wrong sign is left out: it matters only where there
    # is no effect to find.
    critical = -float(stdtrit(families - 1, alpha / 2))
    return 1 - float(nctdtr(families - 1, abs(effect) * families**0.5, critical))


def _difference(paired: PairedComparison) -> Difference:
    effect = None if paired.z is None else paired.z / paired.families**0.5
    return Difference(
        paired=paired, effect=effect, settles=families_needed(effect) if effect else None
    )
