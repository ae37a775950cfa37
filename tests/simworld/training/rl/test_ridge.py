"""The regression learner: it finds what to do when, sees what follows, and says what it knows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from agents.steering.checkpoint import load_checkpoint, save_checkpoint
from simworld.core.arrays import Floats
from simworld.core.errors import InputError
from simworld.training.data.fit_normalizer import normalizer_from_transitions
from simworld.training.data.transitions import Transitions
from simworld.training.rl.planner_settings import PlannerSettings
from simworld.training.rl.ridge import RidgeSettings, ridge_actor
from simworld.training.rl.train_planner import train_planner
from tests.factories.transitions import bandit, directions, episodes
from tests.simworld.training.rl.test_train_planner import DATA, start

ASK, THANK = np.array([3.0**0.5, 0, 0]), np.array([0, 3.0**0.5, 0])


def turn_by_turn(*, pays_later: bool, seed: int = 0) -> Transitions:
    """Episodes of two acts in 8 families; the state's last number is the share of turns left.

    The second act pays for a₂. The first pays for a₁ itself, or, where it pays later, leads to a
    state whose first number is a₁, by which the second pays more.
    """
    rng = np.random.default_rng(seed)
    count = 320
    actions = directions(2 * count, 3, rng).reshape(count, 2, 3)
    ask, thank = actions[:, 0, 0], actions[:, 1, 1]
    drawn = rng.normal(size=(2, count, 2))
    states = np.stack([*drawn, np.tile([1.0, 0.5], (count, 1))], -1)
    if pays_later:
        states[:, 1, 0] = ask
    rewards = np.stack([0 * ask if pays_later else ask, thank + ask * pays_later], 1)
    rewards += 0.3 * rng.normal(size=rewards.shape)
    return episodes(
        states.tolist(),
        actions.tolist(),
        rewards.tolist(),
        families=[f"family {number % 8}" for number in range(count)],
    )


def acts(transitions: Transitions, gamma: float) -> tuple[Floats, Floats]:
    """What the actor does at first and later, (3,) each; the mean over the other state number."""
    transitions = transitions.with_next_rows()
    normalizer = normalizer_from_transitions(transitions)
    actor, _ = ridge_actor(transitions, normalizer, RidgeSettings(gamma=gamma), seed=0)
    with torch.no_grad():
        all_actions = actor(normalizer.standardise(torch.from_numpy(transitions.states)))
    first, second = (all_actions[n::2].mean(0).double().numpy() for n in (0, 1))
    return first, second


def test_what_pays_first_and_what_pays_later() -> None:
    first, second = acts(turn_by_turn(pays_later=False), gamma=0)
    assert first @ ASK / 3 > 0.9
    assert second @ THANK / 3 > 0.9


def test_only_with_a_discount_above_0_it_does_what_pays_later() -> None:
    data = turn_by_turn(pays_later=True)
    blind, _ = acts(data, gamma=0)
    seeing, second = acts(data, gamma=0.9)
    assert abs(blind @ ASK / 3) < 0.5
    assert seeing @ ASK / 3 > 0.9
    assert second @ THANK / 3 > 0.9


def test_it_says_how_well_it_foretells_unseen_families() -> None:
    data = turn_by_turn(pays_later=False).with_next_rows()
    _, metrics = ridge_actor(data, normalizer_from_transitions(data), RidgeSettings(), seed=0)
    # half of the acts' reward is a₁ or a₂, of variance 1; luck has .09
    assert metrics["r2"] > 0.8
    assert 0.3 < metrics["r2_without_product"] < 0.6


def test_it_stays_on_the_shell_of_the_data() -> None:
    rng = np.random.default_rng(2)
    near = bandit()
    actions = np.array([1.2, 1.2, 0.8, 0.6]) + 0.1 * rng.normal(size=near.actions.shape)
    actions *= 2 / np.linalg.norm(actions, axis=1, keepdims=True)
    near = replace(near, actions=actions.astype(np.float32)).with_next_rows()
    actor, _ = ridge_actor(near, normalizer_from_transitions(near), RidgeSettings(), seed=0)
    mean = near.actions.mean(0)
    spread = np.sqrt(np.square(near.actions - mean).sum(1).mean())
    assert actor.radius == pytest.approx(spread, rel=1e-4)
    with torch.no_grad():
        moved = actor(torch.randn(50, 3, generator=torch.Generator().manual_seed(0))).numpy() - mean
    assert np.linalg.norm(moved, axis=1) == pytest.approx(np.full(50, spread), rel=0.1)


def test_a_planner_by_ridge_is_a_checkpoint_like_any_other(tmp_path: Path) -> None:
    settings = PlannerSettings(learner="ridge")
    planner = train_planner(DATA, start(actor=True), settings)
    again = load_checkpoint(save_checkpoint(tmp_path / "p", planner))
    assert again.id == planner.id == train_planner(DATA, start(actor=True), settings).id
    states = torch.randn(9, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(again.choose_actions(states), planner.choose_actions(states))
    # the reward is the first number of the action, whatever the state
    assert planner.choose_actions(states)[:, 0].min() > 1.8
    assert set(planner.info.metrics) == {"r2", "r2_without_product"}
    assert planner.info.data["settings"]["ridge"] == {"gamma": 0.0}


def test_settings_of_other_learners_are_written_as_before() -> None:
    assert "ridge" not in PlannerSettings().model_dump(mode="json")


@pytest.mark.parametrize(
    "settings", [{"learner": "ridge"}, {"hidden": (), "td3bc": {"critic": "bilinear"}}]
)
def test_data_without_a_difference_are_refused_in_one_line(settings: dict[str, Any]) -> None:
    chosen = PlannerSettings.model_validate({**settings, "loop": {"held_out": 0}})
    transitions = DATA.transitions
    equal = replace(transitions, rewards=np.zeros_like(transitions.rewards))
    one_family = replace(transitions, family_index=np.zeros_like(transitions.family_index))
    for data, message in ((equal, "all 120 rewards are 0"), (one_family, "one family")):
        with pytest.raises(InputError, match=message):
            train_planner(replace(DATA, transitions=data), start(actor=True), chosen)
