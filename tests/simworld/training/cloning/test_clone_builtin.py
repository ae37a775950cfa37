"""Self-cloning of the built-in model, from replies it writes here: neutral, and still able to
steer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from agents import find_specs
from agents.lm.local.local_model import load_local_model
from agents.lm.local_spec import find_local_weights
from agents.steering.checkpoint import checkpoint_from_folder
from simworld.cli.run import run
from simworld.cli.train.clone import clone
from simworld.cli.train.upmap import upmap
from simworld.training.cloning.clone_checkpoint import ReplyQuery, open_cloning_data
from simworld.training.cloning.neutrality import measure_neutrality
from store import open_store


def call(command: object, *args: str) -> dict[str, object]:
    found = CliRunner().invoke(command, [*args, "--json"], catch_exceptions=False)  # type: ignore[arg-type]
    assert found.exit_code == 0, found.output
    plain: dict[str, object] = json.loads(found.stdout)
    return plain


@pytest.mark.model
def test_the_shipped_map_is_neutral_and_its_directions_say_something(tmp_path: Path) -> None:
    """On replies of three families that it was not made from: a glance at what the slow test below
    looks at."""
    db = f"sqlite:///{tmp_path / 'world.db'}"
    call(
        run,
        "hall-until-one",
        "sofa-for-three-weeks",
        "the-captains-knee",
        "--cast",
        "*=smol-script",
        "--db",
        db,
    )
    (thanks,) = find_specs(["smol-thanks"])
    assert thanks.planner is not None
    shipped = checkpoint_from_folder(thanks.planner)
    local = load_local_model(
        find_local_weights(shipped.info.lm_spec), dtype="float32", device="cpu", cpu_threads=None
    )
    few = ReplyQuery(train=5, dev=5, test=5)
    neutral = torch.zeros(1, shipped.info.d_action)
    neutral[0, 0] = shipped.info.d_action**0.5
    with open_store(db) as store, open_cloning_data(store, local, shipped, few) as cloning_data:
        replies = [
            encoded_reply for part in cloning_data.replies.values() for encoded_reply in part
        ]
        found = measure_neutrality(
            cloning_data.frozen_lm,
            replies,
            lambda state: neutral.expand(len(state), -1),
            shipped.upmap,
        )
    assert found.replies == 15
    assert found.kl.mean <= 0.02
    assert found.kl.mean <= found.random_kl.mean / 4
    assert found.perplexity_ratio.mean == pytest.approx(1, abs=0.04)
    assert found.reach.mean >= 0.01


@pytest.mark.slow
@pytest.mark.model
@pytest.mark.timeout(3600)
def test_a_clone_of_the_built_in_model_is_neutral_and_can_steer(tmp_path: Path) -> None:
    db, base, out = (
        f"sqlite:///{tmp_path / 'world.db'}",
        str(tmp_path / "pca"),
        str(tmp_path / "clone"),
    )
    call(run, "library", "--cast", "*=smol-script", "--db", db)
    call(upmap, "--tokens", "4", "--action-size", "32", "--out", base)
    more = ["--steps", "160", "--replies", "240", "--dtype", "bfloat16"]
    made = call(clone, "--upmap", base, "--train-upmap", "--db", db, *more, "--out", out)
    metrics = made["metrics"]
    assert isinstance(metrics, dict)
    assert metrics["kl"] <= 0.02
    assert metrics["kl"] <= metrics["random_kl"] / 4
    assert 0.98 <= metrics["perplexity_ratio"] <= 1.02
    assert metrics["reach"] >= 0.05
