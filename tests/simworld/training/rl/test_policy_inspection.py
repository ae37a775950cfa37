"""What is said of data before a planner is trained: whether the state matters, and how much."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simworld.core.errors import InputError
from simworld.training.data.transitions import Transitions
from simworld.training.rl.policy_inspection import inspect_policies
from tests.factories.transitions import bandit, directions, episodes


def tried(*, by_state: bool, count: int = 600, seed: int = 0) -> Transitions:
    """Acts that tried three ways in 20 families. The first way pays 1, or, by the state's first
    number, 1 or −1; the second then the opposite. Luck has a deviation of 1."""
    rng = np.random.default_rng(seed)
    ways, way = directions(3, 5, rng), rng.integers(3, size=count)
    sign = rng.choice([-1.0, 1.0], size=count)
    pays = np.stack([sign, -sign, 0 * sign] if by_state else [0 * sign + 1, 0 * sign, 0 * sign], 1)
    states = np.stack([sign, rng.normal(size=count), rng.random(count)], 1)
    return episodes(
        states[:, None].tolist(),
        ways[way][:, None].tolist(),
        (pays[np.arange(count), way] + rng.normal(size=count))[:, None].tolist(),
        families=[f"family {number % 20}" for number in range(count)],
    )


def test_where_the_state_matters_the_regression_brings_more_than_any_way() -> None:
    data = tried(by_state=True)
    found = inspect_policies(data)
    assert (found.acts, found.ways, found.difference.families) == (600, 3, 20)
    deviation = float(data.rewards.std())
    # the best way in each state pays 1, of which the fit finds most; the best single way nothing
    assert 0.65 < found.regression * deviation < 1.15
    assert found.best_way * deviation == pytest.approx(0, abs=0.2)
    assert found.difference.z > 4
    assert found.r2 > found.r2_without_product + 0.1
    assert found.acts_needed is not None
    assert found.acts_needed < 600


def test_where_it_does_not_the_best_way_is_as_good() -> None:
    found = inspect_policies(tried(by_state=False))
    assert found.best_way == pytest.approx(found.regression, abs=0.1)
    assert abs(found.difference.z) < 2
    assert found.r2 == pytest.approx(found.r2_without_product, abs=0.02)


def test_what_cannot_be_compared() -> None:
    with pytest.raises(InputError, match=r"^1 families; policies are compared over at least 10"):
        inspect_policies(replace(tried(by_state=True), family_index=np.zeros(600, dtype=np.int64)))
    with pytest.raises(InputError, match="all 600 rewards are 2, so no way is better"):
        inspect_policies(replace(tried(by_state=True), rewards=np.full(600, 2, np.float32)))
    every_action_another = bandit(400)
    with pytest.raises(InputError, match="800 different actions in 800 acts"):
        inspect_policies(every_action_another)
