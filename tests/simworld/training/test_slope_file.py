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
# Two seats; the first does the same thing twice.
ACTIONS = [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]
SEATS = ["e1/a", "e1/a", "e1/a", "e2/b"]
SLOPES = [[1.0, 2.0], [NAN, NAN], [3.0, 4.0], [NAN, NAN]]


def transitions_of(seats: list[str], actions: list[list[float]]) -> Transitions:
    """Transitions of seats that follow each other, in this order."""
    names = list(dict.fromkeys(seats))
    taken = [[action for seat, action in zip(seats, actions, strict=True) if seat == name] for name in names]
    states, rewards = [[[0.0]] * len(part) for part in taken], [[0.0] * len(part) for part in taken]
    return replace(small.episodes(states, taken, rewards), episodes=names)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "slopes.npz"
    save_slopes(path, np.array(SLOPES, dtype=np.float32), transitions_of(SEATS, ACTIONS), "p1-0")
    return path


def test_slopes_go_where_their_replies_are(file: Path) -> None:
    np.testing.assert_array_equal(load_slopes(file, transitions_of(SEATS, ACTIONS)), SLOPES)
    order = [3, 0, 1, 2]  # as in a dataset with another reward
    other = transitions_of([SEATS[i] for i in order], [ACTIONS[i] for i in order])
    np.testing.assert_array_equal(
        load_slopes(file, replace(other, rewards=other.rewards + 1)), [SLOPES[i] for i in order]
    )
    wider = transitions_of(["e3/c", *SEATS], [[1.0, 0.0], *ACTIONS])
    np.testing.assert_array_equal(load_slopes(file, wider), [[NAN, NAN], *SLOPES])


def test_other_replies_and_other_files(file: Path, tmp_path: Path) -> None:
    for seats, actions in ((["e1/b"], [[1.0, 0.0]]), (["e1/a"], [[0.5, 0.0]]), (["e2/b"], [[0.0, 1.0]])):
        with pytest.raises(InputError, match="its 3 slopes are of other replies than the dataset's 1"):
            load_slopes(file, transitions_of(seats, actions))
    for content in (b"no", file.read_bytes()[:200]):  # another file, and one that was cut off
        (tmp_path / "no.npz").write_bytes(content)
        with pytest.raises(InputError, match="no slopes of replies"):
            load_slopes(tmp_path / "no.npz", transitions_of(SEATS, ACTIONS))
