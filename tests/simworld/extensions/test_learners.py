"""A whole loop by a learner and a reward of another package, on a tiny model."""

from __future__ import annotations

from pathlib import Path

import pytest

from simworld.core.errors import InputError
from simworld.pipeline.learn.grid import grid_points
from simworld.training.rl.planner_settings import PlannerSettings
from simworld.training.rl.train_planner import train_planner
from simworld.yamlfile.document import load_text
from tests.factories.extensions import (
    LEARNERS,
    NEAR_LEARNER,
    REWARDS,
    SHORT_LINES_REWARD,
    Installation,
)
from tests.factories.pipelines import FILE, call, skipped
from tests.simworld.pipeline.conftest import folder, model
from tests.simworld.training.rl.test_train_planner import DATA, LOOP, start

__all__ = ["folder", "model"]  # fixtures
ENTRY = {LEARNERS: {"near": "barter:near"}, REWARDS: {"short": "barter:short"}}
CODE = SHORT_LINES_REWARD + NEAR_LEARNER
LOOP_FILE = (
    FILE.replace(
        "reward: {measure: lexical, pattern: '[a-z]'}",
        "reward: {measure: short, settings: {words: 3}}",
    )
    .replace("train: {", "train: {learner: near, settings: {rate: 0.01}, ")
    .replace(", td3bc: {alpha: 2}", "")
)


def test_a_loop_learns_by_them_and_learns_again_when_their_code_changes(
    installation: Installation, folder: Path
) -> None:
    installation.add(ENTRY, code=CODE)
    (folder / "loop.yaml").write_text(LOOP_FILE)
    (first,) = call()
    assert not any(skipped(first).values())
    assert first["report"]["main"] == "short"
    assert "short" in first["report"]["arms"]["planner"]["levels"]
    (again,) = call()
    assert all(skipped(again).values())
    installation.forget_code()
    installation.add(ENTRY, code=CODE + "\n    # changed\n")
    (changed,) = call()
    done = skipped(changed)
    assert (done["collect"], done["dataset"], done["train"]) == (True, False, False)


def problem(text: str) -> list[str]:
    with pytest.raises(InputError) as raised:
        grid_points(load_text(text, "loop.yaml"))
    return [str(each) for each in raised.value.problems]


def test_problems_have_their_places(installation: Installation) -> None:
    installation.add(ENTRY, code=CODE)
    assert problem(LOOP_FILE.replace("rate: 0.01", "rat: 0.01")) == [
        "loop.yaml:10:35: train.settings.rat: unknown field; did you mean 'rate'?"
    ]
    assert problem(LOOP_FILE.replace("learner: near", "learner: nearer"))[0].startswith(
        "loop.yaml:10:18: train.learner: expected td3bc, rebrac, iql, awac, bc, ridge, constant or"
        " near (of barter 0.1.0), found the text 'nearer'; did you mean 'near'?"
    )
    assert problem(LOOP_FILE.replace("words: 3", "words: 0")) == [
        "loop.yaml:9:44: reward.settings.words: expected at least 1, found the number 0"
    ]


def test_a_grid_of_learners_gives_settings_to_the_extension_alone(
    installation: Installation,
) -> None:
    installation.add(ENTRY, code=CODE)
    points = grid_points(
        load_text(LOOP_FILE.replace("learner: near", "learner: [bc, near]"), "loop.yaml")
    )
    assert [point.file.train.learner for point in points] == ["bc", "near"]
    assert points[0].file.train.settings is None
    assert points[1].file.train.settings.rate == 0.01


def test_what_is_written_of_built_in_learners_is_what_it_was(installation: Installation) -> None:
    installation.add(ENTRY, code=CODE)
    assert not {"settings", "extension"} & PlannerSettings().model_dump(mode="json").keys()
    written = PlannerSettings(learner="near").model_dump(mode="json")
    assert written["settings"] == {"rate": 0.001}
    assert written["extension"].startswith("barter 0.1.0 ")
    assert "td3bc" not in written
    assert PlannerSettings.model_validate(written) == PlannerSettings(learner="near")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("loss.backward()", "raise KeyError('q')", "failed in `update`: KeyError: 'q'"),
        ('"loss": loss.detach()', '"loss": 3', "`update` gave loss as int; expected a tensor"),
        ("= parts.actor", "= None", "its actor is NoneType; expected an Actor"),
        ("self._adam = ", "self._adam = nothing", "could not be made: NameError: name 'nothing"),
    ],
)
def test_a_learner_that_breaks_is_one_line(
    old: str, new: str, message: str, installation: Installation
) -> None:
    installation.add(ENTRY, code=CODE.replace(old, new, 1))
    settings = PlannerSettings(learner="near", hidden=(6,), loop=LOOP)
    with pytest.raises(InputError) as raised:
        train_planner(DATA, start(actor=True), settings)
    assert str(raised.value).startswith("learner 'near' of barter 0.1.0")
    assert message in str(raised.value)
