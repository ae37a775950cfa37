"""Fakes and conformance checks for people who write an agent, a backend, a judge or another
extension of their own.

from simworld.testing import FakeBackend, check_agent, check_backend

check_agent(MyAgent())                     # raises NotConforming, saying which promise is broken
check_backend(lambda: MyBackend("…"))
check_judge(my_method, MySettings())
"""

from __future__ import annotations

import importlib

from simworld.testing.agents import NotConforming, check_agent
from simworld.testing.backends import check_backend
from simworld.testing.fakes import (
    FakeBackend,
    example_episode,
    example_observations,
    example_scenario,
    fake_answer,
    generated,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from simworld.testing.agent_kinds import check_agent_kind
    from simworld.testing.explorations import check_exploration
    from simworld.testing.judges import check_judge
    from simworld.testing.learners import check_learner
    from simworld.testing.measures import check_measure
    from simworld.testing.rewards import check_reward

__all__ = [
    "FakeBackend",
    "NotConforming",
    "check_agent",
    "check_agent_kind",
    "check_backend",
    "check_exploration",
    "check_judge",
    "check_learner",
    "check_measure",
    "check_reward",
    "example_episode",
    "example_observations",
    "example_scenario",
    "fake_answer",
    "generated",
]

# Loaded on first use: some need torch.
_LAZY = {
    "check_agent_kind": "simworld.testing.agent_kinds",
    "check_exploration": "simworld.testing.explorations",
    "check_judge": "simworld.testing.judges",
    "check_learner": "simworld.testing.learners",
    "check_measure": "simworld.testing.measures",
    "check_reward": "simworld.testing.rewards",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'simworld.testing' has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)
