"""The benchmark of slopes tells a direction from chance, and sound slopes from others."""

from __future__ import annotations

import numpy as np
import pytest

from bench.slopes import centred, halves, length, summary, with_states


def test_lengths_and_halves_by_hand() -> None:
    rows = np.array([[3.0, 4.0], [3.0, 4.0]])
    assert length(rows) == (5.0, 0.0)
    # Two families: a = (3, 4), b = (3, 4), a · b / |a| = 5.
    assert halves(rows, np.array([0, 1]), 3, np.random.default_rng(0)) == pytest.approx(5.0)
    # At right angles nothing carries over.
    across = np.array([[3.0, 4.0], [4.0, -3.0]])
    assert halves(across, np.array([0, 1]), 3, np.random.default_rng(0)) == pytest.approx(0.0)


def test_a_planted_direction_is_seen_and_without_it_nothing_is() -> None:
    draw = np.random.default_rng(1)
    slopes, families = draw.normal(size=(600, 5)), np.arange(600) % 12
    luck = draw.normal(size=600)
    planted = summary(luck + 0.5 * slopes[:, 2], slopes, families, splits=20, permutations=40)
    assert planted["p"] == 0
    assert planted["halves"] == pytest.approx(0.5, abs=0.15)
    assert planted["mean"] < 2 * planted["mean_chance"]
    assert summary(luck, slopes, families, splits=20, permutations=40)["p"] > 0.05
    assert summary(luck, slopes + 0.5, families, splits=20, permutations=1)["mean"] > 1


def test_rewards_are_centred_by_family_and_turn() -> None:
    # Family 0 has the mean 3, family 1 the mean 9: left are −2, −1, 2, 1, 0; of turn 0 the mean is 0, of turn 1 too.
    found = centred(np.array([1.0, 2.0, 5.0, 4.0, 9.0]), np.array([0, 0, 0, 0, 1]), np.array([0, 1, 0, 1, 0]))
    np.testing.assert_allclose(found, [-2, -1, 2, 1, 0])
    np.testing.assert_allclose(centred(np.array([0.0, 4.0]), np.array([0, 0]), np.array([0, 3])), [0, 0])


def test_slopes_that_go_with_states_are_not_sound() -> None:
    draw = np.random.default_rng(2)
    states, slopes = draw.normal(size=(800, 6)), draw.normal(size=(800, 5))
    assert with_states(slopes, states) == pytest.approx(1, abs=0.6)
    assert with_states(slopes + 0.5 * states[:, :5], states) > 10
