"""Runs: what they plan, what is finished, and the refusal to resume one whose content has
changed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, exists, func, select, true, update
from sqlalchemy.orm import aliased

from simworld.core.episode import Ending, WorkItem
from simworld.core.errors import InputError, Problem, ResumeRefused
from simworld.core.judgement import JudgementStatus
from simworld.core.scenario import Scenario
from store.inserts import insert_missing, insert_new
from store.records import AgentRecord, ItemState, PlannedItem, RunRecord, RunSummary
from store.scenario_json import scenario_row
from store.tables import (
    AgentRow,
    EpisodeRow,
    JudgementRow,
    RunAgentRow,
    RunRow,
    ScenarioRow,
    WorkItemRow,
    table,
)
from store.unknown_names import check_names

# the content for its rubric
DETAILS = ("name", "title", "family", "kind", "tags", "rubric", "judge_note", "meta", "content")


def begin_run(
    connection: Connection,
    run: RunRecord,
    items: Sequence[PlannedItem],
    scenarios: Iterable[Scenario],
    agents: Iterable[AgentRecord],
) -> None:
    """Stores a run with its plan. Again with the same name it adds what is new (repeats, casts)
    and takes the new settings.

    A scenario's content is stored once; its title, rubric, judge note and other details are
    those given last.

    Raises:
        ResumeRefused: the run exists with another seed, or one of its scenario or agent names
            now has other content.
        InputError: one name means two contents.
    """
    agents = list(agents)
    _refuse_ambiguous(items, agents)
    row = {name: getattr(run, name) for name in RunRecord.__dataclass_fields__}
    if not insert_new(connection, RunRow, row):
        _refuse_changed(connection, run, items, agents)
        connection.execute(
            update(RunRow).where(RunRow.name == run.name).values(settings=row["settings"])
        )
    for scenario in scenarios:
        details = scenario_row(scenario)
        if not insert_new(connection, ScenarioRow, details):
            new = {name: details[name] for name in DETAILS}
            connection.execute(update(ScenarioRow).where(ScenarioRow.id == scenario.id).values(new))
    insert_missing(
        connection, AgentRow, [{"id": a.id, "name": a.name, "spec": a.spec} for a in agents]
    )
    insert_missing(
        connection,
        RunAgentRow,
        [{"run": run.name, "agent_name": a.name, "agent_id": a.id} for a in agents],
    )
    insert_missing(connection, WorkItemRow, [_item_row(planned_item) for planned_item in items])


def add_profile(connection: Connection, run: str, command: Mapping[str, Any]) -> None:
    """Adds what one command took to the run's profile: `{"commands": [first, …, last]}`. Several
    processes may.
    """
    is_run = RunRow.name == run
    profile = connection.execute(
        select(RunRow.profile).where(is_run).with_for_update()
    ).scalar_one_or_none()
    commands = [*(profile or {}).get("commands", ()), dict(command)]
    connection.execute(update(RunRow).where(is_run).values(profile={"commands": commands}))


def item_states(connection: Connection, run: str) -> dict[str, ItemState]:
    """Item key → attempts made and how the last one ended; items never attempted are absent."""
    rows = connection.execute(
        select(EpisodeRow.item_key, EpisodeRow.attempt, EpisodeRow.ending)
        .where(EpisodeRow.run == run)
        .order_by(EpisodeRow.item_key, EpisodeRow.attempt)
    )
    return {
        key: ItemState(attempts=attempt, ending=Ending(ending)) for key, attempt, ending in rows
    }


def planned_items(connection: Connection, run: str) -> list[PlannedItem]:
    """All work items of a run, played or not, in the order of scenario, repeat and key."""
    rows = connection.execute(
        select(WorkItemRow.__table__)
        .where(WorkItemRow.run == run)
        .order_by(WorkItemRow.scenario_name, WorkItemRow.repeat, WorkItemRow.key)
    ).mappings()
    return [
        PlannedItem(
            item=WorkItem(
                run=row["run"],
                scenario_id=row["scenario_id"],
                cast=row["casting"],
                repeat=row["repeat"],
            ),
            scenario_name=row["scenario_name"],
            family=row["family"],
        )
        for row in rows
    ]


def run_summaries(connection: Connection, name: str | None = None) -> list[RunSummary]:
    """All runs or the named one, oldest first, with what has become of their work items."""

    def is_named(column: Any) -> Any:
        return true() if name is None else column == name

    def count_by_run(column: Any, query: Any) -> dict[str, int]:
        rows = connection.execute(query.where(is_named(column)).group_by(column))
        return {name: count for name, count in rows}  # noqa: C416 - a row is no tuple to mypy

    later = aliased(EpisodeRow)
    is_superseded = exists().where(
        later.run == EpisodeRow.run,
        later.item_key == EpisodeRow.item_key,
        later.attempt > EpisodeRow.attempt,
    )
    is_judged = exists().where(
        JudgementRow.episode_id == EpisodeRow.id, JudgementRow.status == JudgementStatus.ok.value
    )
    run_column = EpisodeRow.run
    planned = count_by_run(WorkItemRow.run, select(WorkItemRow.run, func.count()))
    episodes = count_by_run(run_column, select(run_column, func.count()))
    items = count_by_run(run_column, select(run_column, func.count(EpisodeRow.item_key.distinct())))
    failed = count_by_run(
        run_column,
        select(run_column, func.count()).where(
            EpisodeRow.ending == Ending.failed.value, ~is_superseded
        ),
    )
    judged = count_by_run(run_column, select(run_column, func.count()).where(is_judged))
    query = (
        select(RunRow.__table__).where(is_named(RunRow.name)).order_by(RunRow.created, RunRow.name)
    )
    rows = connection.execute(query).mappings()
    return [
        RunSummary(
            run=RunRecord(**row),
            planned=planned.get(row["name"], 0),
            episodes=episodes.get(row["name"], 0),
            done=items.get(row["name"], 0) - failed.get(row["name"], 0),
            failed=failed.get(row["name"], 0),
            judged=judged.get(row["name"], 0),
        )
        for row in rows
    ]


def run_summary(connection: Connection, name: str) -> RunSummary:
    """One run with its counts; raises InputError where there is none."""
    check_names(connection, run=name)
    return run_summaries(connection, name)[0]


def run_record(connection: Connection, name: str) -> RunRecord:
    """A run as it was begun; raises InputError where there is none."""
    check_names(connection, run=name)
    query = select(table(RunRow)).where(RunRow.name == name)
    return RunRecord(**connection.execute(query).mappings().one())


def _item_row(planned_item: PlannedItem) -> dict[str, Any]:
    item = planned_item.item
    return {
        "key": item.key,
        "run": item.run,
        "scenario_id": item.scenario_id,
        "scenario_name": planned_item.scenario_name,
        "family": planned_item.family,
        "casting": dict(item.cast),
        "repeat": item.repeat,
    }


def _refuse_ambiguous(items: Sequence[PlannedItem], agents: Sequence[AgentRecord]) -> None:
    """A name that means two contents in one run could never be compared with what is stored."""
    problems = [
        Problem(f"two different {kind}s are called {name!r}; rename one")
        for kind, ids in _ids_by_kind(items, agents).items()
        for name, contents in ids.items()
        if len(contents) > 1
    ]
    if problems:
        raise InputError(problems)


def _refuse_changed(
    connection: Connection,
    run: RunRecord,
    items: Sequence[PlannedItem],
    agents: Sequence[AgentRecord],
) -> None:
    problems = []
    seed = connection.execute(select(RunRow.seed).where(RunRow.name == run.name)).scalar_one()
    if seed != run.seed:
        problems.append(f"its seed was {seed}, now it is {run.seed}")
    scenarios = select(WorkItemRow.scenario_name, WorkItemRow.scenario_id).distinct()
    run_agents = select(RunAgentRow.agent_name, RunAgentRow.agent_id)
    stored = {
        "scenario": connection.execute(scenarios.where(WorkItemRow.run == run.name)),
        "agent": connection.execute(run_agents.where(RunAgentRow.run == run.name)),
    }
    for kind, names in _ids_by_kind(items, agents).items():
        ids_before = _ids_by_name(stored[kind])
        for name, ids in names.items():
            before = ids_before.get(name)
            if before and not ids <= before:
                problems.append(
                    f"the {kind} {name!r} was {_short_ids(before)}, now it is {_short_ids(ids)}"
                )
    if problems:
        raise ResumeRefused(
            f"run {run.name!r} cannot be resumed, because its content has changed:"
            f" {'; '.join(problems)}; undo the change, or begin another run with --name"
        )


def _ids_by_kind(
    items: Iterable[PlannedItem], agents: Iterable[AgentRecord]
) -> dict[str, dict[str, set[str]]]:
    """Scenario and agent → name → the ids of what has that name."""
    return {
        "scenario": _ids_by_name((each.scenario_name, each.item.scenario_id) for each in items),
        "agent": _ids_by_name((agent.name, agent.id) for agent in agents),
    }


def _ids_by_name(pairs: Iterable[Any]) -> dict[str, set[str]]:
    ids: dict[str, set[str]] = defaultdict(set)
    for name, id_ in pairs:
        ids[name].add(id_)
    return ids


def _short_ids(ids: set[str]) -> str:
    return ", ".join(id_[:15] for id_ in sorted(ids))
