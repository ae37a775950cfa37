"""Loops that begin with a checkpoint, and files that share their stages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agents.steering.checkpoint import load_checkpoint
from simworld import connect
from simworld.training.data.dataset import build_dataset
from simworld.training.data.dataset_folder import load_meta
from simworld.training.data.dataset_query import DataQuery, RewardSettings
from simworld.training.rl.explain_policy import explain_runs
from store import open_store
from tests.factories.pipelines import FILE, STAGES, call, run, skipped

REWARD = RewardSettings(measure="lexical", pattern="[a-z]")
LATENT = "latent: {size: 3, ways: 4, steps: 1, batch_size: 2, replies: 12, tested: 2}\n"
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
    assert start.constant.tolist() == pytest.approx([2, 0, 0, 0])
    assert start.ways is not None
    assert len(start.ways) == 4
    assert set(started["report"]["arms"]) >= {"clone", "explorer"}


def test_what_a_start_takes_the_place_of_is_refused(folder: Path) -> None:
    (folder / "loop.yaml").write_text(FILE + "start: planners/thanks\n")
    assert "remove clone and upmap" in str(run().exception)
    (folder / "loop.yaml").write_text(
        FILE.replace(UPMAP, "").replace(CLONE, "") + "start: planners/thinks\n"
    )
    assert "did you mean 'planners/thanks'" in str(run().exception)


LINES = "lines:builtin:all-minilm-l6-v2"


def test_states_made_anew_from_the_words_are_those_of_the_play(folder: Path) -> None:
    text = FILE.replace("act_norm: 2}", f"act_norm: 2, text_encoder: '{LINES}'}}")
    (folder / "loop.yaml").write_text(
        text.replace("{quality: 0}", "{quality: 0, arms: [base, planner]}")
    )
    call()
    (run_name,) = (name for name in run_names() if "-collect-" in name)
    with open_store("x.db") as store:
        stored, anew = (
            build_dataset(store, DataQuery(runs=(run_name,), reward=REWARD, states=states), folder)
            for states in ("", LINES)
        )
    assert stored != anew
    np.testing.assert_allclose(
        np.load(stored / "states.npy"), np.load(anew / "states.npy"), atol=1e-6
    )
    assert load_meta(stored).encoder_id == load_meta(anew).encoder_id


def test_a_planner_reads_lines_though_the_explorer_read_the_models_state(folder: Path) -> None:
    (folder / "loop.yaml").write_text(FILE + LATENT)
    (found,) = call()
    (latent_label,) = (s["stage"] for s in found["stages"] if s["stage"].startswith("latent"))
    (folder / "loop.yaml").write_text(
        FILE.replace(UPMAP, "").replace(CLONE, f"start: learn-tiny/{latent_label}\n")
        + f"states: {LINES}\n"
    )
    (lines,) = call()
    planner = load_checkpoint(folder / lines["planner"])
    assert (planner.info.encoder.kind, planner.info.encoder.model) == ("text", LINES)
    assert planner.info.d_state == 769
    assert lines["report"]["arms"]["planner"]["failed"] == 0
    with connect("x.db") as db:
        encoders = set(db.sql("SELECT DISTINCT encoder_id FROM plan_steps")["encoder_id"])
    assert planner.info.encoder.id in encoders
    assert len(encoders) == 2
    rows = load_meta(next((folder / "learn-tiny/datasets").glob("*/meta.json")).parent).rows
    (run_name,) = {
        f"tiny-{s['stage']}" for s in lines["stages"] if s["stage"].startswith("collect")
    }
    with open_store("x.db") as store:  # the explorer's states are not of its encoder: made anew
        assert explain_runs(planner, store, [run_name]).n == rows


def run_names() -> list[str]:
    with open_store("x.db") as store:
        return [each.run.name for each in store.run_summaries()]


def test_a_start_that_lacks_what_the_file_asks_for_is_refused_at_once(folder: Path) -> None:
    call()
    (clone,) = (folder / "learn-tiny").glob("clone-*")
    text = FILE.replace(UPMAP, "").replace(CLONE, f"start: learn-tiny/{clone.name}\n")
    (folder / "loop.yaml").write_text(
        text + f"collect: {{explore: {{kind: ways}}}}\nstates: {LINES}\n"
    )
    assert str(run().exception).splitlines() == [
        f"start: learn-tiny/{clone.name}: it knows no ways of replying to try; make some with"
        " `simworld train latent`",
        f"start: learn-tiny/{clone.name}: its planner reads other states than `states` makes;"
        " remove `states`",
    ]
    (folder / "loop.yaml").write_text(text + "states: builtin:all-minilm-l6-v2\n")
    assert "states are made anew by lines:builtin:all-minilm-l6-v2" in str(run().exception)


def test_a_constant_of_states_made_anew_has_their_size(folder: Path) -> None:
    (folder / "loop.yaml").write_text(FILE + LATENT)
    (found,) = call()
    (latent_label,) = (s["stage"] for s in found["stages"] if s["stage"].startswith("latent"))
    (folder / "loop.yaml").write_text(
        FILE.replace(UPMAP, "")
        .replace(CLONE, f"start: learn-tiny/{latent_label}\n")
        .replace("td3bc: {alpha: 2}", "learner: constant")
        .replace("hidden: [8], ", "")
        .replace("{quality: 0}", "{quality: 0, arms: [base, planner]}")
        + f"states: {LINES}\n"
    )
    (constant,) = call()
    planner = load_checkpoint(folder / constant["planner"])
    assert (planner.info.constant, planner.info.d_state) == (True, 769)
