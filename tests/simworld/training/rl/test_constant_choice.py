"""The best constant of data that tried ways: one of them, or a mixture; values worked out by
hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from simworld.training.data.transitions import ACTION_ROWS, Transitions
from simworld.training.rl.best_constant import best_constant, choose_constant, constant_checkpoint
from simworld.training.rl.constant_choice import find_ways
from tests.factories.transitions import directions, episodes
from tests.simworld.training.rl.test_best_constant import data
from tests.simworld.training.rl.test_train_planner import start

ROOT = 2**0.5
AXES = np.array([[ROOT, 0], [0, ROOT], [-ROOT, 0], [0, -ROOT]])


def tried(
    worth: list[float], *, kept: bool = False, acts: int = 2, at_end: bool = False
) -> Transitions:
    """Four families, in each of which every pair of the four ways is tried twice, or every way for
    a whole episode; an act is worth what its way is, and ten times its family's number."""
    pairs = [(i, j) for i in range(4) for j in range(4)] if not kept else [(i, i) for i in range(4)]
    ways = np.array([pair[:acts] for pair in pairs] * 8)
    family = np.repeat(np.arange(4), len(ways) // 4)
    rewards = (np.array(worth)[ways] + 10 * family[:, None]) / acts
    if at_end:
        rewards = np.stack((np.zeros(len(ways)), rewards.sum(1)), 1)
    states = np.zeros((len(ways), acts, 3))
    names = [f"f{number}" for number in family]
    return episodes(states.tolist(), AXES[ways].tolist(), rewards.tolist(), families=names)


@pytest.mark.parametrize("kept", [True, False])
def test_two_ways_that_pay_make_a_mixture(kept: bool) -> None:
    """A way on an axis is worth 1 or -1; what lies between (1, 0) and (0, 1) is worth √2."""
    action, chosen = choose_constant(tried([1, 1, -1, -1], kept=kept), by_act=True)
    np.testing.assert_allclose(action, [1, 1], atol=1e-3)
    assert chosen is not None
    assert chosen.is_mixture_better
    assert chosen.way_value == pytest.approx(1, abs=1e-6)
    assert chosen.mixture_value == pytest.approx(ROOT, abs=1e-3)


@pytest.mark.parametrize("kept", [True, False])
def test_one_way_that_pays_beats_what_a_line_through_all_foretells(kept: bool) -> None:
    """Worth .75 more than the mean of all; the line has a slope of 1 / 2√2, so √2 away it says
    .5. No line tells a second one, worth .5 more, from the two beside it."""
    for worth, best, way, mixture in (
        ([1.0, 0, 0, 0], 0, 0.75, 0.5),
        ([0.0, 0.3, 1, 0.3], 2, 0.6, 0.5),
    ):
        action, chosen = choose_constant(tried(worth, kept=kept), by_act=True)
        np.testing.assert_allclose(action, AXES[best], atol=1e-6)
        assert chosen is not None
        assert not chosen.is_mixture_better
        assert chosen.way_value == pytest.approx(way, abs=1e-6)
        assert chosen.mixture_value == pytest.approx(mixture, abs=0.01)  # ridge


def test_scores_of_episodes_tell_ways_that_were_kept() -> None:
    kept = tried([1, 0, 0, 0], kept=True, at_end=True)
    action, chosen = choose_constant(kept, by_act=False)
    assert chosen is not None
    assert chosen.way_value == pytest.approx(0.75, abs=1e-6)
    np.testing.assert_allclose(action, AXES[0], atol=1e-6)
    # of several ways in an episode its score does not say which it was: the line alone
    mixed = tried([1, 0, 0, 0], at_end=True)
    action, chosen = choose_constant(mixed, by_act=False)
    assert chosen is None
    np.testing.assert_allclose(action, AXES[0], atol=1e-3)


def test_the_checkpoint_says_which_and_both_values() -> None:
    metrics = constant_checkpoint(
        start(actor=False, d_action=2), tried([1, 1, -1, -1]), by_act=True
    ).info.metrics
    assert metrics["is_mixture"] == 1
    assert metrics["way_value"] == pytest.approx(1, abs=1e-6)
    assert metrics["mixture_value"] == pytest.approx(ROOT, abs=1e-3)


@pytest.mark.parametrize(
    ("rewards", "by_act", "found"),
    [
        ("utterance", True, [1.0440359, -1.381443, -0.0400549]),
        ("end", False, [1.073049, -1.3596176, 0.0023709]),
    ],
)
def test_for_random_directions_it_is_what_it_was(
    rewards: str, by_act: bool, found: list[float]
) -> None:
    """Computed before there were mixtures to choose from."""
    made = data(rewards, noise=0.5)
    np.testing.assert_allclose(best_constant(made, by_act=by_act), found, atol=1e-5)
    assert choose_constant(made, by_act=by_act)[1] is None
    # few, but each tried once, though kept for a whole episode
    few = directions(60, 3, np.random.default_rng(0))
    kept = replace(made, actions=few[made.episode_index])
    assert choose_constant(kept, by_act=by_act)[1] is None


def test_ways_are_found_across_pieces_of_a_file() -> None:
    rng = np.random.default_rng(1)
    known = directions(3, 2, rng)
    way: NDArray[np.int64] = rng.integers(3, size=2 * ACTION_ROWS + 5)
    found = find_ways(known[way])
    assert found is not None
    np.testing.assert_array_equal(found[0][found[1]], known[way])
    assert len(found[0]) == 3
    assert find_ways(directions(257, 2, rng)) is None
    assert find_ways(known[way], max_ways=2) is None
