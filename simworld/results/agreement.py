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
from simworld.core.seeding import derive_seed, generator
from simworld.stats.intervals import mean_by_family, tail_probability
from store import JudgeRecord, Store

LEVEL = 0.95
ROUNDS = 1000
Unit = tuple[str, str]  # (episode id, seat): what is rated


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
    correlations: Mapping[
        tuple[str, str], AgreementFigure
    ]  # two judge ids → Spearman's rank correlation
    # judge id → standard deviation of the difference of two of its samples
    retests: Mapping[str, AgreementFigure]
    swaps: Mapping[
        tuple[str, str], AgreementFigure
    ]  # judge id, "seats" or "names" → how far a score moves by it, mean |difference|


@dataclass(frozen=True, slots=True)
class _RaterScores:
    """One rater on one dimension."""

    samples: Mapping[Unit, Sequence[float]]
    families: Mapping[Unit, str]

    @property
    def means(self) -> dict[Unit, float]:
        return {unit: math.fsum(values) / len(values) for unit, values in self.samples.items()}


def find_raters(store: Store, names: Iterable[str] = ()) -> list[JudgeRecord]:
    """The judges of these names, ids or beginnings of ids; without any, all but those that read
    swapped dialogues.

    Raises:
        InputError: what is not there.
    """
    judges = [judge for judge in store.judges() if "swap" not in judge.spec.get("spec", {})]
    wanted = list(names)
    found = [
        j
        for j in judges
        if not wanted or any(j.name == name or j.id.startswith(name) for name in wanted)
    ]
    lost = [
        name for name in wanted if not any(j.name == name or j.id.startswith(name) for j in judges)
    ]
    if lost or not found:
        there = (
            f"there are {', '.join(sorted({j.name for j in judges}))}"
            if judges
            else "nothing is judged yet"
        )
        raise InputError(
            f"no judge {', '.join(map(repr, lost)) or 'at all'} in {store.location}; {there}"
        )
    return found


def agreement(
    store: Store,
    judge_ids: Sequence[str],
    *,
    run: str | None = None,
    rounds: int = ROUNDS,
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
    found = []
    specs = {judge.id: judge.spec.get("spec", {}) for judge in store.judges()}
    others = {
        id_: (str(spec["of"]), str(spec["swap"])) for id_, spec in specs.items() if "swap" in spec
    }
    for dimension in dimensions(store, judge_ids):
        read = {
            id_: _read(store, id_, dimension, run) for id_ in dict.fromkeys((*judge_ids, *others))
        }
        ratings = {id_: read[id_] for id_ in judge_ids if read[id_].samples}
        if ratings:
            found.append(
                Agreement(
                    dimension=dimension,
                    alpha=_alpha_of(ratings, rounds, seed),
                    correlations={
                        (a, b): figure
                        for a, b in combinations(ratings, 2)
                        if (figure := _correlation(ratings[a], ratings[b], rounds, seed))
                        is not None
                    },
                    retests={
                        id_: figure
                        for id_, rated in ratings.items()
                        if (figure := _retest(rated, rounds, seed)) is not None
                    },
                    swaps={
                        (of, swap): figure
                        for id_, (of, swap) in others.items()
                        if of in ratings
                        and (figure := _moved(ratings[of], read[id_], rounds, seed)) is not None
                    },
                )
            )
    return found


def dimensions(store: Store, judge_ids: Sequence[str]) -> list[str]:
    """The names of the dimensions that these judges score."""
    rubrics = [judge.spec.get("rubric", {}) for judge in store.judges() if judge.id in judge_ids]
    return list(
        dict.fromkeys(str(d["name"]) for rubric in rubrics for d in rubric.get("dimensions", ()))
    )


def _read(store: Store, judge_id: str, dimension: str, run: str | None) -> _RaterScores:
    samples: dict[Unit, list[float]] = defaultdict(list)
    families: dict[Unit, str] = {}
    for row in store.score_rows(judge_id=judge_id, dimension=dimension, run=run):
        unit = row.episode_id, row.seat
        samples[unit].append(row.rescaled)
        families[unit] = row.family
    return _RaterScores(samples, families)


def _alpha_of(
    ratings: Mapping[str, _RaterScores], rounds: int, seed: int
) -> AgreementFigure | None:
    values: dict[Unit, list[float]] = defaultdict(list)
    families: dict[Unit, str] = {}
    for rated in ratings.values():
        families |= rated.families
        for unit, value in rated.means.items():
            values[unit].append(value)
    by_family: dict[str, list[Sequence[float]]] = defaultdict(list)
    for unit, of_unit in values.items():
        if len(of_unit) > 1:
            by_family[families[unit]].append(of_unit)
    if not by_family:
        return None
    sums = np.array([alpha_sums(units).sum(axis=0) for _, units in sorted(by_family.items())])
    n = sum(len(units) for units in by_family.values())
    return _figure(len(sums), n, lambda draws: krippendorff_alphas(draws @ sums), rounds, seed)


def alpha_sums(units: Iterable[Sequence[float]]) -> Floats:
    """What alpha needs of each thing that was rated, (n, 4): how many values, the disagreement
    within, their sum, and that of their squares. Things with a single value are left out.
    """
    rows = []
    for values in units:
        m = len(values)
        if m > 1:
            v = np.asarray(values, dtype=np.float64)
            rows.append(
                (
                    m,
                    m * float(np.square(v - v.mean()).sum()) / (m - 1),
                    float(v.sum()),
                    float(np.square(v).sum()),
                )
            )
    return np.array(rows, dtype=np.float64).reshape(-1, 4)


def krippendorff_alphas(sums: Floats) -> list[float | None]:
    """Krippendorff's alpha with the interval metric from each row of summed `alpha_sums`,
    (rounds, 4); None where it is not defined: nothing to compare, or no variation at all.

    α = 1 − D_o / D_e, the observed over the expected disagreement (Krippendorff, Content Analysis,
    chapter 11), both as sums of squares: Σ_{i≠j} (v_i − v_j)² = 2 m Σ (v_i − mean)².
    """
    found: list[float | None] = []
    for n, within, total, squares in sums.tolist():
        # the constant 2 of both sums of squares is left out
        spread = squares - total * total / n if n > 1 else 0.0
        defined = spread > 1e-12 * max(1.0, squares)
        found.append(1 - (within / n) / (spread / (n - 1)) if defined else None)
    return found


def _correlation(
    first: _RaterScores, second: _RaterScores, rounds: int, seed: int
) -> AgreementFigure | None:
    one, two = first.means, second.means
    both = sorted(set(one) & set(two))
    if not both:
        return None
    names = sorted({first.families[unit] for unit in both})
    number = {name: place for place, name in enumerate(names)}
    family = np.array([number[first.families[unit]] for unit in both])
    a, b = _places([one[unit] for unit in both]), _places([two[unit] for unit in both])

    def rho(draws: Floats) -> list[float | None]:
        return [spearman(a, b, counts[family]) for counts in draws]

    return _figure(len(names), len(both), rho, rounds, seed)


def _places(values: Sequence[float]) -> NDArray[np.intp]:
    """For each value its place among the different values, from 0, (n,)."""
    return np.unique(np.asarray(values, dtype=np.float64), return_inverse=True)[1]


def spearman(
    first: NDArray[np.intp], second: NDArray[np.intp], weights: Floats | NDArray[np.intp]
) -> float | None:
    """Spearman's rank correlation; None where one side does not vary.

    Args:
        first: (n,) places from 0, as high as values are; equal ones share their mean rank.
        second: (n,) of the other side.
        weights: (n,) how often each pair counts.
    """
    ranks = []
    for places in (first, second):
        held = np.bincount(places, weights=weights)
        ranks.append((np.cumsum(held) - held / 2)[places])
    a, b = (r - np.average(r, weights=weights) for r in ranks)
    scale = math.sqrt(float((weights * a * a).sum()) * float((weights * b * b).sum()))
    return float((weights * a * b).sum()) / scale if scale > 0 else None


def _retest(rated: _RaterScores, rounds: int, seed: int) -> AgreementFigure | None:
    by_family: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for unit, values in rated.samples.items():
        if len(values) > 1:
            v = np.asarray(values, dtype=np.float64)
            by_family[rated.families[unit]].append(
                (float(np.square(v - v.mean()).sum()), len(v) - 1)
            )
    if not by_family:
        return None
    sums = np.array([np.sum(units, axis=0) for _, units in sorted(by_family.items())])

    def deviation(draws: Floats) -> list[float | None]:
        return [math.sqrt(2 * squares / freedom) for squares, freedom in (draws @ sums).tolist()]

    return _figure(
        len(sums), sum(len(units) for units in by_family.values()), deviation, rounds, seed
    )


def _moved(
    plain: _RaterScores, swapped: _RaterScores, rounds: int, seed: int
) -> AgreementFigure | None:
    one, two = plain.means, swapped.means
    values = [
        (plain.families[unit], abs(two[unit] - one[unit])) for unit in sorted(set(one) & set(two))
    ]
    if not values:
        return None
    mean = mean_by_family(values, level=LEVEL, rounds=rounds, seed=seed)
    return AgreementFigure(
        value=mean.mean, low=mean.low, high=mean.high, n=mean.n, families=mean.families
    )


def _figure(
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
        draw = generator(derive_seed("bootstrap", seed))
        counts = draw.multinomial(families, [1 / families] * families, size=rounds).astype(
            np.float64
        )
        drawn = [found for found in measure(counts) if found is not None]
        cut = tail_probability(families, LEVEL)
        low, high = (
            (float(q) for q in np.quantile(drawn, [cut, 1 - cut])) if drawn else (None, None)
        )
    return AgreementFigure(value=value, low=low, high=high, n=n, families=families)
