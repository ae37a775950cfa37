"""Whose settings are whose: what is written, what is refused, and what ReBRAC and the constant
mean.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from agents.steering.checkpoint import load_checkpoint, save_checkpoint
from simworld.core.errors import InputError
from simworld.pipeline.learn.grid import grid_points
from simworld.pipeline.learn.learn_file import LearnFile
from simworld.training.rl.best_constant import constant_checkpoint
from simworld.training.rl.planner_learners import LEARNER_SETTINGS, LEARNERS
from simworld.training.rl.planner_settings import PlannerSettings
from simworld.training.rl.rebrac import ReBRACSettings
from simworld.training.rl.td3bc import TD3BCSettings
from simworld.training.rl.train_planner import train_planner
from simworld.yamlfile.document import load_text
from tests.factories.pipelines import FILE
from tests.simworld.training.rl.test_train_planner import DATA, LOOP, start

TRAIN = next(line for line in FILE.splitlines() if line.startswith("train:"))


def points(train: str) -> list[tuple[dict[str, Any], LearnFile]]:
    document = load_text(FILE.replace(TRAIN, f"train: {train}"), "loop.yaml")
    return [(point.values, point.file) for point in grid_points(document)]


def problem(train: str) -> str:
    with pytest.raises(InputError) as caught:
        points(train)
    return str(caught.value).removeprefix("loop.yaml:")


def test_a_training_writes_the_settings_that_it_always_wrote_and_its_own() -> None:
    always = {"learner", "fresh", "hidden", "scale_rewards", "loop"}
    blocks = {
        name: PlannerSettings(learner=name).model_dump(mode="json").keys() - always
        for name in LEARNERS
    }
    assert blocks == {
        "td3bc": {"td3bc", "bc"},
        "bc": {"td3bc", "bc"},
        "ridge": {"td3bc", "bc", "ridge"},
        "rebrac": {"rebrac"},
        "iql": {"iql"},
        "awac": {"awac"},
        "constant": set(),
    }
    assert {*LEARNER_SETTINGS, "constant"} == set(LEARNERS)


def test_settings_of_another_learner_are_refused_in_one_line() -> None:
    assert problem("{learner: iql, td3bc: {alpha: 3}}") == (
        "10:8: train: td3bc: settings of td3bc, but the learner is iql; remove them, or say so in"
        " `learner`"
    )
    assert problem("{iql: {beta: 3}}") == (
        "10:8: train: iql: settings of iql, but the learner is td3bc; remove them, or say so in"
        " `learner`"
    )
    assert problem("{learner: [iql, ridge], td3bc: {alpha: [1, 2]}, bc: {}}") == (
        "10:8: train: td3bc, bc: settings of td3bc and bc, but the learners are iql and ridge;"
        " remove them, or say so in `learner`"
    )


def test_a_setting_in_the_wrong_place_is_told_where_it_belongs() -> None:
    assert problem("{learner: iql, iql: {alpha: 3}}") == (
        "10:29: train.iql.alpha: unknown field; 'td3bc' has one of that name"
    )
    assert problem("{beta: 3}") == (
        "10:9: train.beta: unknown field; 'iql' and 'awac' have one of that name"
    )


def test_a_list_of_learners_is_a_grid_in_which_each_has_its_own_settings() -> None:
    found = points("{learner: [td3bc, iql, ridge], td3bc: {alpha: [1, 3]}, ridge: {gamma: 0.5}}")
    assert [values for values, _ in found] == [
        {"train.learner": "td3bc", "train.td3bc.alpha": 1},
        {"train.learner": "td3bc", "train.td3bc.alpha": 3},
        {"train.learner": "iql"},
        {"train.learner": "ridge"},
    ]
    trained = [file.train for _, file in found]
    assert [train.td3bc.alpha for train in trained] == [1, 3, 2.5, 2.5]
    assert [train.gamma for train in trained] == [0.99, 0.99, 0.99, 0.5]


@pytest.mark.parametrize("learners", ["[td3bc, nope]", "[td3bc, [iql]]", "[td3bc, null]"])
def test_what_is_no_learner_in_a_list_is_one_problem(learners: str) -> None:
    told = problem(f"{{learner: {learners}, td3bc: {{alpha: 3}}}}")
    assert told.startswith("10:18: train.learner: expected td3bc, rebrac, iql, awac, bc, ridge or")
    assert "\n" not in told


def test_rebrac_is_td3bc_with_penalties_that_are_sums() -> None:
    settings = ReBRACSettings(beta1=0.05, beta2=0.1, gamma=0.5, critic_lr=1e-3)
    assert settings.td3bc(8) == TD3BCSettings(
        gamma=0.5,
        critic_lr=1e-3,
        critic_hidden=(256, 256, 256),
        layer_norm=True,
        alpha=2.5,  # 1 / (.05 · 8)
        critic_penalty=0.8,  # .1 · 8
    )
    own = {"beta1": 0.05, "critic_hidden": (4,)}
    same = ReBRACSettings.model_validate(own).td3bc(4)
    first, second = (
        train_planner(
            DATA, start(actor=True), PlannerSettings.model_validate({**one, "loop": LOOP})
        )
        for one in ({"learner": "rebrac", "rebrac": own}, {"td3bc": same})
    )
    states = torch.randn(9, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(first.choose_actions(states), second.choose_actions(states))
    assert first.id != second.id


@pytest.mark.parametrize("by_act", [True, False])
def test_the_constant_is_a_learner_too(by_act: bool, tmp_path: Path) -> None:
    clone, data = start(actor=True), replace(DATA, by_act=by_act, dtype="bfloat16")
    planner = train_planner(data, clone, PlannerSettings(learner="constant"))
    again = load_checkpoint(save_checkpoint(tmp_path / "p", planner))
    best = constant_checkpoint(clone, DATA.transitions, by_act=by_act, dtype="bfloat16")
    assert again.constant is not None
    assert best.constant is not None
    assert torch.equal(again.constant, best.constant)
    assert (again.info.constant, again.info.actor, again.info.dtype) == (True, None, "bfloat16")
    assert again.info.data["sha256"] == "abc"
    assert again.info.data["settings"]["learner"] == "constant"
    assert again.info.metrics == best.info.metrics
    # the reward is the first number of the action
    assert np.argmax(again.constant.numpy()) == 0
    with pytest.raises(InputError, match="made by encoder e2"):
        train_planner(replace(data, encoder_id="e2"), clone, PlannerSettings(learner="constant"))
