"""Loops that begin with a checkpoint, and files that share their stages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agents.steering.checkpoint import load_checkpoint
from tests.factories.pipelines import FILE, STAGES, call, run, skipped

LATENT = (
    "latent: {size: 3, steps: 1, batch_size: 2, replies: 12, tested: 2,"
    " measures: [{measure: lexical, pattern: '[a-z]'}], share: 0.6}\n"
)
UPMAP = "upmap: {tokens: 2, action_size: 4, act_norm: 2}\n"
CLONE = "clone: {steps: 1, batch_size: 1, replies: 4, tested: 2}\n"


def test_files_with_one_work_do_the_same_stages_once(folder: Path) -> None:
    (found,) = call()
    other = FILE.replace("name: tiny", "name: other\nwork: tiny").replace("[a-z]", "[a-m]")
    (folder / "loop.yaml").write_text(other)
    (again,) = call()
    # another reward: from the dataset on
    assert [name for name, done in skipped(again).items() if done] == STAGES[:4]
    assert again["planner"].startswith("learn-tiny/")
    assert again["planner"] != found["planner"]


def test_a_loop_begins_with_the_neutral_action_of_a_latent_checkpoint(folder: Path) -> None:
    (folder / "loop.yaml").write_text(FILE + LATENT)
    (found,) = call()
    (latent_label,) = (s["stage"] for s in found["stages"] if s["stage"].startswith("latent"))
    (folder / "loop.yaml").write_text(
        FILE.replace(UPMAP, "").replace(CLONE, f"start: learn-tiny/{latent_label}\n")
        + "collect: {explore: {kind: ways}}\n"
    )
    (started,) = call()
    assert [name for name in skipped(started) if name not in STAGES] == ["start"]
    (start_label,) = (s["stage"] for s in started["stages"] if s["stage"].startswith("start"))
    start = load_checkpoint(folder / "learn-tiny" / start_label)
    assert start.constant is not None
    assert start.constant.tolist() == pytest.approx([5**0.5, 0, 0, 0, 0])
    assert start.ways is not None
    assert len(start.ways) == 2
    np.testing.assert_allclose(start.ways[:, 0], 0.6 * 5**0.5, rtol=1e-6)
    assert set(started["report"]["arms"]) >= {"clone", "explorer"}


def test_what_a_start_takes_the_place_of_is_refused(folder: Path) -> None:
    (folder / "loop.yaml").write_text(FILE + "start: planners/thanks\n")
    assert "remove clone and upmap" in str(run().exception)
    (folder / "loop.yaml").write_text(
        FILE.replace(UPMAP, "").replace(CLONE, "") + "start: planners/thinks\n"
    )
    assert "did you mean 'planners/thanks'" in str(run().exception)
