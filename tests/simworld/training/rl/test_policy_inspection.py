"""What is said of data before a planner is trained: whether the state matters, and how much."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simworld.core.errors import InputError
from simworld.training.data.transitions import Transitions
from simworld.training.rl.act_situations import ActSituations
from simworld.training.rl.policy_inspection import PolicyInspection, inspect_policies
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


BY_STATE = tried(by_state=True)
UP_OR_DOWN = ActSituations(names=("up", "down"), index=(BY_STATE.states[:, 0] < 0).astype(np.int64))


@pytest.fixture(scope="module")
def by_state() -> PolicyInspection:
    return inspect_policies(BY_STATE, situations=UP_OR_DOWN)


def test_where_the_state_matters_the_regression_brings_more_than_any_way(
    by_state: PolicyInspection,
) -> None:
    data, found = BY_STATE, by_state
    assert (found.acts, found.ways, found.difference.families) == (600, 3, 20)
    deviation = float(data.rewards.std())
    # the best way in each state pays 1, of which the fit finds most; the best single way nothing
    assert 0.65 < found.regression * deviation < 1.15
    assert found.best_way * deviation == pytest.approx(0, abs=0.2)
    assert found.difference.z > 4
    assert found.r2 > found.r2_without_product + 0.1
    assert found.acts_needed is not None
    assert found.acts_needed < 600
    assert found.by_product.p == 0.005  # of 199 permutations none comes near
    assert found.by_product.r2 == found.r2 - found.r2_without_product
    assert found.by_action.p > 0.01  # each way pays as often as it costs
    assert found.by_action.r2 == pytest.approx(0, abs=0.02)
    assert found.by_state.r2 == pytest.approx(0, abs=0.02)


def test_what_each_way_brings_in_each_situation(by_state: PolicyInspection) -> None:
    found, index = by_state, UP_OR_DOWN.index
    deviation = float(BY_STATE.rewards.std())
    assert found.situations == {"up": int((index == 0).sum()), "down": int((index == 1).sum())}
    assert len(found.table) == 6
    assert sum(cell.n for cell in found.table) == 600
    means = {(cell.way, cell.situation): cell.mean * deviation for cell in found.table}
    # in each situation one way pays 1, one −1, one nothing; over both none pays
    for name in ("up", "down"):
        assert sorted(means[way, name] for way in range(3)) == pytest.approx([-1, 0, 1], abs=0.35)
    assert all(cell.se is not None and 0.02 < cell.se < 0.3 for cell in found.table)
    assert found.by_situation.value * deviation == pytest.approx(1, abs=0.25)
    assert found.by_situation.gain.z > 4
    assert found.by_situation.acts_needed is not None
    assert found.by_situation.acts_needed < 600


def test_a_constant_between_the_ways_is_valued_though_nobody_tried_it() -> None:
    """Three ways of length 2 along three axes. Rewards are half the sum of the first two numbers,
    so a way brings 1 at best; on the shell of the data, the sphere of radius 2 with the mean
    (⅔, ⅔, ⅔), it is 4/3, at (4/3, 4/3, −⅔).
    """
    rng = np.random.default_rng(0)
    count = 400
    actions = 2 * np.eye(3, 4, dtype=np.float32)[rng.integers(3, size=count)]
    rewards = actions[:, :2].sum(1) / 2 + 0.1 * rng.normal(size=count)
    states = np.stack([rng.normal(size=count), rng.random(count)], 1)
    data = episodes(
        states[:, None].tolist(),
        actions[:, None].tolist(),
        rewards[:, None].tolist(),
        families=[f"family {number % 20}" for number in range(count)],
    )
    found = inspect_policies(data)
    deviation = float(data.rewards.std())
    assert found.best_way * deviation == pytest.approx(1, abs=0.05)
    assert found.best_constant.value * deviation == pytest.approx(4 / 3, abs=0.05)
    assert found.best_constant.gain.z > 4
    assert found.by_action.p == 0.005
    assert found.by_action.r2 > 0.9
    assert list(found.situations) == ["first third", "second third", "last third"]


def test_where_it_does_not_the_best_way_is_as_good() -> None:
    found = inspect_policies(tried(by_state=False))
    assert found.best_way == pytest.approx(found.regression, abs=0.1)
    assert abs(found.difference.z) < 2
    assert found.r2 == pytest.approx(found.r2_without_product, abs=0.02)


def test_what_cannot_be_compared() -> None:
    with pytest.raises(InputError, match=r"^1 families; policies are compared over at least 10"):
        inspect_policies(replace(tried(by_state=True), family_index=np.zeros(600, dtype=np.int64)))
    with pytest.raises(InputError, match="all 600 rewards are 2, so no action is better"):
        inspect_policies(replace(tried(by_state=True), rewards=np.full(600, 2, np.float32)))
    every_action_another = bandit(400)
    with pytest.raises(InputError, match="800 different actions in 800 acts"):
        inspect_policies(every_action_another)
