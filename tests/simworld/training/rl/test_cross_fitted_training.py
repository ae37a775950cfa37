"""Training that stops by what all families say, and says where a constant is as good."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from agents.steering.normalizer import Normalizer
from simworld.core.errors import InputError
from simworld.training.actor_init import new_actor
from simworld.training.data.transitions import TransitionBatch, Transitions
from simworld.training.rl.cross_fitted_training import is_constant, train_cross_fitted
from simworld.training.rl.fold_values import (
    DoublyRobustValues,
    FittedQValues,
    constant_actor,
    nearest_ways,
    open_fold_values,
)
from simworld.training.rl.fqe import FQESettings
from simworld.training.rl.learner import Learner
from simworld.training.rl.offline_training import LoopSettings
from simworld.training.rl.planner_settings import PlannerSettings
from simworld.training.rl.td3bc import TD3BC, TD3BCSettings
from simworld.training.rl.train_planner import TrainingData, train_planner
from simworld.training.trainer import TrainingPosition, TrainingRecorder
from simworld.training.training_state import TrainingFile
from tests.factories.transitions import bandit, directions, episodes
from tests.simworld.training.rl.test_train_planner import start

WAYS = 2 * np.eye(3, 4, dtype=np.float32)  # three actions of four numbers, on the sphere
UNSCALED = Normalizer(mean=torch.zeros(3), std=torch.ones(3))
QUICK = FQESettings(steps=20, batch_size=16, hidden=(8,))
LOOP = LoopSettings(
    steps=12, batch_size=16, eval_interval=4, stopping="cross_fitted", folds=2, fqe=QUICK
)


def tried(*, by_state: bool, luck: float = 1.0, count: int = 400, seed: int = 0) -> Transitions:
    """Acts that tried three ways in 20 families. The first way pays 1, or, by the state's first
    number, 1 or −1; the second then the opposite.
    """
    rng = np.random.default_rng(seed)
    way = rng.integers(3, size=count)
    sign = rng.choice([-1.0, 1.0], size=count)
    pays = np.stack([sign, -sign, 0 * sign] if by_state else [0 * sign + 1, 0 * sign, 0 * sign], 1)
    states = np.stack([sign, rng.normal(size=count), rng.random(count)], 1)
    return episodes(
        states[:, None].tolist(),
        WAYS[way][:, None].tolist(),
        (pays[np.arange(count), way] + luck * rng.normal(size=count))[:, None].tolist(),
        families=[f"family {number % 20}" for number in range(count)],
    )


class Scripted:
    """A learner that goes by a script: in the first four updates it takes the third way, in the
    next four the one that pays in the state, and then the one that does not.
    """

    critic = None

    def __init__(self) -> None:
        self.actor = new_actor(3, 4, hidden=(), projection="sphere", seed=0)
        self.updates = 0
        self._act(Tensor([[0, 0], [0, 0], [0, 1], [0, 0]]))

    def _act(self, slopes: Tensor) -> None:
        """Slopes of the state's first number, and biases, (4, 2)."""
        last = self.actor.net[-1]
        with torch.no_grad():
            last.weight.zero_()  # type: ignore[operator]
            last.weight[:, 0] = slopes[:, 0]  # type: ignore[operator]
            last.bias.copy_(slopes[:, 1])  # type: ignore[operator]

    def update(self, batch: TransitionBatch) -> Mapping[str, Tensor]:
        self.updates += 1
        if self.updates > 4:
            sign = 1 if self.updates <= 8 else -1
            self._act(sign * Tensor([[1, 0], [-1, 0], [0, 0], [0, 0]]))
        return {}

    def state_dict(self) -> dict[str, Tensor]:
        return {"updates": torch.tensor(self.updates)}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self.updates = int(state["updates"])


def scripted(part: Transitions) -> tuple[Learner, Normalizer | None]:
    return Scripted(), UNSCALED


def train_scripted(data: Transitions) -> tuple[TrainingPosition, dict[int, Mapping[str, float]]]:
    logged: dict[int, Mapping[str, float]] = {}
    recorder = TrainingRecorder(sink=lambda step, metrics: logged.update({step: metrics}))
    position, _, actor = train_cross_fitted(
        scripted, data, LOOP, gamma=0, by_act=True, recorder=recorder
    )
    assert actor.d_action == 4
    return position, logged


def test_the_step_that_gains_most_is_kept_and_steps_are_compared_in_pairs() -> None:
    position, logged = train_scripted(tried(by_state=True, luck=0.1))
    # by the script the steps are worth 0, 1 and −1; no way alone is worth anything
    assert [logged[step]["value"] for step in (4, 8, 12)] == pytest.approx([0, 1, -1], abs=0.1)
    assert logged[8]["constant_value"] == pytest.approx(0, abs=0.15)
    assert "step_gain" not in logged[4]
    assert logged[8]["step_gain"] == pytest.approx(1, abs=0.1)
    assert logged[12]["step_gain"] == pytest.approx(-2, abs=0.1)  # less than the best before it
    assert (position.best_step, position.step) == (8, 12)
    assert position.best_metrics["gain"] > 5 * position.best_metrics["gain_se"]
    assert not is_constant(position.best_metrics)
    assert position.best_weights["net.0.weight"][:2, 0].tolist() == [1, -1]


def test_where_one_way_pays_no_step_is_better_than_it() -> None:
    position, logged = train_scripted(tried(by_state=False, luck=0.1))
    assert logged[8]["constant_value"] == pytest.approx(1, abs=0.05)
    assert logged[8]["value"] == pytest.approx(0.5, abs=0.15)  # the way that pays in half of them
    assert is_constant(position.best_metrics)


def test_gains_by_hand() -> None:
    assert is_constant({"gain": 0.1, "gain_se": 0.1})
    assert is_constant({"gain": 0.0, "gain_se": 0.0})  # the constant itself
    assert not is_constant({"gain": 0.11, "gain_se": 0.1})
    assert not is_constant({"held_value": 1.0})  # nobody asked


def test_the_nearest_way_is_that_of_the_smallest_distance() -> None:
    ways = np.array([[2, 0], [0, 2], [-1.2, 1.6]], np.float32)
    states = np.zeros((3, 1), np.float32)
    for action, nearest in (([1.0, 0.1], 0), ([0.0, 1.0], 1), ([-0.5, 0.8], 2)):
        actor = constant_actor(np.array(action), 1)
        found = nearest_ways(actor, Normalizer(mean=torch.zeros(1), std=torch.ones(1)), states,
                             np.array([0, 2]), ways)  # fmt: skip
        assert found.tolist() == [nearest, nearest]


def test_without_luck_doubly_robust_values_of_constants_are_the_truth() -> None:
    values = DoublyRobustValues(tried(by_state=False, luck=0), folds=2, seed=0)
    assert values.constant == pytest.approx(np.ones(20), abs=0.05)
    for way, worth in enumerate((1, 0, 0)):
        actors = [(constant_actor(WAYS[way], 3), UNSCALED)] * 2
        assert values.of(actors) == pytest.approx(np.full(20, worth), abs=0.05)


def test_what_values_actors() -> None:
    ways = tried(by_state=True)

    def opened(data: Transitions, gamma: float = 0) -> object:
        return open_fold_values(data, folds=2, gamma=gamma, fqe=QUICK, by_act=True, seed=0)

    assert isinstance(opened(ways), DoublyRobustValues)
    assert isinstance(opened(ways, 0.5), FittedQValues)
    assert isinstance(opened(bandit(24)), FittedQValues)  # any direction, no ways
    # a way that is kept all episode shows in the states after it
    kept = replace(
        ways, episode_index=np.unique(ways.actions, axis=0, return_inverse=True)[1].ravel()
    )
    assert isinstance(opened(kept), FittedQValues)
    with pytest.raises(InputError, match=r"^6 families; policies are compared over at least 10"):
        open_fold_values(bandit(24), folds=5, gamma=0, fqe=QUICK, by_act=True, seed=0)


def test_fitted_q_values_are_by_family() -> None:
    """An action is worth its first number, whatever the state; so the best constant is worth 1."""
    data = bandit(240, size=2)
    settings = FQESettings(steps=60, batch_size=64, hidden=(), lr=0.03, tau=0.2)
    values = FittedQValues(data, folds=2, gamma=0, settings=settings, by_act=True, seed=0)
    assert values.constant == pytest.approx(np.ones(6), abs=0.25)
    worst = [(constant_actor(np.array([-1.0, 0.0]), 3), UNSCALED)] * 2
    assert values.of(worst) == pytest.approx(-np.ones(6), abs=0.25)


def planner_settings(learner: str = "td3bc", **loop: Any) -> PlannerSettings:
    return PlannerSettings.model_validate(
        {
            "learner": learner,
            "hidden": (),
            **({"td3bc": {"critic": "bilinear", "gamma": 0}} if learner == "td3bc" else {}),
            "loop": {**LOOP.model_dump(), "steps": 8, **loop},
        }
    )


@pytest.mark.parametrize("learner", ["td3bc", "ridge"])
def test_a_planner_where_the_state_matters_and_a_constant_where_it_does_not(learner: str) -> None:
    def trained(*, by_state: bool) -> Any:
        data = TrainingData(
            transitions=tried(by_state=by_state), encoder_id="e1", provenance={"sha256": "abc"}
        )
        return train_planner(data, start(actor=False), planner_settings(learner))

    planner = trained(by_state=True)
    assert planner.actor is not None
    metrics = planner.info.metrics
    assert metrics["gain"] > 4 * metrics["gain_se"]
    assert metrics["value"] == pytest.approx(metrics["constant_value"] + metrics["gain"])

    fixed = trained(by_state=False)
    assert fixed.actor is None
    assert fixed.info.constant
    assert fixed.info.actor is None
    assert fixed.info.metrics["constant"] == 1
    assert fixed.info.data["settings"]["learner"] == learner
    assert fixed.constant is not None
    assert fixed.constant.argmax() == 0  # the way that pays


def test_an_interrupted_training_ends_bitwise_like_one_in_one_go(tmp_path: Path) -> None:
    data = tried(by_state=True)

    def run(stop_at: int | None = None, folder: Path | None = None) -> TrainingPosition:
        def watch(done: int, total: int, note: str) -> None:
            if done == stop_at:
                raise KeyboardInterrupt

        file = TrainingFile(path=folder / "t.safetensors", identity={}) if folder else None

        def learner(part: Transitions) -> tuple[Learner, Normalizer | None]:
            actor = new_actor(3, 4, hidden=(8,), projection="sphere", seed=3)
            return TD3BC(actor, TD3BCSettings(gamma=0, critic_hidden=(8,)), seed=3), None

        recorder = TrainingRecorder(file=file, on_progress=watch)
        return train_cross_fitted(learner, data, LOOP, gamma=0, by_act=True, recorder=recorder)[0]

    whole = run()
    with pytest.raises(KeyboardInterrupt):
        run(stop_at=10, folder=tmp_path)  # two steps behind the state that was saved
    resumed = run(folder=tmp_path)
    assert resumed.best_step == whole.best_step
    assert resumed.best_metrics == whole.best_metrics
    assert all(
        torch.equal(whole.best_weights[n], resumed.best_weights[n]) for n in whole.best_weights
    )


def test_settings_are_left_out_where_they_are_what_they_were() -> None:
    assert not {"stopping", "folds"} & LoopSettings().model_dump(mode="json").keys()
    assert LoopSettings().model_dump(mode="json")["held_out"] == 0.2
    cross_fitted = LoopSettings(stopping="cross_fitted").model_dump(mode="json")
    assert (cross_fitted["stopping"], cross_fitted["folds"]) == ("cross_fitted", 5)
    assert "held_out" not in cross_fitted
    assert LoopSettings.model_validate(cross_fitted).stopping == "cross_fitted"
    with pytest.raises(ValidationError, match="folds are of `stopping: cross_fitted`"):
        LoopSettings(folds=3)
    with pytest.raises(ValidationError, match="holds out every family in turn; remove held_out"):
        LoopSettings(stopping="cross_fitted", held_out=0.3)


def test_directions_are_no_ways() -> None:
    """More than 256 different actions are valued by fitted Q."""
    data = tried(by_state=True)
    actions = directions(len(data), 4, np.random.default_rng(0))
    values = open_fold_values(
        replace(data, actions=actions), folds=2, gamma=0, fqe=QUICK, by_act=True, seed=0
    )
    assert isinstance(values, FittedQValues)
