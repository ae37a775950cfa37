"""Datasets for other programs: what they read is what was stored."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from simworld.core.errors import InputError
from simworld.training.data.dataset import build_dataset
from simworld.training.data.dataset_export import export_minari, export_npz
from simworld.training.data.dataset_folder import load_transitions
from simworld.training.data.dataset_query import DataQuery
from tests.factories.steered_runs import judge, new_store, play, scenario

LINES = ("Hello.", "Hi.", "40 euros.", "No.", "30?")


@pytest.fixture
def dataset(tmp_path: Path) -> Iterator[Path]:
    with new_store(tmp_path) as store:
        for repeat, goal in enumerate((0.25, 0.75)):
            judge(
                store,
                play(store, scenario("lamp"), LINES[: 5 - 2 * repeat], repeat=repeat),
                goal,
                goal,
            )
        yield build_dataset(store, DataQuery(), tmp_path / "sets")


def test_an_npz_needs_no_pickle(dataset: Path, tmp_path: Path) -> None:
    data = load_transitions(dataset)
    assert export_npz(dataset, tmp_path / "data.npz") == 5
    with np.load(tmp_path / "data.npz", allow_pickle=False) as found:
        for name, values in (
            ("states", data.states),
            ("actions", data.actions),
            ("rewards", data.rewards),
            ("terminals", data.terminals),
            ("next", data.next_state_rows),
            (
                "turn",
                np.concatenate(
                    [np.arange(0, 2 * acts, 2) for acts in np.bincount(data.episode_index)]
                ),
            ),
            ("episode", data.episode_index),
            ("family", data.family_index),
            ("episodes", np.array(data.episode_names)),
        ):
            np.testing.assert_array_equal(found[name], values)
        assert found["families"].tolist() == ["lamp"]
        assert json.loads(str(found["meta"]))["rows"] == 5


def test_minari_reads_what_was_stored(dataset: Path, tmp_path: Path) -> None:
    minari = pytest.importorskip("minari")
    data = load_transitions(dataset)
    before = os.environ.get("MINARI_DATASETS_PATH")
    assert export_minari(dataset, "haggle/lamp-v0", tmp_path / "minari") == 2
    assert os.environ.get("MINARI_DATASETS_PATH") == before
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
        loaded = minari.load_dataset("haggle/lamp-v0")
        episodes = list(loaded.iterate_episodes())
    assert loaded.total_steps == 5
    for number, episode in enumerate(episodes):
        rows = np.flatnonzero(data.episode_index == number)
        np.testing.assert_array_equal(episode.observations[:-1], data.states[rows])
        np.testing.assert_array_equal(episode.actions, data.actions[rows])
        np.testing.assert_allclose(episode.rewards, data.rewards[rows])
        assert episode.terminations.tolist() == data.terminals[rows].tolist()
        assert not episode.truncations.any()
    with pytest.raises(InputError, match="has a dataset haggle/lamp-v0; give another name"):
        export_minari(dataset, "haggle/lamp-v0", tmp_path / "minari")
    with pytest.raises(InputError, match="not the name of a Minari dataset"):
        export_minari(dataset, "haggle lamp", tmp_path / "minari")
