"""The commands, on a tiny model: from stored replies to checkpoints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from agents.lm.local_spec import find_local_weights
from agents.steering.checkpoint import load_checkpoint
from agents.steering.state_encoders import lm_encoder_id
from simworld.cli.train.clone import clone
from simworld.cli.train.latent import latent
from simworld.cli.train.upmap import upmap
from simworld.core.errors import InputError
from store import open_store
from tests.factories import played_episodes

FAMILIES = ("chair", "boat", "hat", "dog")
FEW = ("--replies", "6", "--steps", "2", "--batch-size", "2")


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    model: str
    model_id: str
    db: str
    folder: Path

    def call(self, command: object, *args: str) -> Result:
        found = CliRunner().invoke(command, [*args, "--json"])  # type: ignore[arg-type]
        if found.exception is not None and not isinstance(found.exception, SystemExit):
            raise found.exception
        return found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    before = torch.get_num_threads()
    folder = tmp_path_factory.mktemp("world")
    model = f"hf:{played_episodes.save_tiny(folder / 'model')}"
    model_id = find_local_weights(model).id
    db = f"sqlite:///{folder / 'world.db'}"
    who, record = played_episodes.agent(model_id)
    with open_store(db, create=True) as store:
        for i, family in enumerate(FAMILIES):
            lines = (f" It is {i}.", f" No, Ann. {i + 3}!", " Then 4.", " Fine, four it is")
            played = played_episodes.play_lines(who, played_episodes.scene(family), lines)
            played_episodes.add(store, played, played_episodes.scene(family), record)
    made = World(model=model, model_id=model_id, db=db, folder=folder)
    pca = (
        "--model",
        model,
        "--dtype",
        "float32",
        "--tokens",
        "2",
        "--action-size",
        "4",
        "--out",
        str(folder / "pca"),
    )
    assert made.call(upmap, *pca).exit_code == 0
    yield made
    torch.set_num_threads(before)


def test_a_clone_says_what_made_it_and_is_the_same_again(world: World) -> None:
    args = (
        "--upmap",
        str(world.folder / "pca"),
        "--train-upmap",
        "--db",
        world.db,
        *FEW,
        "--threads",
        "1",
    )
    ids = []
    for name in ("one", "two"):
        out = world.folder / name
        ids.append(json.loads(world.call(clone, *args, "--out", str(out)).stdout)["id"])
    assert ids[0] == ids[1]
    base, made = load_checkpoint(world.folder / "pca"), load_checkpoint(world.folder / "one")
    assert made.id == ids[0]
    assert made.info.parent == base.id
    assert made.info.upmap == "cloned"
    assert made.info.dtype == "bfloat16"  # of the replies, although they are read in float32 here
    assert made.info.prompt_version == played_episodes.SCRIPT.version
    assert made.info.encoder.id == lm_encoder_id(world.model_id, played_episodes.SCRIPT.version)
    assert made.info.data["rows"] <= 6
    assert sum(map(len, made.info.data["families"].values())) == len(FAMILIES)
    assert {"kl", "random_kl", "reach", "agreement", "perplexity_ratio"} <= set(made.info.metrics)
    assert made.choose_actions(torch.zeros(3, 33)).shape == (3, 4)
    with open_store(world.db) as store:
        (first, _) = [run for run in store.training_runs() if run.kind == "clone"]
        assert first.checkpoint_id == made.id
        assert first.status == "finished"
        assert {step.step for step in store.training_steps(first.name)} == {0, 1, 2}


def test_a_clone_that_was_interrupted_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    args = ("--upmap", str(world.folder / "pca"), "--db", world.db, *FEW, "--threads", "1", "--out")
    whole = json.loads(world.call(clone, *args, str(world.folder / "whole")).stdout)["id"]

    def stopped(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    out, kept = world.folder / "halves", world.folder / ".halves-training" / "descent.safetensors"
    with monkeypatch.context() as patched:
        patched.setattr("simworld.training.cloning.clone_checkpoint.measure_neutrality", stopped)
        found = world.call(clone, *args, str(out))
    assert found.exit_code == 130
    assert "the same command goes on" in found.stderr
    assert kept.is_file()
    with pytest.raises(
        InputError, match="is of a training with another descent; train into another folder"
    ):
        world.call(clone, *args, str(out), "--lr", "0.1")
    assert json.loads(world.call(clone, *args, str(out)).stdout)["id"] == whole
    assert not kept.parent.exists()


def test_a_clone_that_ran_away_can_be_taught_again_with_a_lower_rate(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simworld.training.cloning.reply_training.SAVE_INTERVAL", 1)
    out = world.folder / "away"
    args = (
        "--upmap",
        str(world.folder / "pca"),
        "--train-upmap",
        "--db",
        world.db,
        "--threads",
        "1",
        "--out",
        str(out),
    )
    with pytest.raises(InputError, match=r"the loss is nan at step \d+; lower the learning rate"):
        world.call(clone, *args, "--replies", "6", "--steps", "9", "--lr", "1e30")
    assert world.call(clone, *args, *FEW).exit_code == 0
    assert out.is_dir()


def test_a_latent_upmap_is_made_around_a_clone(world: World) -> None:
    begun, out, cloned = world.folder / "begun", world.folder / "latent", world.folder / "cloned"
    world.call(
        clone, "--upmap", str(world.folder / "pca"), "--db", world.db, *FEW, "--out", str(begun)
    )
    few = ("--size", "3", "--ways", "2", "--steps", "2", "--batch-size", "2")
    args = ("--clone", str(begun), "--db", world.db, *few, "--out", str(out))
    made = json.loads(world.call(latent, *args).stdout)
    found = load_checkpoint(out)
    assert made["id"] == found.id
    assert (found.info.upmap, found.info.d_action, found.info.parent) == (
        "latent",
        4,
        load_checkpoint(begun).id,
    )
    assert found.constant is not None
    assert found.constant.tolist() == [2, 0, 0, 0]
    assert found.ways is not None
    assert found.ways.shape == (2, 4)
    assert {"log_ratio", "kl", "reach"} <= set(found.info.metrics)
    with pytest.raises(InputError, match="has no planner"):
        world.call(latent, *args[2:], "--clone", str(world.folder / "pca"))
    # A clone that is taught from there begins at the neutral action.
    world.call(
        clone, "--upmap", str(out), "--db", world.db, *FEW, "--lr", "1e-9", "--out", str(cloned)
    )
    planner = load_checkpoint(cloned)
    assert torch.equal(planner.upmap.weight, found.upmap.weight)
    assert (
        float(
            torch.cosine_similarity(
                planner.choose_actions(found.mean[None])[0], found.constant, dim=0
            )
        )
        > 0.99
    )


def test_bad_input_is_one_line(world: World) -> None:
    base, out = str(world.folder / "pca"), str(world.folder / "bad")
    with pytest.raises(InputError, match="no run 'other' in this database; there are first"):
        world.call(clone, "--upmap", base, "--db", world.db, "--run", "other", "--out", out)
    with pytest.raises(InputError, match="no such checkpoint"):
        world.call(clone, "--upmap", "nowhere", "--db", world.db, "--out", out)
    alone = f"sqlite:///{world.folder / 'alone.db'}"
    who, record = played_episodes.agent(world.model_id)
    with open_store(alone, create=True) as store:
        scene = played_episodes.scene("chair")
        played_episodes.add(
            store,
            played_episodes.play_lines(who, scene, (" A.", " B.", " C.", " D.")),
            scene,
            record,
        )
    with pytest.raises(InputError, match="found 1 family with replies \\(chair\\)"):
        world.call(clone, "--upmap", base, "--db", alone, "--out", out)
    assert not Path(out).exists()
