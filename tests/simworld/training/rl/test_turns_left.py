"""A learner that sees turns left alone, on a task in which the clock and the dialogue both say what
pays."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from simworld.training.data.fit_normalizer import normalizer_from_transitions, turns_left_alone
from simworld.training.data.transitions import Transitions
from simworld.training.rl.bc import BCSettings
from simworld.training.rl.planner_settings import PlannerSettings
from simworld.training.rl.ridge import RidgeSettings
from simworld.training.rl.td3bc import TD3BCSettings
from simworld.training.rl.train_planner import TrainingData, train_planner
from tests.factories.transitions import directions, episodes
from tests.simworld.training.rl.test_train_planner import LOOP, start

SMALL = TD3BCSettings(critic_hidden=(4,))
BILINEAR = TD3BCSettings(critic="bilinear")


def clock_and_dialogue(count: int = 240) -> Transitions:
    """Of two acts the first pays along the first axis and the second against it; along the second
    axis each pays as the first number of its state says. The last number is the turns left."""
    rng = np.random.default_rng(3)
    states = rng.normal(size=(count, 2, 3))
    states[:, :, 2] = [1.0, 0.5]
    actions = directions(2 * count, 4, rng).reshape(count, 2, 4)
    rewards = actions[..., 0] * [1, -1] + actions[..., 1] * np.sign(states[..., 0])
    return episodes(
        states.tolist(),
        actions.tolist(),
        rewards.tolist(),
        families=[f"family {number % 12}" for number in range(count)],
    )


DATA = TrainingData(transitions=clock_and_dialogue(), encoder_id="e1", provenance={})
STATES = torch.tensor([[-2.0, 0.3, 1.0], [2.0, -0.1, 1.0], [-2.0, 0.3, 0.5], [2.0, -0.1, 0.5]])


@pytest.mark.parametrize("warm", [True, False])
@pytest.mark.parametrize(
    "settings",
    [
        PlannerSettings(hidden=(6,), td3bc=SMALL, loop=LOOP),
        PlannerSettings(hidden=(), td3bc=BILINEAR, loop=LOOP),
        PlannerSettings(hidden=(6,), learner="bc", bc=BCSettings(), loop=LOOP),
        PlannerSettings(learner="ridge", ridge=RidgeSettings(gamma=0.9), loop=LOOP),
    ],
)
def test_what_was_said_makes_no_difference(settings: PlannerSettings, warm: bool) -> None:
    clock = settings.model_copy(update={"sees": "turns_left"})
    planner = train_planner(DATA, start(actor=warm), clock)
    first, same, later, same_later = planner.choose_actions(STATES)
    torch.testing.assert_close(first, same, rtol=0, atol=1e-6)
    torch.testing.assert_close(later, same_later, rtol=0, atol=1e-6)
    assert (first - later).norm() > 1e-3
    assert planner.info.data["settings"]["sees"] == "turns_left"
    reader = train_planner(DATA, start(actor=warm), settings)
    assert "sees" not in reader.info.data["settings"]
    first, other, *_ = reader.choose_actions(STATES)
    assert (first - other).norm() > 1e-3


def test_the_clock_learns_what_the_clock_tells() -> None:
    """The first axis by the turn; of the second nothing can be known."""
    settings = PlannerSettings(learner="ridge", sees="turns_left")
    planner = train_planner(DATA, start(actor=False), settings)
    early, _, late, _ = planner.choose_actions(STATES)
    assert early[0] > 1.9  # of 2, the radius
    assert late[0] < -1.9


def test_nothing_is_left_of_the_other_numbers() -> None:
    normalizer = normalizer_from_transitions(DATA.transitions)
    alone = turns_left_alone(normalizer)
    seen = alone.standardise(STATES * 1000)
    assert seen[:, :2].square().abs().max() == 0
    assert torch.equal(seen[:, 2], normalizer.standardise(STATES * 1000)[:, 2])


def test_a_learner_says_its_discount() -> None:
    assert PlannerSettings().gamma == 0.99
    assert PlannerSettings(learner="ridge").gamma == 0
    assert not PlannerSettings(learner="bc").plans_ahead  # its gamma is that of its evaluation
    ridge = PlannerSettings(learner="ridge", ridge=RidgeSettings(gamma=0.9))
    assert ridge.gamma == 0.9
    assert ridge.with_gamma(0) == PlannerSettings(learner="ridge")
    assert PlannerSettings().with_gamma(0).td3bc == TD3BCSettings(gamma=0)
