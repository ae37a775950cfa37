"""What a run is given: scenarios and agents by name, by file, or as objects made in Python."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import TypeGuard, cast

from pydantic import BaseModel

from agents import LoadedSpec, agent_content, complete_spec, find_specs
from agents.agent_kinds import AgentSpec
from scenarios import LoadedScenario, find_scenarios
from simworld.core.errors import InputError, Problem, collecting_problems
from simworld.core.scenario import Scenario

# a name, a file, folder, glob or tag, as for `simworld run`; or the scenario itself
ScenarioLike = str | os.PathLike[str] | Scenario | LoadedScenario
# a name or a file; or the agent's spec
AgentLike = str | os.PathLike[str] | AgentSpec | LoadedSpec


def find_given_scenarios(
    given: ScenarioLike | Iterable[ScenarioLike],
    *,
    on_loaded: Callable[[Sequence[LoadedScenario]], None] = lambda loaded: None,
) -> tuple[Scenario, ...]:
    """The scenarios that are named or given, each once; `on_loaded` is told those read from files.

    Raises:
        InputError: with everything wrong in names and files, or two scenarios have one name.
    """
    parts = list_scenarios(given)
    selectors = [os.fspath(part) for part in parts if isinstance(part, str | os.PathLike)]
    loaded = find_scenarios(selectors) if selectors or not parts else ()
    on_loaded(loaded)
    by_name = {each.scenario.name: each.scenario for each in loaded}
    if len(selectors) == len(parts):
        return tuple(each.scenario for each in loaded)
    problems = []
    for part in parts:
        if isinstance(part, str | os.PathLike):
            continue
        scenario = part.scenario if isinstance(part, LoadedScenario) else part
        if not isinstance(scenario, Scenario):
            problems.append(
                Problem(
                    "a scenario is a name, a file or a Scenario; found"
                    f" {type(part).__name__} {str(part)[:40]!r}"
                )
            )
        elif by_name.setdefault(scenario.name, scenario).id != scenario.id:
            problems.append(
                Problem(f"two different scenarios are called {scenario.name!r}; rename one")
            )
    if problems:
        raise InputError(dict.fromkeys(problems))
    return tuple(by_name.values())


def list_scenarios(given: ScenarioLike | Iterable[ScenarioLike]) -> list[ScenarioLike]:
    """One scenario or several, as a list."""
    if isinstance(given, str | os.PathLike) or not isinstance(given, Iterable):
        return [given]
    return list(given)


def list_agents(given: AgentLike | Iterable[AgentLike]) -> list[AgentLike]:
    """One agent or several, as a list."""
    return [given] if is_given_agent(given) else list(cast(Iterable[AgentLike], given))


def is_given_agent(value: object) -> TypeGuard[AgentLike]:
    """Whether a value can stand for one agent."""
    return isinstance(value, str | os.PathLike | LoadedSpec | BaseModel)


def given_name(given: AgentLike | ScenarioLike) -> str:
    """What an agent or a scenario was called: its name or file as written, or an object's name."""
    if isinstance(given, str | os.PathLike):
        return os.fspath(given)
    if isinstance(given, LoadedSpec):
        return given.spec.name
    return given.scenario.name if isinstance(given, LoadedScenario) else given.name


def find_given_agents(given: Sequence[AgentLike]) -> tuple[LoadedSpec, ...]:
    """The agents that are named or given, in this order, repeats too. Raises InputError with every
    problem.
    """
    names = list(dict.fromkeys(os.fspath(a) for a in given if isinstance(a, str | os.PathLike)))
    problems: list[Problem] = []
    found: dict[str, LoadedSpec] = {}
    with collecting_problems(problems):
        found = dict(zip(names, find_specs(names), strict=True))
    agents: list[LoadedSpec] = []
    for agent in given:
        if isinstance(agent, str | os.PathLike):
            agents += [found[name] for name in (os.fspath(agent),) if name in found]
        elif isinstance(agent, LoadedSpec):
            agents.append(agent)
        elif isinstance(agent, BaseModel):
            with collecting_problems(problems):
                agents.append(complete_spec(agent))
        else:
            problems.append(
                Problem(
                    "an agent is a name, a file or a spec (LMSpec, ScriptedSpec); found"
                    f" {type(agent).__name__} {str(agent)[:40]!r}"
                )
            )
    by_name: dict[str, LoadedSpec] = {}
    for loaded in agents:
        other = by_name.setdefault(loaded.spec.name, loaded)
        if other is not loaded and agent_content(other) != agent_content(loaded):
            problems.append(
                Problem(f"two different agents are named {loaded.spec.name!r}; rename one")
            )
    if problems:
        raise InputError(dict.fromkeys(problems))
    return tuple(agents)
