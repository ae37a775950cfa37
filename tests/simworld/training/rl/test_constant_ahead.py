"""The best constant where acts pay later: a mixture that does both, where neither alone pays."""

from __future__ import annotations

import numpy as np
import pytest

from simworld.training.data.transitions import Transitions
from simworld.training.rl.best_constant import best_constant
from simworld.training.rl.constant_ahead import best_constant_ahead
from tests.factories.transitions import bandit, episodes

NAME, THANK, NEITHER = np.eye(3, dtype=np.float32) * np.float32(3**0.5)


def name_then_thank(seed: int = 0) -> Transitions:
    """Two acts, each one of three ways: the second pays thank x name, of the act before, which its
    state tells. A quarter more for thanking at all, so that at γ 0 thanking is best.
    """
    rng = np.random.default_rng(seed)
    count = 1200
    ways = np.stack([NAME, THANK, NEITHER])
    chosen = rng.integers(3, size=(count, 2))
    actions = ways[chosen]
    named = (chosen[:, 0] == 0) * 1.0
    thanked = (chosen[:, 1] == 1) * 1.0
    states = np.zeros((count, 2, 2))
    states[:, 1, 0] = named
    states[:, :, 1] = [1.0, 0.5]
    rewards = np.stack([np.zeros(count), thanked * named + 0.25 * thanked], 1)
    return episodes(
        states.tolist(),
        actions.tolist(),
        (rewards + 0.05 * rng.normal(size=rewards.shape)).tolist(),
        families=[f"family {number % 8}" for number in range(count)],
    )


def test_a_mixture_that_does_both_is_best() -> None:
    """Alone, to thank brings .25 and to name 0. Halfway between them on the sphere lies √½ of both,
    in the plane of the three ways √½ - (√2 - 1) / 3 = .569: .25 · .569 + .569² = .466.
    """
    data = name_then_thank()
    found = best_constant_ahead(data, gamma=1.0, seed=0)
    assert found is not None
    action, choice = found
    np.testing.assert_allclose(action, np.float32(1.5**0.5) * np.array([1, 1, 0]), atol=1e-6)
    np.testing.assert_allclose(choice.action, THANK, atol=1e-6)
    assert choice.is_mixture_better
    assert choice.way_value == pytest.approx(0.25, abs=0.06)
    assert choice.mixture_value == pytest.approx(0.466, abs=0.06)


def test_without_a_future_it_would_be_another() -> None:
    now = best_constant(name_then_thank(), by_act=True)
    assert int(np.argmax(now)) == 1  # mostly to thank


def test_actions_from_all_over_are_no_ways() -> None:
    assert best_constant_ahead(bandit(), gamma=0.9, seed=0) is None
