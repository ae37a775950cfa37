"""A learn file and the commands do the same when nothing is said."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from pydantic import BaseModel

from simworld.cli.train.clone import clone
from simworld.cli.train.latent import latent
from simworld.cli.train.upmap import upmap
from simworld.core.errors import InputError
from simworld.pipeline.learn.grid import grid_points
from simworld.pipeline.learn.learn_file import CloneStage, LatentStage, UpmapStage
from simworld.pipeline.learn.stage_cache import Stage, StageCache, StageOutput
from simworld.training.cloning.clone_checkpoint import ReplyQuery
from simworld.training.cloning.latent_map import LatentSettings
from simworld.training.cloning.self_cloning import CloneSettings
from simworld.training.rl.planner_settings import PlannerSettings
from simworld.yamlfile.document import load_text
from tests.factories.pipelines import FILE


@pytest.mark.parametrize(
    ("command", "stage", "least"),
    [(clone, CloneStage(), 6), (latent, LatentStage(), 6), (upmap, UpmapStage(), 5)],
)
def test_a_stage_has_the_defaults_of_its_command(
    command: click.Command, stage: BaseModel, least: int
) -> None:
    defaults = {
        option.name: option.default
        for option in command.params
        if not getattr(option, "is_flag", False)
    }
    shared = [name for name in type(stage).model_fields if name in defaults]
    assert len(shared) >= least, shared
    assert {name: defaults[name] for name in shared} == {
        name: getattr(stage, name) for name in shared
    }


def test_and_of_its_settings() -> None:
    cloned, made, replies = CloneStage(), LatentStage(), ReplyQuery()
    settings = CloneSettings()
    assert (cloned.reach, cloned.reach_weight) == (settings.reach_target, settings.reach_weight)
    assert (cloned.steps, cloned.batch_size, cloned.lr) == (
        settings.training.steps,
        settings.training.batch_size,
        settings.training.lr,
    )
    assert (cloned.replies, cloned.tested) == (replies.train, replies.test)
    latents = LatentSettings()
    assert (made.size, made.ways, made.strength) == (latents.size, latents.ways, latents.strength)
    assert (made.steps, made.batch_size, made.lr) == (
        latents.training.steps,
        latents.training.batch_size,
        latents.training.lr,
    )


def test_settings_are_stored_under_the_names_they_have_in_files(tmp_path: Path) -> None:
    """Of a training's settings, renamed since: a stage's key must not change."""
    settings = PlannerSettings().model_dump(mode="json")
    stage = Stage("train", (), settings, lambda *_: StageOutput(), lambda *_: None)
    (state,) = StageCache(tmp_path, dry=True).run([stage], None)
    assert state.key == "5535fee5beccf0ceb4833a19dbcf1e67"
    changed = {
        "td3bc": {"delay": 1, "actor_rate": 0.01, "critic_rate": 0.02},
        "loop": {"every": 7, "fqe": {"rate": 0.04}},
    }
    read = PlannerSettings.model_validate(changed)
    assert read.model_dump(mode="json", exclude_unset=True) == changed
    assert json.loads(read.model_dump_json(exclude_unset=True)) == changed
    assert (read.td3bc.policy_delay, read.td3bc.actor_lr, read.td3bc.critic_lr) == (1, 0.01, 0.02)
    assert (read.loop.eval_interval, read.loop.fqe.lr) == (7, 0.04)
    cloned = {"learner": "bc", "bc": {"actor_rate": 0.03}}
    read = PlannerSettings.model_validate(cloned)
    assert read.model_dump(mode="json", exclude_unset=True) == cloned
    assert read.bc.actor_lr == 0.03


def test_a_renamed_setting_is_varied_and_corrected_under_its_name_in_the_file() -> None:
    text = FILE.replace("alpha: 2", "actor_rate: [0.1, 0.2], delay: [1, 3]")
    found = grid_points(load_text(text, "loop.yaml"))
    assert [one.values for one in found] == [
        {"train.td3bc.actor_rate": rate, "train.td3bc.delay": delay}
        for rate in (0.1, 0.2)
        for delay in (1, 3)
    ]
    assert [one.file.train.td3bc.policy_delay for one in found] == [1, 3, 1, 3]
    text = FILE.replace("alpha: 2", "actor_rat: 0.1, delay: 0")
    with pytest.raises(InputError) as caught:
        grid_points(load_text(text, "loop.yaml"))
    told = str(caught.value)
    assert "train.td3bc.actor_rat: unknown field; did you mean 'actor_rate'?" in told
    assert "train.td3bc.delay: " in told
