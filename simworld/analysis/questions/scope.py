"""What a question is about: runs, scenarios, families, agents and judges by name, each checked
against what is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

from simworld.analysis.questions.query_source import QuerySource
from simworld.core.errors import InputError
from simworld.yamlfile import did_you_mean
from store.query_parameters import BoundValue

_KNOWN_NAMES = {
    "run": "SELECT name FROM runs ORDER BY created, name",
    "scenario": (
        "SELECT DISTINCT scenario_name FROM episodes UNION SELECT DISTINCT scenario_id FROM"
        " episodes"
    ),
    "family": "SELECT DISTINCT family FROM episodes",
    "agent": (
        "SELECT DISTINCT agent_name FROM run_agents UNION SELECT DISTINCT agent_id FROM run_agents"
    ),
}
_CONDITIONS = {
    "run": "e.run = :run",
    "scenario": "(e.scenario_name = :scenario OR e.scenario_id = :scenario)",
    "family": "e.family = :family",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which episodes, and which of their seats; what is None does not restrict."""

    run: str | None = None
    scenario: str | None = None  # name or id
    family: str | None = None
    agents: tuple[str, ...] = ()  # names or ids of who sat in the seat; empty: everybody
    params: dict[str, BoundValue] = field(init=False)

    def __post_init__(self) -> None:
        filters = {"run": self.run, "scenario": self.scenario, "family": self.family}
        params: dict[str, BoundValue] = {
            name: value for name, value in filters.items() if value is not None
        }
        object.__setattr__(
            self, "params", params | {f"agent{i}": name for i, name in enumerate(self.agents)}
        )

    def episode_condition(self) -> str:
        """A condition on the episode `e`, true for all of the scope, whoever sits there."""
        parts = [_CONDITIONS[name] for name in _CONDITIONS if name in self.params]
        if self.agents:
            parts.append(
                "EXISTS (SELECT 1 FROM episode_seats q WHERE q.episode_id = e.id AND"
                f" {self._agent_condition('q')})"
            )
        return " AND ".join(parts) or "1 = 1"

    def seat_condition(self) -> str:
        """A condition on the seat `s`."""
        return self._agent_condition("s") if self.agents else "1 = 1"

    def _agent_condition(self, alias: str) -> str:
        names = ", ".join(f":agent{i}" for i in range(len(self.agents)))
        return f"({alias}.agent_name IN ({names}) OR {alias}.agent_id IN ({names}))"


class ScopeFilters(TypedDict):
    """The arguments of `resolve_scope`, as a question gets them."""

    run: str | None
    scenario: str | None
    family: str | None
    agents: Sequence[str]


def resolve_scope(
    source: QuerySource,
    *,
    run: str | None = None,
    scenario: str | None = None,
    family: str | None = None,
    agents: Sequence[str] = (),
) -> Scope:
    """The scope of these names.

    Raises:
        InputError: one of them is not there, with the nearest that is; or there are no episodes at
            all.
    """
    if not source.rows("SELECT 1 FROM episodes LIMIT 1"):
        raise InputError(f"no episodes in {source.where} yet; `simworld run` plays some")
    agent_names = (agents,) if isinstance(agents, str) else tuple(agents)
    for kind, name in (
        ("run", run),
        ("scenario", scenario),
        ("family", family),
        *(("agent", a) for a in agent_names),
    ):
        if name is not None:
            known_names = source.column(_KNOWN_NAMES[kind])
            if name not in known_names:
                raise InputError(f"no {kind} {name!r} in {source.where}{_hint(name, known_names)}")
    return Scope(run=run, scenario=scenario, family=family, agents=agent_names)


def resolve_run(source: QuerySource, run: str | None) -> str:
    """The run that is named, or the only one that has episodes.

    Raises:
        InputError: there are several and none is named.
    """
    if run is not None:
        return run
    sql = (
        "SELECT name FROM runs r WHERE EXISTS (SELECT 1 FROM episodes e WHERE e.run = r.name) ORDER"
        " BY created, name"
    )
    runs = source.column(sql)
    if len(runs) > 1:
        raise InputError(f"{len(runs)} runs are in {source.where}; say run=…: {_join_names(runs)}")
    if not runs:
        raise InputError(f"no episodes in {source.where} yet; `simworld run` plays some")
    return str(runs[0])


def require_known(name: str, known_names: Sequence[str], noun: str) -> str:
    """The word, if it is one of the known; raises InputError with the nearest otherwise."""
    if name not in known_names:
        raise InputError(f"no {noun} {name!r}{_hint(name, known_names)}")
    return name


def _hint(name: str, known_names: Sequence[Any]) -> str:
    return did_you_mean(name, known_names) or f"; there are {_join_names(known_names)}"


def _join_names(names: Sequence[Any], max_names: int = 8) -> str:
    shown = [str(name) for name in names[:max_names]]
    return (", ".join(shown) + (", …" if len(names) > max_names else "")) or "none"
