"""A laboratory for social simulation with steerable language-model agents.

Everything for users is here. Whole jobs, each as its command does it: `run`, `judge`, `tournament`,
`evaluate` and `learn`. Questions to a database: `connect`. The pieces, and the protocols of your
own ones: `find_scenarios`, `play`, `Agent`, `Backend`, `Generate`, ….

Names are loaded on first use, so that `import simworld` is light. Nobody needs to import `agents`,
`scenarios` or `store` directly.
`simworld.__version__` is what pip knows: `pyproject.toml` says it.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as typing's own, which would take longer to load than all the rest here
if TYPE_CHECKING:
    from typing import Any

    from agents import (
        AgentKind,
        AgentParts,
        HumanSpec,
        LMSpec,
        ScriptedSpec,
        find_specs,
        make_agent,
    )
    from agents.kind_specs import SamplingSpec
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
    from simworld.core.errors import (
        BudgetSpent,
        Failure,
        InputError,
        MissingExtra,
        ModelError,
        Problem,
        ResumeRefused,
        SimworldError,
        Stopped,
        StoreError,
    )
    from simworld.core.judgement import Dimension, Judgement, Rubric, Verdict
    from simworld.core.protocols import (
        ActGenerator,
        ActResult,
        Agent,
        Backend,
        JudgementGenerator,
        MemoryBounded,
    )
    from simworld.core.requests import (
        AskPerson,
        ChatPrompt,
        Completion,
        Encode,
        Encoded,
        Finished,
        Generate,
        Generated,
        Message,
        ModelInfo,
        Prefix,
        Prompt,
        Request,
        Sampling,
        Score,
        Scored,
        TextPrompt,
    )
    from simworld.core.scenario import Check, Limits, Persona, Relationship, Scenario, Seat
    from simworld.extensions import imports_allowed
    from simworld.jobs.evaluate import evaluate
    from simworld.jobs.evaluation_report import EvaluationReport
    from simworld.jobs.judge import JudgingReport, judge
    from simworld.jobs.learn import LearnReport, learn
    from simworld.jobs.report import JobReport
    from simworld.jobs.run import RunReport, run
    from simworld.jobs.settings import JobOptions
    from simworld.jobs.tournament import TournamentReport, tournament
    from simworld.judging.judge import Judge
    from simworld.judging.judge_methods import JudgeMethod, JudgeTask
    from simworld.judging.judge_spec import JudgeSpec
    from simworld.results.seat_measures import MeasureKind, PlayedSeat
    from simworld.runner import Job, Played, play_jobs
    from simworld.stats.intervals import Estimate, mean_by_family
    from simworld.training.data.reward_kinds import RewardKind
    from simworld.training.data.seat_turns import SeatTurn
    from simworld.training.rl.learner import Learner
    from simworld.training.rl.planner_learners import LearnerKind, LearnerParts
    from store import open_store

    __version__: str

_HOMES = {
    "agents": (
        "AgentKind",
        "AgentParts",
        "HumanSpec",
        "LMSpec",
        "ScriptedSpec",
        "find_specs",
        "make_agent",
    ),
    "agents.kind_specs": ("SamplingSpec",),
    "agents.lm": ("load_backend",),
    "agents.lm.backend_kinds": (
        "BackendKind",
        "BackendParts",
    ),
    "agents.steering.exploration_kinds": (
        "ExplorationKind",
        "ExploreTask",
    ),
    "scenarios": (
        "find_scenarios",
        "load_scenario",
    ),
    "simworld.analysis.connect": ("connect",),
    "simworld.core.engine": (
        "episode_seed",
        "play",
    ),
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
    "simworld.core.errors": (
        "BudgetSpent",
        "Failure",
        "InputError",
        "MissingExtra",
        "ModelError",
        "Problem",
        "ResumeRefused",
        "SimworldError",
        "Stopped",
        "StoreError",
    ),
    "simworld.core.judgement": (
        "Dimension",
        "Judgement",
        "Rubric",
        "Verdict",
    ),
    "simworld.core.protocols": (
        "ActGenerator",
        "ActResult",
        "Agent",
        "Backend",
        "JudgementGenerator",
        "MemoryBounded",
    ),
    "simworld.core.requests": (
        "AskPerson",
        "ChatPrompt",
        "Completion",
        "Encode",
        "Encoded",
        "Finished",
        "Generate",
        "Generated",
        "Message",
        "ModelInfo",
        "Prefix",
        "Prompt",
        "Request",
        "Sampling",
        "Score",
        "Scored",
        "TextPrompt",
    ),
    "simworld.core.scenario": (
        "Check",
        "Limits",
        "Persona",
        "Relationship",
        "Scenario",
        "Seat",
    ),
    "simworld.extensions": ("imports_allowed",),
    "simworld.jobs.evaluate": ("evaluate",),
    "simworld.jobs.evaluation_report": ("EvaluationReport",),
    "simworld.jobs.judge": (
        "JudgingReport",
        "judge",
    ),
    "simworld.jobs.learn": (
        "LearnReport",
        "learn",
    ),
    "simworld.jobs.report": ("JobReport",),
    "simworld.jobs.run": (
        "RunReport",
        "run",
    ),
    "simworld.jobs.settings": ("JobOptions",),
    "simworld.jobs.tournament": (
        "TournamentReport",
        "tournament",
    ),
    "simworld.judging.judge": ("Judge",),
    "simworld.judging.judge_methods": (
        "JudgeMethod",
        "JudgeTask",
    ),
    "simworld.judging.judge_spec": ("JudgeSpec",),
    "simworld.results.seat_measures": (
        "MeasureKind",
        "PlayedSeat",
    ),
    "simworld.runner": (
        "Job",
        "Played",
        "play_jobs",
    ),
    "simworld.stats.intervals": (
        "Estimate",
        "mean_by_family",
    ),
    "simworld.training.data.reward_kinds": ("RewardKind",),
    "simworld.training.data.seat_turns": ("SeatTurn",),
    "simworld.training.rl.learner": ("Learner",),
    "simworld.training.rl.planner_learners": (
        "LearnerKind",
        "LearnerParts",
    ),
    "store": ("open_store",),
}
_LAZY = {name: module for module, names in _HOMES.items() for name in names}

# by home, as in _HOMES; the tests compare them
__all__ = [
    "AgentKind",
    "AgentParts",
    "HumanSpec",
    "LMSpec",
    "ScriptedSpec",
    "find_specs",
    "make_agent",
]
__all__ += ["SamplingSpec"]
__all__ += ["load_backend"]
__all__ += ["BackendKind", "BackendParts"]
__all__ += ["ExplorationKind", "ExploreTask"]
__all__ += ["find_scenarios", "load_scenario"]
__all__ += ["connect"]
__all__ += ["episode_seed", "play"]
__all__ += ["Act", "Action", "ActionKind", "Ending", "Episode", "Observation", "Turn", "WorkItem"]
__all__ += [
    "BudgetSpent",
    "Failure",
    "InputError",
    "MissingExtra",
    "ModelError",
    "Problem",
    "ResumeRefused",
    "SimworldError",
    "Stopped",
    "StoreError",
]
__all__ += ["Dimension", "Judgement", "Rubric", "Verdict"]
__all__ += ["ActGenerator", "ActResult", "Agent", "Backend", "JudgementGenerator", "MemoryBounded"]
__all__ += [
    "AskPerson",
    "ChatPrompt",
    "Completion",
    "Encode",
    "Encoded",
    "Finished",
    "Generate",
    "Generated",
    "Message",
    "ModelInfo",
    "Prefix",
    "Prompt",
    "Request",
    "Sampling",
    "Score",
    "Scored",
    "TextPrompt",
]
__all__ += ["Check", "Limits", "Persona", "Relationship", "Scenario", "Seat"]
__all__ += ["imports_allowed"]
__all__ += ["evaluate"]
__all__ += ["EvaluationReport"]
__all__ += ["JudgingReport", "judge"]
__all__ += ["LearnReport", "learn"]
__all__ += ["JobReport"]
__all__ += ["RunReport", "run"]
__all__ += ["JobOptions"]
__all__ += ["TournamentReport", "tournament"]
__all__ += ["Judge"]
__all__ += ["JudgeMethod", "JudgeTask"]
__all__ += ["JudgeSpec"]
__all__ += ["MeasureKind", "PlayedSeat"]
__all__ += ["Job", "Played", "play_jobs"]
__all__ += ["Estimate", "mean_by_family"]
__all__ += ["RewardKind"]
__all__ += ["SeatTurn"]
__all__ += ["Learner"]
__all__ += ["LearnerKind", "LearnerParts"]
__all__ += ["open_store"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("simworld")
    if name not in _LAZY:
        raise AttributeError(f"module 'simworld' has no attribute {name!r}")
    import importlib

    from simworld.name_clash_check import check_package_names

    check_package_names()
    value = getattr(importlib.import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY, "__version__"])
