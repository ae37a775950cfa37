"""Values of policies over ways, from acts that tried ways at random."""

from dataclasses import replace

import numpy as np
import pytest

from simworld.training.rl.off_policy_values import (
    WaysData,
    compare_values,
    doubly_robust,
    family_values,
    linear_doubly_robust,
)


def test_by_hand() -> None:
    data = WaysData(
        way=np.array([0, 0, 1, 0]),
        reward=np.array([1.0, 3.0, 5.0, 2.0]),
        family=np.array([0, 0, 1, 1]),
        fitted=np.array([[1.5, 4.0], [2.0, 4.0], [1.0, 4.5], [2.0, 6.0]]),
    )
    assert data.propensity == pytest.approx([0.75, 0.25])
    # foretold, and where the way was taken (reward − foretold) / p
    assert doubly_robust(data, np.array([0, 1, 1, 0])) == pytest.approx(
        [1.5 - 0.5 / 0.75, 4.0, 4.5 + 0.5 / 0.25, 2.0]
    )


@pytest.mark.parametrize("foretells", ["the truth", "nothing", "the opposite"])
def test_the_mean_is_right_whatever_the_fit_foretells(foretells: str) -> None:
    rng = np.random.default_rng(0)
    n, ways = 40_000, 3
    situation, way = rng.integers(2, size=n), rng.integers(ways, size=n)
    truth = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 2.0]])
    fitted = {"the truth": truth, "nothing": 0 * truth, "the opposite": -truth}[foretells]
    data = WaysData(
        way=way,
        reward=truth[situation, way] + 0.5 * rng.normal(size=n),
        family=rng.integers(20, size=n),
        fitted=fitted[situation],
    )
    planner = doubly_robust(data, np.where(situation == 0, 0, 2))
    constant = doubly_robust(data, np.full(n, 2))
    assert planner.mean() == pytest.approx(1.5, abs=0.04)
    assert constant.mean() == pytest.approx(1.0, abs=0.04)
    difference = compare_values(planner, constant, data.family)
    assert difference.mean == pytest.approx(0.5, abs=0.05)
    assert difference.families == 20


def test_a_fit_takes_luck_away() -> None:
    rng = np.random.default_rng(1)
    n = 4000
    level = rng.normal(size=n)  # of each act, which a fit knows
    way = rng.integers(2, size=n)
    known = np.stack([level, level + 1], 1)
    reward, family, chosen = known[np.arange(n), way], rng.integers(10, size=n), np.ones(n, int)
    data = WaysData(way=way, reward=reward, family=family, fitted=known)
    told = doubly_robust(data, chosen)
    blind = doubly_robust(replace(data, fitted=0 * known), chosen)
    assert told.std() == pytest.approx(1, abs=0.05)  # the levels' own, and no luck of the draw
    assert blind.std() > 1.3


def test_differences_are_paired_within_families() -> None:
    family = np.array([4, 4, 7, 7, 9])
    first, second = np.array([1.0, 3.0, 4.0, 4.0, 9.0]), np.array([0.0, 2.0, 1.0, 1.0, 4.0])
    assert family_values(first, family) == pytest.approx([2, 4, 9])
    difference = compare_values(first, second, family)
    # of 1, 3 and 5: the mean is 3, the deviation 2
    assert (difference.mean, difference.se) == pytest.approx((3, 2 / 3**0.5))
    assert difference.z == pytest.approx(3 / (2 / 3**0.5))
    assert compare_values(first, first, family).z == 0
    with pytest.raises(ValueError, match="needs two of them"):
        compare_values(first[:2], second[:2], family[:2])


def test_an_action_that_nobody_tried_by_hand() -> None:
    """Two ways, 0 and 1 on a line, that bring 1 and 3: linear, so 2 brings 5 and ½ the mean."""
    data = WaysData(
        way=np.array([0, 1, 0, 1]),
        reward=np.array([1.0, 3.0, 1.0, 3.0]),
        family=np.array([0, 0, 1, 1]),
        fitted=np.zeros((4, 2)),
    )
    ways, nothing = np.array([[0.0], [1.0]]), np.zeros(4)
    # weights are 1 + (b − ½) · 4 · (a − ½): −2 and 4 for b = 2
    two = linear_doubly_robust(data, ways, np.full((4, 1), 2.0), nothing)
    assert two == pytest.approx([-2, 12, -2, 12])
    half = linear_doubly_robust(data, ways, np.full((4, 1), 0.5), nothing)
    assert half == pytest.approx([1, 3, 1, 3])
    # for a way of them it is what `doubly_robust` gives, whatever the fit foretells
    data = replace(data, fitted=np.array([[0.5, 2.0], [0.0, 1.0], [1.0, 2.5], [2.0, 2.0]]))
    taken = linear_doubly_robust(data, ways, np.ones((4, 1)), data.fitted[:, 1])
    assert taken == pytest.approx(doubly_robust(data, np.ones(4, dtype=np.int64)))
