"""The benchmark of slopes tells a direction from chance, and sound slopes from others."""

from __future__ import annotations

import numpy as np
import pytest

from bench.slopes import halves, length, summary


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
