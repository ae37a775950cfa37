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
from simworld.stats.paired_tests import PairedComparison, compare_pairs, with_holm_p

POWER = 0.8
MAX_FAMILIES = 1_000_000  # families; whoever needs more needs another question


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One agent less another on one measure."""

    comparison: PairedComparison
    # Cohen's d_z over families: mean / standard deviation; None where it is not defined
    effect_size: float | None
    # families with which a difference like this one is found in 80 % of the cases; None: above a
    # million
    families_needed: int | None


def compare_agents(
    tables: Iterable[SeatScores],
    first: str,
    second: str,
    *,
    main_measures: Sequence[str] = (OVERALL, SOTOPIA_MEAN),
) -> dict[str, Difference]:
    """Measure → the first agent less the second, paired on scenario, seat, partners and repeat (and
    so on the seed). A measure on which the two share no cell is left out.

    Args:
        tables: no cell is in two of them; scores of other agents are passed over.
        first: name of the one.
        second: name of the other.
        main_measures: measures that are no dimensions, as for `with_effect_sizes`.
    """
    scenarios: dict[tuple[str, str], int] = {}  # family and id → number
    parts: dict[str, list[tuple[Ints, Floats]]] = {}  # measure → cells without their repeats, gaps
    for table in tables:
        if first not in table.agents or second not in table.agents:
            continue
        rows, values = table.values_by_cell()
        gaps = values[:, table.agents.index(first)] - values[:, table.agents.index(second)]
        numbers = [scenarios.setdefault(block[:2], len(scenarios)) for block in table.blocks]
        where = (np.array(numbers)[table.block[rows]], table.seat[rows], table.partners[rows])
        cells = np.stack([*where, np.full(len(rows), table.seat_count)])
        for measure, measure_gaps in zip(table.measures, gaps.T, strict=True):
            if not np.isnan(measure_gaps).all():
                parts.setdefault(measure, []).append((cells, measure_gaps))
    names = sorted({family for family, _ in scenarios})
    families = np.array([names.index(family) for family, _ in scenarios])
    comparisons = {}
    for measure, of_measure in parts.items():
        cells = np.concatenate([cells for cells, _ in of_measure], axis=1)
        all_gaps = np.concatenate([measure_gaps for _, measure_gaps in of_measure])
        comparisons[measure] = compare_pairs(families[cells[0]], unique_rows(*cells)[1], all_gaps)
    return with_effect_sizes(comparisons, main_measures)


def with_effect_sizes(
    comparisons: Mapping[str, PairedComparison | None],
    main_measures: Sequence[str] = (OVERALL, SOTOPIA_MEAN),
) -> dict[str, Difference]:
    """Measure → its comparison with effect size and power, where there is one, and p corrected over
    the dimensions by Holm's method; what is `main_measures` is no dimension and comes first.
    """
    defined = {name: result for name, result in comparisons.items() if result is not None}
    main = {name: defined[name] for name in main_measures if name in defined}
    corrected = with_holm_p({name: result for name, result in defined.items() if name not in main})
    return {name: _with_effect_size(result) for name, result in (main | corrected).items()}


def families_needed(effect: float, *, power: float = POWER, alpha: float = 0.05) -> int | None:
    """The families with which a two-sided paired t test finds this effect size with this power;
    None: more than a million.

    By the noncentral t distribution, exactly.
    """
    low, high = 2, 2
    while _power(effect, high, alpha) < power:
        low, high = high, high * 2
        if high > MAX_FAMILIES:
            return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if _power(effect, middle, alpha) >= power else (middle + 1, high)
    return low


def _power(effect: float, families: int, alpha: float) -> float:
    # The chance of a significant result of the wrong sign is left out: it matters only where there
    # is no effect to find.
    critical_t = -float(stdtrit(families - 1, alpha / 2))
    return 1 - float(nctdtr(families - 1, abs(effect) * families**0.5, critical_t))


def _with_effect_size(comparison: PairedComparison) -> Difference:
    effect = None if comparison.z is None else comparison.z / comparison.families**0.5
    needed = families_needed(effect) if effect else None
    return Difference(comparison=comparison, effect_size=effect, families_needed=needed)
