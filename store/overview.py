"""What there is, named and counted for people who look around; nothing here reads a turn."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, func, or_, select

from simworld.core.episode import Ending
from store.records import EndingCount, FilterNames, ScenarioLine
from store.tables import EpisodeRow, RunAgentRow, RunRow, ScenarioRow, WorkItemRow, table

MAX_NAMES = 500


def filter_names(connection: Connection) -> FilterNames:
    """The names that filters may use, at most 500 of each, in their order; runs the latest
    first.
    """

    def column(query: Select[Any]) -> tuple[str, ...]:
        return tuple(connection.execute(query.limit(MAX_NAMES)).scalars())

    return FilterNames(
        runs=column(select(RunRow.name).order_by(RunRow.created.desc(), RunRow.name)),
        scenarios=column(select(ScenarioRow.name).distinct().order_by(ScenarioRow.name)),
        families=column(select(ScenarioRow.family).distinct().order_by(ScenarioRow.family)),
        agents=column(select(RunAgentRow.agent_name).distinct().order_by(RunAgentRow.agent_name)),
    )


def ending_counts(connection: Connection, run: str) -> list[EndingCount]:
    """How the episodes of a run ended, by scenario, in no order; every attempt counts."""
    columns = ("scenario_id", "scenario_name", "family", "ending", "reason")
    keys = [table(EpisodeRow).columns[name] for name in columns]
    query = select(*keys, func.count().label("episodes")).where(EpisodeRow.run == run)
    rows = connection.execute(query.group_by(*keys)).mappings()
    return [EndingCount(**{**row, "ending": Ending(row["ending"])}) for row in rows]


def run_agents(connection: Connection, run: str) -> dict[str, str]:
    """Agent name → agent id, of the agents that a run names, by name."""
    query = select(RunAgentRow.agent_name, RunAgentRow.agent_id).where(RunAgentRow.run == run)
    return {name: id_ for name, id_ in connection.execute(query.order_by(RunAgentRow.agent_name))}  # noqa: C416


def run_scenarios(connection: Connection, run: str) -> list[str]:
    """Ids of the scenarios that a run plans, by their names in it."""
    query = (
        select(WorkItemRow.scenario_id, WorkItemRow.scenario_name)
        .where(WorkItemRow.run == run)
        .distinct()
    )
    by_name = query.order_by(WorkItemRow.scenario_name, WorkItemRow.scenario_id)
    return list(connection.execute(by_name).scalars())


def scenario_lines(
    connection: Connection, text: str | None = None, *, start: int = 0, limit: int = 100
) -> list[ScenarioLine]:
    """Scenarios by name with their counts, those whose name, title, family or kind contains a text
    in any case.
    """
    query = select(
        ScenarioRow.id, ScenarioRow.name, ScenarioRow.title, ScenarioRow.family, ScenarioRow.kind
    )
    if text:
        columns = (ScenarioRow.name, ScenarioRow.title, ScenarioRow.family, ScenarioRow.kind)
        query = query.where(or_(*(column.icontains(text, autoescape=True) for column in columns)))
    query = query.order_by(ScenarioRow.name, ScenarioRow.id).offset(start).limit(limit)
    rows = connection.execute(query).mappings().all()
    ids = [row["id"] for row in rows]
    counted = select(EpisodeRow.scenario_id, func.count()).where(EpisodeRow.scenario_id.in_(ids))
    counts = {id_: n for id_, n in connection.execute(counted.group_by(EpisodeRow.scenario_id))}  # noqa: C416
    return [ScenarioLine(**row, episodes=counts.get(row["id"], 0)) for row in rows]
