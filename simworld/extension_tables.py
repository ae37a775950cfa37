"""All extension points, in the order in which they are listed."""

from __future__ import annotations

from typing import Any

from agents.agent_kinds import AGENT_KINDS
from agents.lm.backend_table import BACKENDS
from agents.steering.exploration_kinds import EXPLORATIONS
from simworld.extensions import ExtensionTable
from simworld.judging.judge_methods import JUDGE_METHODS
from simworld.results.seat_measures import SEAT_MEASURES
from simworld.training.data.reward_kinds import REWARD_KINDS
from simworld.training.rl.planner_learners import PLANNER_LEARNERS


def extension_tables() -> tuple[ExtensionTable[Any], ...]:
    """The table of each extension point."""
    return (
        AGENT_KINDS,
        JUDGE_METHODS,
        BACKENDS,
        PLANNER_LEARNERS,
        REWARD_KINDS,
        SEAT_MEASURES,
        EXPLORATIONS,
    )
