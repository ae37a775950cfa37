"""Fakes and conformance checks for people who write an agent or a model backend of their own.

from simworld.testing import FakeBackend, check_agent, check_backend

check_agent(MyAgent())                     # raises NotConforming, saying which promise is broken
check_backend(lambda: MyBackend("…"))
"""

from simworld.testing.agents import NotConforming, check_agent
from simworld.testing.backends import check_backend
from simworld.testing.fakes import (
    FakeBackend,
    example_observations,
    example_scenario,
    fake_answer,
    generated,
)

__all__ = [
    "FakeBackend",
    "NotConforming",
    "check_agent",
    "check_backend",
    "example_observations",
    "example_scenario",
    "fake_answer",
    "generated",
]
