"""When actions pay: at once, in the seat's next act, or not at all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simworld.core.errors import InputError
from simworld.training.data.dataset_checks import check_rewards
from simworld.training.data.future_rewards import when_actions_pay
from simworld.training.data.transitions import Transitions
from simworld.training.rl.planner_settings import PlannerSettings
from simworld.training.rl.ridge import RidgeSettings
from simworld.training.rl.td3bc import TD3BCSettings
from simworld.training.rl.train_planner import (
    TrainingData,
    learning_warning,
    train_planner,
)
from tests.factories.transitions import bandit, episodes
from tests.simworld.training.rl.test_train_planner import start


def played(*, at_once: float, later: float) -> Transitions:
    """Episodes of three acts in 10 families. An act in the first of two ways pays so much at once,
    and so much in the act after it.
    """
    rng = np.random.default_rng(1)
    first = rng.integers(2, size=(100, 3))
    actions = np.where(first[..., None] == 1, [1.0, 1.0, 1.0, -1.0], [1.0, -1.0, 1.0, 1.0])
    rewards = at_once * first + rng.normal(size=first.shape)
    rewards[:, 1:] += later * first[:, :-1]
    return episodes(
        rng.normal(size=(100, 3, 3)).tolist(),
        actions.tolist(),
        rewards.tolist(),
        families=[f"family {number % 10}" for number in range(100)],
    )


def test_when_actions_pay() -> None:
    for at_once, later, only_later in ((0, 1, True), (1, 1, False), (1, 0, False), (0, 0, False)):
        found = when_actions_pay(played(at_once=at_once, later=later))
        assert found is not None
        assert (found.own_p <= 0.01) == bool(at_once)
        assert (found.next_p <= 0.01) == bool(later)
        assert found.only_later is only_later


def test_where_nothing_can_be_told() -> None:
    data = played(at_once=0, later=1)
    assert when_actions_pay(data.select(np.arange(0, 300, 3))) is None  # first acts alone
    assert when_actions_pay(replace(data, rewards=np.zeros(300, np.float32))) is None
    assert when_actions_pay(replace(data, actions=np.ones((300, 4), np.float32))) is None


def test_gamma_0_where_only_the_future_pays_is_told() -> None:
    data = TrainingData(
        transitions=played(at_once=0, later=1), encoder_id="e1", provenance={"sha256": "abc"}
    )
    short = PlannerSettings(td3bc=TD3BCSettings(gamma=0))
    warning = learning_warning(data, short)
    assert warning is not None
    assert warning.startswith(
        "the next act's reward goes with an action (p 0.005) and its own does"
    )
    assert warning.endswith("γ is 0, so nothing of that is learned; set gamma above 0")
    assert learning_warning(data, PlannerSettings(learner="ridge")) == warning
    far = RidgeSettings(gamma=0.9)
    assert learning_warning(data, PlannerSettings(learner="ridge", ridge=far)) is None
    assert learning_warning(data, PlannerSettings()) is None
    assert learning_warning(data, PlannerSettings(learner="bc")) is None
    at_once = replace(data, transitions=played(at_once=1, later=1))
    assert learning_warning(at_once, short) is None


@pytest.mark.parametrize("value", [0.0, 0.3, -1e4])
def test_rewards_that_are_all_one_but_for_rounding(value: float) -> None:
    data = bandit()
    rewards = np.full(120, value, np.float32)
    rewards[::2] = np.nextafter(rewards[0], np.float32(1e9))
    with pytest.raises(InputError, match=r"^all 120 rewards are .*, so no action is better than"):
        check_rewards(replace(data, rewards=rewards))
    rewards[0] += max(1e-6, abs(value) * 1e-5)
    check_rewards(replace(data, rewards=rewards))


@pytest.mark.parametrize("learner", ["td3bc", "ridge"])
def test_every_learner_of_rewards_refuses_equal_ones(learner: str) -> None:
    transitions = replace(bandit(), rewards=np.full(120, 0.5, np.float32))
    data = TrainingData(transitions=transitions, encoder_id="e1", provenance={})
    settings = PlannerSettings.model_validate({"learner": learner})
    with pytest.raises(InputError, match=r"all 120 rewards are 0\.5, so no action is better"):
        train_planner(data, start(actor=True), settings)
