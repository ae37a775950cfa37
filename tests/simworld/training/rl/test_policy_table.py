"""The table of a policy, counted by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from agents.steering.named_ways import NamedWay
from simworld.training.rl.policy_table import OTHER_WAYS, PolicyTable, tabulate_policy

RIGHT, UP = (2.0, 0.0), (0.0, 2.0)


def table(
    actions: Sequence[tuple[float, ...]], asked: Sequence[bool], *ways: tuple[float, ...]
) -> PolicyTable:
    known = [NamedWay(words=str(way), action=np.array(way, np.float32)) for way in ways]
    holds = np.array([[flag, not flag, False] for flag in asked])
    names = ["asked", "told", "never"]
    return tabulate_policy(np.array(actions, np.float32), holds, names, known)


def test_what_it_does_in_each_situation() -> None:
    found = table([RIGHT, RIGHT, UP, RIGHT], [True, True, False, False], UP, RIGHT, (-1.0, -1.0))
    assert found.ways == (str(RIGHT), str(UP))  # the most frequent first; the third never
    assert found.counts == (3, 1)
    assert [(row.situation, row.n, row.counts) for row in found.rows] == [
        ("asked", 2, (2, 0)),
        ("told", 2, (1, 1)),
    ]
    # of six pairs three are of two ways at a right angle
    assert found.dispersion == pytest.approx(0.5)
    # squares around the mean (1.5, 0.5): 0.5 three times, 4.5: 6 of three degrees of freedom;
    # within the situations 0 and 4, of two
    assert found.by_situation == 0  # 1 − (4/2) / (6/3)
    assert found.largest_share == 0.75
    assert not found.is_nearly_constant
    assert found.sentence().startswith("What this planner does hangs on the dialogue: in 4 states")


def test_a_situation_that_decides_accounts_for_everything() -> None:
    found = table([RIGHT, RIGHT, UP, UP], [True, True, False, False], UP, RIGHT)
    assert found.by_situation == 1
    assert "situations account for 100%" in found.sentence()


def test_a_constant_shows_as_one_column() -> None:
    found = table([RIGHT] * 3, [True, False, False], UP, RIGHT)
    assert found.ways == (str(RIGHT),)
    assert (found.dispersion, found.by_situation, found.largest_share) == (0, None, 1)
    assert found.sentence() == (
        "This planner is nearly a constant: in 3 states its actions have a dispersion of 0.000,"
        " and 100% are nearest to one way."
    )
    assert found.to_json()["nearly_constant"] is True


@pytest.mark.parametrize(
    ("other", "times", "is_constant"),
    [
        ((1.9, 0.2), 50, True),  # another way is nearest, but the actions hardly differ
        (UP, 98, True),  # it differs, but in two of a hundred
        (UP, 90, False),
    ],
)
def test_what_counts_as_nearly_a_constant(
    other: tuple[float, float], times: int, is_constant: bool
) -> None:
    actions = [RIGHT] * times + [other] * (100 - times)
    found = table(actions, [True] * 100, RIGHT, (1.0, 0.1), UP)
    assert found.is_nearly_constant is is_constant


def test_many_ways_share_the_last_column() -> None:
    angles = np.linspace(0, 2 * np.pi, 13)[:-1]
    ways = [(float(np.cos(angle)), float(np.sin(angle))) for angle in angles]
    found = table([*ways, ways[3]], [True] * 13, *ways)
    assert found.ways[0] == str(ways[3])
    assert found.ways[-1] == OTHER_WAYS
    assert found.counts == (2, 1, 1, 1, 1, 1, 1, 1, 4)
    assert sum(found.counts) == found.n == 13


def test_without_ways_there_is_how_much_it_varies() -> None:
    found = table([RIGHT, UP], [True, False])
    assert (found.ways, found.counts, found.largest_share) == ((), (), None)
    assert [row.counts for row in found.rows] == [(), ()]
    assert found.dispersion == pytest.approx(1)
    assert table([RIGHT], [True]).is_nearly_constant
    with pytest.raises(ValueError, match="no action"):
        tabulate_policy(np.zeros((0, 2), np.float32), np.zeros((0, 1), np.bool_), ["a"], [])
