"""A learn file and the commands do the same when nothing is said."""

from __future__ import annotations

import click
import pytest
from pydantic import BaseModel

from simworld.cli.train.clone import clone
from simworld.cli.train.latent import latent
from simworld.cli.train.upmap import upmap
from simworld.pipeline.learn.learn_file import CloneStage, LatentStage, UpmapStage
from simworld.training.cloning.clone_checkpoint import ReplyQuery
from simworld.training.cloning.latent_learning import LatentSettings
from simworld.training.cloning.self_cloning import CloneSettings


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
        settings.descent.steps,
        settings.descent.batch_size,
        settings.descent.lr,
    )
    assert (cloned.replies, cloned.tested) == (replies.train, replies.test)
    latents = LatentSettings()
    assert (made.size, made.ways, made.strength) == (latents.size, latents.ways, latents.strength)
    assert (made.steps, made.batch_size, made.lr) == (
        latents.descent.steps,
        latents.descent.batch_size,
        latents.descent.lr,
    )
