"""Rows in files: the same numbers whichever way they are read, and little memory however many there
are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from simworld.training.data.npy_stream import MAX_RESIDENT_BYTES, MappedRows, RowFile, map_rows


def written(path: Path, blocks: list[NDArray[np.float32]], width: int) -> str:
    with RowFile(path, width) as file:
        for block in blocks:
            file.append(block)
    return file.sha256


@given(st.lists(st.integers(0, 7), max_size=6), st.integers(0, 5))
def test_what_was_appended_is_read(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], width: int
) -> None:
    path = tmp_path_factory.mktemp("rows") / "x.npy"
    rng = np.random.default_rng(0)
    blocks = [rng.random((size, width), dtype=np.float32) for size in sizes]
    written(path, blocks, width)
    np.testing.assert_array_equal(
        map_rows(path), np.concatenate([np.zeros((0, width), np.float32), *blocks])
    )


def test_blocks_do_not_change_the_hash(tmp_path: Path) -> None:
    rows = np.arange(12, dtype=np.float32).reshape(6, 2)
    assert written(tmp_path / "a", [rows], 2) == written(tmp_path / "b", [rows[:1], rows[1:]], 2)
    assert written(tmp_path / "a", [rows], 2) != written(tmp_path / "b", [rows[:5]], 2)


@pytest.mark.parametrize(
    "rows", [np.zeros((1, 3), np.float32), np.zeros((1, 2)), np.zeros(2, np.float32)]
)
def test_other_shapes_and_kinds_are_refused(tmp_path: Path, rows: NDArray[np.float32]) -> None:
    with pytest.raises(ValueError, match="float32 rows"), RowFile(tmp_path / "x", 2) as file:
        file.append(rows)


def test_rows_of_a_large_file_are_picked_as_from_an_array(tmp_path: Path) -> None:
    rows = np.random.default_rng(1).random((1000, 5), dtype=np.float32)
    written(tmp_path / "x.npy", [rows], 5)
    mapped = map_rows(tmp_path / "x.npy", max_resident=4000)
    assert isinstance(mapped, MappedRows)
    for index in (
        np.array([999, 0, -1, 5, 5]),
        np.array([], dtype=np.int64),
        rows[:, 0] > 0.5,
        slice(10, 900, 3),
        7,
        (slice(None), 2),
    ):
        np.testing.assert_array_equal(mapped[index], rows[index])
    np.testing.assert_array_equal(mapped[100:200][np.array([3, 1])], rows[[103, 101]])
    assert float(mapped.mean()) == pytest.approx(float(rows.mean()))
    for bad in (1000, -1001):
        with pytest.raises(IndexError):
            mapped[np.array([bad])]


WORLD = """
import sys
from pathlib import Path
import numpy as np
from simworld.core.credit_assignment import credit_uniformly
from simworld.training.data import npy_stream as spill
from simworld.training.rl.best_constant import best_constant
from simworld.training.data.dataset_folder import META_FILE, DatasetMeta, SeatEpisode, load_transitions, write_dataset
from simworld.training.rl.fqe import FQESettings
from simworld.training.data.dataset_inspection import inspect_dataset
from simworld.training.rl.offline_training import LoopSettings, train_offline
from simworld.training.actor_init import new_actor
from simworld.training.data.dataset_query import DATASET_FORMAT, DataQuery
from simworld.training.rl.td3bc import TD3BC, TD3BCSettings

WIDTH = 576
rng = np.random.default_rng(0)

def peak():  # not getrusage's, which begins with what the process that started this one had
    (line,) = (line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1024

def episodes(rows):
    for i in range(rows // 10):
        states, actions = rng.random((10, WIDTH), dtype=np.float32), rng.standard_normal((10, 64), dtype=np.float32)
        yield SeatEpisode(
            name=f"{i:020x}/seller", family=f"f{i % 40}", states=states, actions=actions, turns=range(0, 20, 2),
            credit=credit_uniformly(float(actions[:, 0].mean()), 10),
        )

def everything(folder, rows):
    folder.mkdir()
    written = write_dataset(folder, episodes(rows), WIDTH, 64, True)
    assert written["rows"] == rows
    states = spill.map_rows(folder / "states.npy")
    total = 0.0
    for _ in range(2000):
        total += float(states[rng.integers(rows, size=256)].sum())
    assert abs(total / (2000 * 256 * WIDTH) - 0.5) < 0.001
    mean = sum(states[i : i + 8192].sum(axis=0, dtype=np.float64) for i in range(0, rows, 8192)) / rows
    assert abs(mean - 0.5).max() < 2 / rows**0.5
    meta = DatasetMeta(
        format=DATASET_FORMAT, source="", query=DataQuery(reward={"place": "uniform"}), encoder_id="e", d_state=WIDTH, d_action=64,
        planners={}, weights={}, failed=0, unscored=0, without_action=0, endings={}, judge_sd=None, judge_repeats=0, **written,
    )
    (folder / META_FILE).write_text(meta.model_dump_json())
    data = load_transitions(folder)
    actor = new_actor(WIDTH, 64, hidden=(8,), projection="sphere", seed=0)
    loop = LoopSettings(steps=20, batch_size=64, eval_interval=20, fqe=FQESettings(steps=2, hidden=(8,)))
    train_offline(TD3BC(actor, TD3BCSettings(critic_hidden=(8,)), seed=0), data, loop, gamma=0.99)
    assert best_constant(data, by_act=False)[0] > 7.5  # of 8, the radius
    best_constant(data, by_act=True)
    assert inspect_dataset(folder).by_episode.r2 > 0.9

spill.MAX_RESIDENT_BYTES = int(sys.argv[3])
everything(Path(sys.argv[1]) / "small", 12_000)
before = peak()
everything(Path(sys.argv[1]) / "large", int(sys.argv[2]))
print(before, peak())
"""


def peaks(folder: Path, rows: int, kept: int = MAX_RESIDENT_BYTES) -> tuple[int, int]:
    """MiB at most before a dataset of so many rows is made, and in all."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", WORLD, str(folder), str(rows), str(kept)],
            capture_output=True,
            text=True,
            check=False,
            timeout=1700,
        )
        assert done.returncode == 0, done.stderr
        before, peak = map(int, done.stdout.split())
        return before, peak
    finally:
        (folder / "large" / "states.npy").unlink(missing_ok=True)  # 2.3 GB of a million


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read from /proc")
def test_memory_holds_no_states(tmp_path: Path) -> None:
    """Written, drawn from, read through, learned from and inspected: 48,000 states more are 105
    MiB, their actions 12."""
    before, peak = peaks(tmp_path, 60_000, kept=2**22)
    assert peak - before < 52


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read from /proc")
@pytest.mark.timeout(1800)
def test_a_million_transitions_need_less_than_a_gigabyte(tmp_path: Path) -> None:
    """Seen: 920 MiB, of which Python and torch are 235."""
    assert peaks(tmp_path, 1_000_000)[1] < 1024
