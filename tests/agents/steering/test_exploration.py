"""Exploration draws from streams of its own, whoever plays."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from agents.steering.exploration import Exploration
from simworld.core.seeding import derive_seed, make_rng
from simworld.testing import example_observations
from tests.factories.exploring import exploring

OBSERVATIONS = example_observations()
FIRST = OBSERVATIONS[0]
SAME_SEAT = [one for one in OBSERVATIONS if one.seat == FIRST.seat]
PLANNED = torch.tensor([1.0, -1.0, 1.0, 1.0])


def test_a_random_direction_lies_on_the_sphere_and_comes_from_the_turns_stream() -> None:
    action = exploring(sigma=None).explore_action(FIRST, None, 4, "sphere")
    drawn = make_rng(derive_seed(FIRST.seed, "explore")).standard_normal(4)
    assert action.dtype == torch.float32
    assert np.allclose(action.numpy(), 2 * drawn / np.linalg.norm(drawn), atol=1e-6)


def test_noise_is_added_to_the_planned_action_and_projected() -> None:
    drawn = make_rng(derive_seed(FIRST.seed, "explore")).standard_normal(4)
    noisy = PLANNED.numpy() + 0.25 * drawn
    action = exploring(sigma=0.25).explore_action(FIRST, PLANNED, 4, "sphere")
    assert np.allclose(action.numpy(), 2 * noisy / np.linalg.norm(noisy), atol=1e-6)
    boxed = exploring(sigma=0.25).explore_action(FIRST, PLANNED, 4, "box")
    assert np.allclose(boxed.numpy(), noisy.clip(-1, 1), atol=1e-6)
    with pytest.raises(ValueError, match="noise needs a planned action"):
        exploring(sigma=0.25).explore_action(FIRST, None, 4, "sphere")


@pytest.mark.parametrize("sigma", [None, 0.5])
def test_turns_differ_and_an_episode_is_one(sigma: float | None) -> None:
    assert len(SAME_SEAT) == 2

    def explored(exploration: Exploration) -> list[Tensor]:
        return [exploration.explore_action(one, PLANNED, 4, "sphere") for one in SAME_SEAT]

    first, second = explored(exploring(sigma=sigma))
    assert not torch.allclose(first, second)
    first, second = explored(exploring(sigma=sigma, per="episode"))
    assert torch.equal(first, second)
    other_seat = exploring(sigma=sigma, per="episode").explore_action(
        OBSERVATIONS[1], PLANNED, 4, "sphere"
    )
    assert not torch.allclose(first, other_seat)
    elsewhere = replace(FIRST, episode_seed=FIRST.episode_seed + 1)
    assert not torch.allclose(
        first,
        exploring(sigma=sigma, per="episode").explore_action(elsewhere, PLANNED, 4, "sphere"),
    )


def test_ways_are_tried_as_often_as_each_other_and_put_on_the_sphere() -> None:
    ways = torch.tensor([[3.0, 0.0, 0.0, 0.0], [0.0, 1.0, 1.0, 0.0]])
    exploration = exploring(sigma=None, ways=ways)
    seen = [
        exploration.explore_action(replace(FIRST, seed=seed), None, 4, "sphere")
        .numpy()
        .round(4)
        .tolist()
        for seed in range(40)
    ]
    expected: list[list[float]] = [[2, 0, 0, 0], [0, 1.4142, 1.4142, 0]]
    counts = [sum(np.allclose(one, way, atol=1e-4) for one in seen) for way in expected]
    assert sum(counts) == 40
    assert min(counts) >= 10
