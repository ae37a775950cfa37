"""Judges as raters: how far they agree about the same seats, and each with itself when it judges
again.

All numbers are about shares of a dimension's range, 0 to 1, so that raters with other ranges can be
compared. Where a rater judged an episode several times, its samples are averaged before it is
compared with others. Intervals resample whole families.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from simworld.core.arrays import Floats
from simworld.core.errors import InputError
from simworld.core.seeding import derive_seed, make_rng
from simworld.stats.intervals import mean_by_family, tail_probability
from store import JudgeRecord, Store

LEVEL = 0.95
BOOTSTRAP_ROUNDS = 1000
RatedSeat = tuple[str, str]  # (episode id, seat): what is rated


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementFigure:
    """A number with its interval. What is not defined, or what too few families cannot give, is
    None.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int  # seats of episodes
    families: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What is known about one dimension."""

    dimension: str
    # Krippendorff's, interval metric, over all raters; None: nothing was rated by two
    alpha: AgreementFigure | None
    # two judge ids → Spearman's rank correlation
    correlations: Mapping[tuple[str, str], AgreementFigure]
    # judge id → standard deviation of the difference of two of its samples
    retests: Mapping[str, AgreementFigure]
    # judge id, "seats" or "names" → how far a score moves by it, mean |difference|
    swaps: Mapping[tuple[str, str], AgreementFigure]


@dataclass(frozen=True, slots=True)
class _RaterScores:
    """One rater on one dimension."""

    samples: Mapping[RatedSeat, Sequence[float]]
    families: Mapping[RatedSeat, str]

    @property
    def means(self) -> dict[RatedSeat, float]:
        return {
            rated_seat: math.fsum(values) / len(values)
            for rated_seat, values in self.samples.items()
        }


def find_raters(store: Store, names: Iterable[str] = ()) -> list[JudgeRecord]:
    """The judges of these names, ids or beginnings of ids; without any, all but those that read
    swapped dialogues.

    Raises:
        InputError: what is not there.
    """
    judges = [judge for judge in store.judges() if "swap" not in judge.spec.get("spec", {})]
    wanted = list(names)
    raters = [
        j
        for j in judges
        if not wanted or any(j.name == name or j.id.startswith(name) for name in wanted)
    ]
    unknown = [
        name for name in wanted if not any(j.name == name or j.id.startswith(name) for j in judges)
    ]
    if unknown or not raters:
        available = (
            f"there are {', '.join(sorted({j.name for j in judges}))}"
            if judges
            else "nothing is judged yet"
        )
        names = ", ".join(map(repr, unknown)) or "at all"
        raise InputError(f"no judge {names} in {store.location}; {available}")
    return raters


def measure_agreement(
    store: Store,
    judge_ids: Sequence[str],
    *,
    run: str | None = None,
    rounds: int = BOOTSTRAP_ROUNDS,
    seed: int = 0,
) -> list[Agreement]:
    """How far raters agree, by dimension in the order of its first appearance; memory holds one
    dimension's scores at a time.

    Args:
        store: where the judgements are.
        judge_ids: the raters.
        run: only this run's episodes.
        rounds: bootstrap resamples.
        seed: of the resampling.
    """
    agreements = []
    specs = {judge.id: judge.spec.get("spec", {}) for judge in store.judges()}
    swap_judges = {
        id_: (str(spec["of"]), str(spec["swap"])) for id_, spec in specs.items() if "swap" in spec
    }
    for dimension in scored_dimensions(store, judge_ids):
        judges = {
            id_: _read_rater(store, id_, dimension, run)
            for id_ in dict.fromkeys((*judge_ids, *swap_judges))
        }
        raters = {id_: judges[id_] for id_ in judge_ids if judges[id_].samples}
        if raters:
            agreements.append(
                Agreement(
                    dimension=dimension,
                    alpha=_alpha(raters, rounds, seed),
                    correlations={
                        (a, b): figure
                        for a, b in combinations(raters, 2)
                        if (figure := _correlation(raters[a], raters[b], rounds, seed)) is not None
                    },
                    retests={
                        id_: figure
                        for id_, rater in raters.items()
                        if (figure := _retest_deviation(rater, rounds, seed)) is not None
                    },
                    swaps={
                        (of, swap): figure
                        for id_, (of, swap) in swap_judges.items()
                        if of in raters
                        and (figure := _swap_effect(raters[of], judges[id_], rounds, seed))
                        is not None
                    },
                )
            )
    return agreements


def scored_dimensions(store: Store, judge_ids: Sequence[str]) -> list[str]:
    """The names of the dimensions that these judges score."""
    rubrics = [judge.spec.get("rubric", {}) for judge in store.judges() if judge.id in judge_ids]
    return list(
        dict.fromkeys(str(d["name"]) for rubric in rubrics for d in rubric.get("dimensions", ()))
    )


def _read_rater(store: Store, judge_id: str, dimension: str, run: str | None) -> _RaterScores:
    samples: dict[RatedSeat, list[float]] = defaultdict(list)
    families: dict[RatedSeat, str] = {}
    for row in store.score_rows(judge_id=judge_id, dimension=dimension, run=run):
        rated_seat = row.episode_id, row.seat
        samples[rated_seat].append(row.rescaled)
        families[rated_seat] = row.family
    return _RaterScores(samples, families)


def _alpha(raters: Mapping[str, _RaterScores], rounds: int, seed: int) -> AgreementFigure | None:
    values: dict[RatedSeat, list[float]] = defaultdict(list)
    families: dict[RatedSeat, str] = {}
    for rater in raters.values():
        families |= rater.families
        for rated_seat, value in rater.means.items():
            values[rated_seat].append(value)
    by_family: dict[str, list[Sequence[float]]] = defaultdict(list)
    for rated_seat, unit_values in values.items():
        if len(unit_values) > 1:
            by_family[families[rated_seat]].append(unit_values)
    if not by_family:
        return None
    sums = np.array([alpha_sums(units).sum(axis=0) for _, units in sorted(by_family.items())])
    n = sum(len(units) for units in by_family.values())
    return _bootstrap(len(sums), n, lambda draws: krippendorff_alphas(draws @ sums), rounds, seed)


def alpha_sums(units: Iterable[Sequence[float]]) -> Floats:
    """What alpha needs of each thing that was rated, (n, 4): how many values, the disagreement
    within, their sum, and that of their squares. Things with a single value are left out.
    """
    rows = []
    for values in units:
        m = len(values)
        if m > 1:
            v = np.asarray(values, dtype=np.float64)
            within = m * float(np.square(v - v.mean()).sum()) / (m - 1)
            rows.append((m, within, float(v.sum()), float(np.square(v).sum())))
    return np.array(rows, dtype=np.float64).reshape(-1, 4)


def krippendorff_alphas(sums: Floats) -> list[float | None]:
    """Krippendorff's alpha with the interval metric from each row of summed `alpha_sums`,
    (rounds, 4); None where it is not defined: nothing to compare, or no variation at all.

    α = 1 − D_o / D_e, the observed over the expected disagreement (Krippendorff, Content Analysis,
    chapter 11), both as sums of squares: Σ_{i≠j} (v_i − v_j)² = 2 m Σ (v_i − mean)².
    """
    alphas: list[float | None] = []
    for n, observed, total, squares in sums.tolist():
        # the constant 2 of both sums of squares is left out
        total_squares = squares - total * total / n if n > 1 else 0.0
        varies = total_squares > 1e-12 * max(1.0, squares)
        alphas.append(1 - (observed / n) / (total_squares / (n - 1)) if varies else None)
    return alphas


def _correlation(
    first: _RaterScores, second: _RaterScores, rounds: int, seed: int
) -> AgreementFigure | None:
    one, two = first.means, second.means
    shared = sorted(set(one) & set(two))
    if not shared:
        return None
    names = sorted({first.families[rated_seat] for rated_seat in shared})
    number = {name: index for index, name in enumerate(names)}
    family = np.array([number[first.families[rated_seat]] for rated_seat in shared])
    a = _value_ranks([one[rated_seat] for rated_seat in shared])
    b = _value_ranks([two[rated_seat] for rated_seat in shared])

    def rho(draws: Floats) -> list[float | None]:
        return [spearman(a, b, counts[family]) for counts in draws]

    return _bootstrap(len(names), len(shared), rho, rounds, seed)


def _value_ranks(values: Sequence[float]) -> NDArray[np.intp]:
    """The dense rank of each value among the different values, from 0, (n,)."""
    return np.unique(np.asarray(values, dtype=np.float64), return_inverse=True)[1]


def spearman(
    first: NDArray[np.intp], second: NDArray[np.intp], weights: Floats | NDArray[np.intp]
) -> float | None:
    """Spearman's rank correlation; None where one side does not vary.

    Args:
        first: (n,) dense ranks from 0, as high as values are; equal ones share their mean rank.
        second: (n,) of the other side.
        weights: (n,) how often each pair counts.
    """
    ranks = []
    for value_ranks in (first, second):
        weight_at_rank = np.bincount(value_ranks, weights=weights)
        ranks.append((np.cumsum(weight_at_rank) - weight_at_rank / 2)[value_ranks])
    a, b = (side - np.average(side, weights=weights) for side in ranks)
    scale = math.sqrt(float((weights * a * a).sum()) * float((weights * b * b).sum()))
    return float((weights * a * b).sum()) / scale if scale > 0 else None


def _retest_deviation(rater: _RaterScores, rounds: int, seed: int) -> AgreementFigure | None:
    by_family: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for rated_seat, values in rater.samples.items():
        if len(values) > 1:
            samples = np.asarray(values, dtype=np.float64)
            by_family[rater.families[rated_seat]].append(
                (float(np.square(samples - samples.mean()).sum()), len(samples) - 1)
            )
    if not by_family:
        return None
    sums = np.array([np.sum(units, axis=0) for _, units in sorted(by_family.items())])

    def deviation(draws: Floats) -> list[float | None]:
        return [math.sqrt(2 * squares / freedom) for squares, freedom in (draws @ sums).tolist()]

    return _bootstrap(
        len(sums), sum(len(units) for units in by_family.values()), deviation, rounds, seed
    )


def _swap_effect(
    original: _RaterScores, swapped: _RaterScores, rounds: int, seed: int
) -> AgreementFigure | None:
    before, after = original.means, swapped.means
    differences = [
        (original.families[rated_seat], abs(after[rated_seat] - before[rated_seat]))
        for rated_seat in sorted(set(before) & set(after))
    ]
    if not differences:
        return None
    mean = mean_by_family(differences, level=LEVEL, rounds=rounds, seed=seed)
    return AgreementFigure(
        value=mean.mean, low=mean.low, high=mean.high, n=mean.n, families=mean.families
    )


def _bootstrap(
    families: int,
    n: int,
    measure: Callable[[Floats], Sequence[float | None]],
    rounds: int,
    seed: int,
) -> AgreementFigure:
    """A measure over families with weights, and its bootstrap interval."""
    (value,) = measure(np.ones((1, families)))
    low = high = None
    if families > 1 and value is not None:
        rng = make_rng(derive_seed("bootstrap", seed))
        counts = rng.multinomial(families, [1 / families] * families, size=rounds).astype(
            np.float64
        )
        drawn = [drawn_value for drawn_value in measure(counts) if drawn_value is not None]
        tail = tail_probability(families, LEVEL)
        low, high = (
            (float(q) for q in np.quantile(drawn, [tail, 1 - tail])) if drawn else (None, None)
        )
    return AgreementFigure(value=value, low=low, high=high, n=n, families=families)
