"""Groups that differ and groups that do not, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from simworld.stats.group_differences import permutation_p, random_effects


def test_groups_are_drawn_to_the_mean_by_how_much_of_them_is_luck() -> None:
    # Means 1 and 5, squares within 2 + 2 over 2 degrees of freedom: 2, so 1 for a mean of two. Q =
    # 4 + 4, less 1 degree of freedom, over 2 - 2 / 2: τ² = 7, and 7 / 8 of each distance to 3 is
    # kept.
    expected, between = random_effects(np.array([0, 0, 1, 1]), np.array([0.0, 2.0, 4.0, 6.0]))
    np.testing.assert_allclose(expected, [-0.5 + 3 - 1.25, 3 + 1.75])
    assert between == pytest.approx(7**0.5)


def test_groups_that_differ_less_than_luck_are_all_alike() -> None:
    expected, between = random_effects(np.array([0, 0, 1, 1]), np.array([0.0, 4.0, 1.0, 5.0]))
    np.testing.assert_allclose(expected, [2.5, 2.5])
    assert between == 0


def test_groups_without_luck_are_told_as_they_are() -> None:
    expected, between = random_effects(np.array([0, 0, 1]), np.array([1.0, 1.0, 3.0]))
    np.testing.assert_allclose(expected, [1, 3])
    assert between == pytest.approx(2**0.5)


def test_p_is_the_share_of_orders_that_differ_as_much() -> None:
    # Two of a group and one of the other in one family: the 1 falls to the other group in one order
    # of three.
    group, values = np.array([0, 0, 1]), np.array([0.0, 0.0, 1.0])
    assert permutation_p(group, values, np.zeros(3, dtype=np.int64)) == pytest.approx(
        1 / 3, abs=0.04
    )
    # nothing to exchange within families
    assert permutation_p(group, values, np.array([0, 0, 1])) == 1.0
    # Eight values whose groups are told apart in 2 of 70 orders.
    group, values = np.arange(8) % 2, np.where(np.arange(8) % 2, 1.0, -1.0)
    assert permutation_p(group, values, np.zeros(8, dtype=np.int64)) == pytest.approx(
        2 / 70, abs=0.012
    )
