"""What a planner was rewarded for is read from its checkpoint, or refused in one line."""

from __future__ import annotations

from typing import Any

import pytest

from simworld.core.errors import InputError
from simworld.training.data.dataset_query import DataQuery, RewardSettings
from simworld.training.data.planner_reward import read_planner_reward


def test_the_reward_comes_back() -> None:
    reward = RewardSettings(measure="lexical", pattern="thank", place="end")
    query = DataQuery(runs=("r",), reward=reward).model_dump(mode="json")
    assert read_planner_reward({"query": query, "rows": 3}) == reward


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "this checkpoint was not trained on a reward"),
        (
            {"query": {"reward": {"measure": "judged"}}},
            "rewarded by a judge's scores; give --judge",
        ),
        ({"query": {"reward": {"measure": "smell"}}}, "written by another version, or edited"),
    ],
)
def test_what_is_refused(data: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_planner_reward(data)
