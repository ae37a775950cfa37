"""A laboratory for social simulation with steerable language-model agents.

Everything for users is here: `from simworld import find_scenarios, find_specs, play`. Names are
loaded on first use, so that `import simworld` is light. Nobody needs to import `agents`,
`scenarios` or `store` directly.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as typing's own, which would take longer to load than all the rest here
if TYPE_CHECKING:
    from typing import Any

    from agents import AgentKind, AgentParts, find_specs, make_agent
    from agents.lm import load_backend
    from agents.lm.backend_kinds import BackendKind, BackendParts
    from agents.steering.exploration_kinds import ExplorationKind, ExploreTask
    from scenarios import find_scenarios, load_scenario
    from simworld.analysis.connect import connect
    from simworld.core.engine import episode_seed, play
    from simworld.core.episode import (
        Act,
        Action,
        ActionKind,
        Ending,
        Episode,
        Observation,
        Turn,
        WorkItem,
    )
    from simworld.core.errors import Failure, InputError, SimworldError
    from simworld.core.judgement import Dimension, Judgement, Rubric, Verdict
    from simworld.core.scenario import Check, Limits, Persona, Relationship, Scenario, Seat
    from simworld.judging.judge_methods import JudgeMethod, JudgeTask
    from simworld.results.seat_measures import MeasureKind, PlayedSeat
    from simworld.runner import Job, Played, play_jobs
    from simworld.stats.intervals import Estimate, mean_by_family
    from simworld.training.data.reward_kinds import RewardKind
    from simworld.training.data.seat_turns import SeatTurn
    from simworld.training.rl.planner_learners import LearnerKind, LearnerParts
    from store import open_store

_HOMES = {
    "agents": ("AgentKind", "AgentParts", "find_specs", "make_agent"),
    "agents.lm": ("load_backend",),
    "agents.lm.backend_kinds": ("BackendKind", "BackendParts"),
    "scenarios": ("find_scenarios", "load_scenario"),
    "simworld.analysis.connect": ("connect",),
    "simworld.core.engine": ("episode_seed", "play"),
    "simworld.core.episode": (
        "Act",
        "Action",
        "ActionKind",
        "Ending",
        "Episode",
        "Observation",
        "Turn",
        "WorkItem",
    ),
    "simworld.core.errors": ("Failure", "InputError", "SimworldError"),
    "simworld.core.judgement": ("Dimension", "Judgement", "Rubric", "Verdict"),
    "simworld.core.scenario": ("Check", "Limits", "Persona", "Relationship", "Scenario", "Seat"),
    "simworld.judging.judge_methods": ("JudgeMethod", "JudgeTask"),
    "agents.steering.exploration_kinds": ("ExplorationKind", "ExploreTask"),
    "simworld.results.seat_measures": ("MeasureKind", "PlayedSeat"),
    "simworld.stats.intervals": ("Estimate", "mean_by_family"),
    "simworld.runner": ("Job", "Played", "play_jobs"),
    "simworld.training.data.reward_kinds": ("RewardKind",),
    "simworld.training.data.seat_turns": ("SeatTurn",),
    "simworld.training.rl.planner_learners": ("LearnerKind", "LearnerParts"),
    "store": ("open_store",),
}
_LAZY = {name: module for module, names in _HOMES.items() for name in names}

__version__ = "0.1.0"
# by home, as in _HOMES; the tests compare them
__all__ = ["AgentKind", "AgentParts", "find_specs", "make_agent"]
__all__ += ["load_backend"]
__all__ += ["BackendKind", "BackendParts"]
__all__ += ["find_scenarios", "load_scenario"]
__all__ += ["connect"]
__all__ += ["episode_seed", "play"]
__all__ += ["Act", "Action", "ActionKind", "Ending", "Episode", "Observation", "Turn", "WorkItem"]
__all__ += ["Failure", "InputError", "SimworldError"]
__all__ += ["Dimension", "Judgement", "Rubric", "Verdict"]
__all__ += ["Check", "Limits", "Persona", "Relationship", "Scenario", "Seat"]
__all__ += ["JudgeMethod", "JudgeTask"]
__all__ += ["ExplorationKind", "ExploreTask"]
__all__ += ["MeasureKind", "PlayedSeat"]
__all__ += ["Estimate", "mean_by_family"]
__all__ += ["Job", "Played", "play_jobs"]
__all__ += ["RewardKind"]
__all__ += ["SeatTurn"]
__all__ += ["LearnerKind", "LearnerParts"]
__all__ += ["open_store"]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'simworld' has no attribute {name!r}")
    import importlib

    from simworld.name_clash_check import check_package_names

    check_package_names()
    value = getattr(importlib.import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])
