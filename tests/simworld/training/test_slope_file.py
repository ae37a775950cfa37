from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from simworld.core.errors import InputError
from simworld.training.slope_file import load_slopes, save_slopes
from simworld.training.transitions import Transitions
from tests.simworld.training import small

NAN = float("nan")
# Two seats, and the turns in which they act.
SEATS, TURNS = ["e1/a", "e1/a", "e1/a", "e2/b"], [0, 2, 4, 1]
SLOPES = [[1.0, 2.0], [NAN, NAN], [3.0, 4.0], [NAN, NAN]]


def transitions_of(seats: list[str], turns: list[int], size: int = 2) -> Transitions:
    """Transitions of seats that follow each other, in this order; all of the same action, state and reward."""
    names = list(dict.fromkeys(seats))
    lengths = [seats.count(name) for name in names]
    data = small.episodes(
        [[[0.0]] * n for n in lengths], [[[1.0] * size] * n for n in lengths], [[0.0] * n for n in lengths]
    )
    return replace(data, episodes=names, turn=np.array(turns))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "slopes.npz"
    save_slopes(path, np.array(SLOPES, dtype=np.float32), transitions_of(SEATS, TURNS), "p1-0")
    return path


def test_slopes_go_where_their_replies_are(file: Path) -> None:
    np.testing.assert_array_equal(load_slopes(file, transitions_of(SEATS, TURNS)), SLOPES)
    order = [3, 0, 1, 2]  # as in a dataset with another reward
    other = transitions_of([SEATS[i] for i in order], [TURNS[i] for i in order])
    found = load_slopes(file, replace(other, rewards=other.rewards + 1))
    np.testing.assert_array_equal(found, [SLOPES[i] for i in order])
    wider = transitions_of(["e3/c", *SEATS], [0, *TURNS])
    np.testing.assert_array_equal(load_slopes(file, wider), [[NAN, NAN], *SLOPES])


def test_other_replies_and_other_files(file: Path, tmp_path: Path) -> None:
    for seat, turn, size in (("e1/b", 0, 2), ("e1/a", 1, 2), ("e2/b", 1, 2), ("e1/a", 0, 3)):
        with pytest.raises(
            InputError, match="its 2 slopes are of other replies than the dataset's 1, or of other actions"
        ):
            load_slopes(file, transitions_of([seat], [turn], size))
    for content in (b"no", file.read_bytes()[:200]):  # another file, and one that was cut off
        (tmp_path / "no.npz").write_bytes(content)
        with pytest.raises(InputError, match="no slopes of replies"):
            load_slopes(tmp_path / "no.npz", transitions_of(SEATS, TURNS))
