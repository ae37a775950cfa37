"""The declared stages: their keys stay as they were in work folders that exist, and few calls lie
between the command and the work."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import pytest

from simworld.pipeline.learn.context import open_context
from simworld.pipeline.learn.grid import grid_points
from simworld.pipeline.learn.learn_stages import declare_stages
from simworld.pipeline.learn.shipped_files import open_learn_file
from simworld.pipeline.learn.stage_cache import StageCache
from simworld.training.rl.td3bc import TD3BC
from simworld.yamlfile import Document, load_text
from store import open_store
from tests.factories.pipelines import call

PACKAGES = {"simworld", "agents", "scenarios", "store"}
FRAMES = 10  # from the command, over the job that it shares with Python, to a learner's step
# An evaluation's key is made of the keys of all that it builds on.
GOLDEN = {
    "small": "evaluate-6766cefa",
    "steers": "evaluate-d09c7011",
    "thanks": "evaluate-aae8ce75",
    "self-clone": "evaluate-9950b57e",
    "warm-start": "evaluate-5c93a554",
    "sweep": "evaluate-d40173c1",
}
ROUNDS = """\
name: rounds
agent: smol-script
partners: [smol-script, smol-chat]
scenarios:
  train: [the-footbridge, the-winter-coat, cheese-for-a-table]
  test: [whose-dog-is-it]
rounds: 3
latent: {size: 8}
upmap: {text_encoder: 'builtin:all-minilm-l6-v2'}
collect:
  explore: [{kind: ways, per: episode}, {kind: noise, sigma: 0.3}]
  seats: second
reward: {measure: judged, place: attributed}
evaluate: {judge: smol-statements, seats: first, repeats: 2}
"""
BEGIN = "upmap-1bb9d4b7 replies-e34c5f5c clone-e0b97f73 latent-55feadb1"
WAYS = (
    f"{BEGIN} collect-4e116a1a judge-716ebe0e dataset-d7ec3e4a ways-69668350 collect-faea887f"
    " judge-c720b8e0 dataset-a476d5b5 ways-542f98ea collect-7a937836 judge-7732db03"
    " dataset-cdfd3a11 train-ee69a1c7 constant-862ec689 evaluate-6f8b3ba4"
)
NOISE = (
    f"{BEGIN} collect-7a22dca7 judge-42c47513 dataset-43ff4fd1 train-ed7ca91a collect-495a182b"
    " judge-0c3c8e91 dataset-9603a250 train-e675a21c collect-c920700e judge-41ea90d5"
    " dataset-43c57cfc train-6396c129 constant-985c94c7 evaluate-567d31a6"
)


def labels(document: Document, folder: Path) -> list[list[str]]:
    """Of the stages of each cell, none of them done."""
    with open_store(f"sqlite:///{folder / 'x.db'}", create=True) as store:
        contexts = [open_context(cell.file, store, folder) for cell in grid_points(document)]
        cache = StageCache(folder, dry=True)
        states = [cache.run(declare_stages(context), context) for context in contexts]
    return [[state.label for state in of_cell] for of_cell in states]


@pytest.mark.parametrize("name", GOLDEN)
def test_work_folders_of_shipped_files_are_known_again(name: str, tmp_path: Path) -> None:
    assert labels(open_learn_file(name), tmp_path)[0][-1] == GOLDEN[name]


def test_work_folders_of_rounds_are_known_again(tmp_path: Path) -> None:
    ways, noise = labels(load_text(ROUNDS, "rounds.yaml"), tmp_path)
    assert ways == WAYS.split()
    assert noise == NOISE.split()


def test_few_calls_lie_between_the_command_and_a_gradient_step(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class HereError(Exception):
        pass

    def update(*args: Any) -> None:
        raise HereError

    monkeypatch.setattr(TD3BC, "update", update)
    with pytest.raises(HereError) as caught:
        call()
    names = [
        f"{module}: {frame.f_code.co_name}"
        for frame, _ in traceback.walk_tb(caught.tb)
        if (module := str(frame.f_globals["__name__"])).partition(".")[0] in PACKAGES
    ]
    # one more, that of the step, which was replaced
    assert len(names) + 1 <= FRAMES, names
    assert names[-1].startswith("simworld.training.rl.")
