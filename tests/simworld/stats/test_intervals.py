"""Estimates against values worked out by hand or published."""

import random
from itertools import permutations
from math import inf, nan, sqrt

import numpy as np
import pytest

from simworld.stats.intervals import Estimate, mean_by_family, wilson_interval

VALUES = [("a", 1.0), ("a", 3.0), ("b", 5.0), ("c", 7.0)]


def test_a_mean_counts_every_value_and_every_family_once() -> None:
    estimate = mean_by_family(VALUES)
    assert (estimate.mean, estimate.n, estimate.families) == (4.0, 4, 3)
    assert estimate.low is not None
    assert estimate.high is not None
    assert 2.0 <= estimate.low < 4.0 < estimate.high <= 7.0


def test_two_families_give_the_three_means_that_resampling_can_give() -> None:
    # {a, a}: 0, {a, b} or {b, a}: 5, {b, b}: 10; a quarter of the draws each at the ends.
    estimate = mean_by_family([("a", 0.0), ("b", 10.0)], level=0.95)
    assert estimate == Estimate(mean=5.0, low=0.0, high=10.0, n=2, families=2)
    # t with one degree of freedom is −.325 at .4; √2 · −.325 = −.459, and a normal lies below that
    # in .32 of the cases.
    narrow = mean_by_family([("a", 0.0), ("b", 10.0)], level=0.2)
    assert (narrow.low, narrow.high) == (5.0, 5.0)


def test_a_large_family_does_not_narrow_the_interval() -> None:
    # 100 equal values of family a are one idea: the interval still reaches from a's mean to b's.
    estimate = mean_by_family([("a", 0.0)] * 100 + [("b", 1.0)] * 100)
    assert estimate == Estimate(mean=0.5, low=0.0, high=1.0, n=200, families=2)


def test_one_family_has_no_interval() -> None:
    assert mean_by_family([("a", 1.0), ("a", 2.0)]) == Estimate(
        mean=1.5, low=None, high=None, n=2, families=1
    )


def test_families_that_agree_have_an_interval_of_no_width() -> None:
    estimate = mean_by_family([("a", 2.0), ("b", 2.0), ("c", 2.0)])
    assert (estimate.low, estimate.high) == (2.0, 2.0)


def test_the_order_of_values_does_not_matter() -> None:
    values = [(f"family-{i % 7}", 0.1 * i) for i in range(50)]
    shuffled = random.Random(4).sample(values, len(values))
    assert mean_by_family(shuffled) == mean_by_family(values)


def test_rounding_does_not_depend_on_the_order_either() -> None:
    # Added from left to right, 1e16 + 1 - 1e16 is 0 and 1e16 - 1e16 + 1 is 1.
    means = {
        mean_by_family([("a", x) for x in order]).mean for order in permutations([1e16, 1.0, -1e16])
    }
    assert len(means) == 1


def test_the_seed_decides_the_resampling() -> None:
    values = [(str(i), float(i * i)) for i in range(12)]
    assert mean_by_family(values, seed=1) == mean_by_family(values, seed=1)
    assert mean_by_family(values, seed=1).low != mean_by_family(values, seed=2).low


def test_a_higher_level_is_wider() -> None:
    values = [(str(i), float(i)) for i in range(20)]
    wide, narrow = mean_by_family(values, level=0.99), mean_by_family(values, level=0.5)
    assert wide.low is not None
    assert wide.high is not None
    assert narrow.low is not None
    assert narrow.high is not None
    assert wide.low < narrow.low < narrow.high < wide.high


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "no values to average"),
        ([("a", nan)], "family 'a' has a value that is not finite: nan"),
        ([("a", 1.0), ("b", inf)], "family 'b' has a value that is not finite: inf"),
    ],
)
def test_what_cannot_be_averaged(values: list[tuple[str, float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mean_by_family(values)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    # 30 families with a shift of their own, 3 values each, truth 0: of 95 % intervals about 95 %
    # must cover it. 200 trials at .95 have a standard error of .015.
    draw = np.random.default_rng(11)
    covered = 0
    for trial in range(200):
        shifts = draw.normal(size=30)
        values = [
            (str(f), float(s + draw.normal(scale=0.3)))
            for f, s in enumerate(shifts)
            for _ in range(3)
        ]
        estimate = mean_by_family(values, rounds=400, seed=trial)
        assert estimate.low is not None
        assert estimate.high is not None
        covered += estimate.low <= 0 <= estimate.high
    assert 0.91 <= covered / 200 <= 0.99


def test_intervals_of_few_families_are_wide_enough() -> None:
    # Plain 95 % percentiles of six families cover about 86 %; 400 trials at .926 have a standard
    # error of .013.
    draw = np.random.default_rng(6)
    covered = 0
    for trial in range(400):
        estimate = mean_by_family(
            [(str(f), float(draw.normal())) for f in range(6)], rounds=400, seed=trial
        )
        assert estimate.low is not None
        assert estimate.high is not None
        covered += estimate.low <= 0 <= estimate.high
    assert 0.89 <= covered / 400 <= 0.97


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        # Newcombe 1998 (Statistics in Medicine 17, 857–872), table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (10, 10, 0.7225, 1.0),  # by hand: low = n / (n + z²) = 10 / 13.841
        (5, 10, 0.2366, 0.7634),
    ],
)
def test_wilson_against_published_values(successes: int, n: int, low: float, high: float) -> None:
    assert wilson_interval(successes, n) == pytest.approx((low, high), abs=5e-5)


def test_wilson_takes_ties_as_halves() -> None:
    # p = .5, n = 1, z = 2: centre .5, half width 2 / 5 · sqrt(.25 + 1) = .4472
    assert wilson_interval(0.5, 1, z=2.0) == pytest.approx(
        (0.5 - 0.4 * sqrt(1.25), 0.5 + 0.4 * sqrt(1.25))
    )


@pytest.mark.parametrize(("successes", "n"), [(0, 0), (3, 2), (-1, 2), (nan, 2)])
def test_wilson_refuses_what_is_no_share(successes: float, n: int) -> None:
    with pytest.raises(ValueError, match=r"no interval|no share"):
        wilson_interval(successes, n)
