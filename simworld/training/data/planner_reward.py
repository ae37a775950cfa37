"""What a planner was rewarded for, as its checkpoint says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from simworld.core.errors import InputError
from simworld.training.data.dataset_query import RewardSettings


def read_planner_reward(data: Mapping[str, Any]) -> RewardSettings:
    """The reward in a checkpoint's `data`, to measure other agents by.

    Raises InputError for a checkpoint that learned from no reward, from a judge's scores, or from a
    reward that this version cannot read.
    """
    query = data.get("query")
    if not query:
        raise InputError("this checkpoint was not trained on a reward; give a trained planner")
    try:  # the reward alone: the query's other fields may be of another version
        reward = RewardSettings.model_validate(query.get("reward") or {})
    except ValidationError:
        raise InputError(
            "what this planner was rewarded for was written by another version, or edited; give"
            " --lexical, --like or --judge"
        ) from None
    if reward.measure == "judged":
        raise InputError("this planner was rewarded by a judge's scores; give --judge")
    return reward
