"""Two agents side by side in equal cells: difference, effect size, p, and how many families would
settle it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import fsum

import numpy as np
from scipy.special import nctdtr, stdtrit

from simworld.core.measures import OVERALL, SOTOPIA_MEAN
from simworld.results.cells import CellScores, SeatScore, combined
from simworld.stats.paired_comparison import Paired, compare_families, with_holm

Gaps = dict[
    tuple[str, int, int, int], tuple[float, int]
]  # cell without its repeat → differences, summed, and how many they are
POWER = 0.8
MOST = 1_000_000  # families; whoever needs more needs another question


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One agent less another on one measure."""

    paired: Paired
    # Cohen's d_z over families: mean / standard deviation; None where it is not defined
    effect: float | None
    # families with which a difference like this one is found in 80 % of the cases; None: above a
    # million
    settles: int | None


def compare_agents(scores: Iterable[SeatScore], first: str, second: str) -> dict[str, Difference]:
    """As `compare_cells`, of single scores in any order; those of other agents are passed over."""
    by_seats: dict[int, list[SeatScore]] = {}
    for score in scores:
        if score.agent in (first, second):
            by_seats.setdefault(len(score.partners), []).append(score)
    return compare_cells((CellScores.of(held) for held in by_seats.values()), first, second)


def compare_cells(parts: Iterable[CellScores], first: str, second: str) -> dict[str, Difference]:
    """Measure → the first agent less the second, paired on scenario, seat, partners and repeat (and
    so on the seed).

    P is corrected over the dimensions by Holm's method; `overall` and `sotopia_mean` are no
    dimensions. A measure on which the two share no cell is left out.

    Args:
        parts: no cell is in two of them; scores of other agents are passed over.
        first: name of the one.
        second: name of the other.
    """
    gaps: dict[str, dict[str, Gaps]] = {}
    for part in parts:
        if first in part.agents and second in part.agents:
            _add_gaps(gaps, part, first, second)
    found = {}
    for measure, by_family in gaps.items():
        means = [
            fsum(total / n for total, n in cells.values()) / len(cells)
            for _, cells in sorted(by_family.items())
        ]
        counts = [n for cells in by_family.values() for _, n in cells.values()]
        found[measure] = compare_families(means, pairs=sum(counts), cells=len(counts))
    return differences(found)


def differences(found: Mapping[str, Paired]) -> dict[str, Difference]:
    """Measure → its comparison with effect size and power, and p corrected over the dimensions;
    those that are none come first.
    """
    main = [measure for measure in (OVERALL, SOTOPIA_MEAN) if measure in found]
    corrected = with_holm(
        {measure: paired for measure, paired in found.items() if measure not in main}
    )
    return {
        measure: _difference(paired)
        for measure, paired in ({m: found[m] for m in main} | corrected).items()
    }


def _add_gaps(gaps: dict[str, dict[str, Gaps]], part: CellScores, first: str, second: str) -> None:
    """Adds the differences of a part, summed over the repeats of equal cells."""
    one, values = part.dense()
    differences = values[:, part.agents.index(first)] - values[:, part.agents.index(second)]
    scenarios = {
        place[:2]: number for number, place in enumerate(dict.fromkeys(p[:2] for p in part.places))
    }
    scenario = np.array([scenarios[place[:2]] for place in part.places])[part.place[one]]
    at, cell = combined(scenario, part.seat[one], part.partners[one])
    keys = list(
        zip(
            scenario[at].tolist(),
            part.seat[one][at].tolist(),
            part.partners[one][at].tolist(),
            strict=True,
        )
    )
    names = list(scenarios)
    for measure, of_measure in zip(part.measures, differences.T, strict=True):
        there = ~np.isnan(of_measure)
        totals = np.bincount(cell[there], of_measure[there], minlength=len(at)).tolist()
        numbers = np.bincount(cell[there], minlength=len(at)).tolist()
        for (place, seat, partners), total, n in zip(keys, totals, numbers, strict=True):
            if n:
                family, id_ = names[place]
                held = gaps.setdefault(measure, {}).setdefault(family, {})
                before = held.get((id_, seat, partners, part.seats), (0.0, 0))
                held[id_, seat, partners, part.seats] = (before[0] + total, before[1] + n)


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


def _difference(paired: Paired) -> Difference:
    effect = None if paired.z is None else paired.z / paired.families**0.5
    return Difference(
        paired=paired, effect=effect, settles=families_needed(effect) if effect else None
    )
