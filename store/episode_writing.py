"""Writing one finished episode: one transaction, and nothing when it is there already."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from simworld.core.episode import Act, CheckResult, Ending, Episode, Generation, PlanStep, WorkItem
from store.cells.cell_updates import enter_episode
from store.inserts import failure_columns, insert_all, insert_new
from store.tables import (
    ActRow,
    AgentRow,
    Base,
    CheckRow,
    EpisodeRow,
    EpisodeSeatRow,
    EpisodeTextRow,
    PlanStepRow,
    RunAgentRow,
    RunRow,
    ScenarioRow,
)
from store.text_search import episode_text

NO_GENERATION: Mapping[str, Any] = dict.fromkeys(Generation.__dataclass_fields__)


def add_episode(
    connection: Connection,
    item: WorkItem,
    attempt: int,
    episode: Episode,
    *,
    scenario_name: str,
    family: str,
    started: datetime,
    ended: datetime,
    code_version: str = "",
    parent_id: str | None = None,
) -> bool:
    """Stores a finished episode whole; False, and no change, if this attempt is there already.

    Args:
        connection: of the database.
        item: a work item that `begin_run` has planned.
        attempt: from 1.
        episode: as played.
        scenario_name: as in the plan.
        family: as in the plan.
        started: with a zone.
        ended: with a zone.
        code_version: what played it; default: what began the run.
        parent_id: the episode it branched from.

    Raises:
        ValueError: the episode does not belong to the item, or contradicts itself: the caller's
            bug.
        StoreError: the database cannot take it; nothing of it was stored.
    """
    _refuse_inconsistent(item, attempt, episode)
    if started.tzinfo is None or ended.tzinfo is None:
        raise ValueError(f"times need a zone, found {started.isoformat()} and {ended.isoformat()}")
    # asked of the database once, for neither scenarios nor a run's names change
    seats_by_cast = connection.info.setdefault("simworld_seats", {})
    cast = (item.run, item.scenario_id, frozenset(item.cast.items()))
    if (seats := seats_by_cast.get(cast)) is None:
        seats = seats_by_cast[cast] = seat_rows(connection, item)
    if not code_version:
        code_version = connection.execute(
            select(RunRow.code_version).where(RunRow.name == item.run)
        ).scalar_one()
    row = {
        **episode_columns(item, attempt, episode),
        "scenario_name": scenario_name,
        "family": family,
        "started": started,
        "ended": ended,
        "code_version": code_version,
        "parent_id": parent_id,
    }
    if not insert_new(connection, EpisodeRow, row):
        return False
    for part, rows in part_rows(row["id"], episode, seats).items():
        insert_all(connection, part, rows)
    enter_episode(connection, row, seats)
    return True


def episode_columns(item: WorkItem, attempt: int, episode: Episode) -> dict[str, Any]:
    """What an episode itself tells of its row in the table `episodes`."""
    generations = [act.generation for act in episode.acts if act.generation is not None]
    return {
        "id": item.episode_id(attempt),
        "run": item.run,
        "item_key": item.key,
        "attempt": attempt,
        "scenario_id": item.scenario_id,
        "repeat": item.repeat,
        "seed": episode.seed,
        "ending": episode.ending.value,
        "reason": episode.reason,
        **failure_columns(episode.failure),
        "turns": len(episode.turns),
        "prompt_tokens": sum(generation.prompt_tokens for generation in generations),
        "new_tokens": sum(generation.new_tokens for generation in generations),
    }


def part_rows(
    episode_id: str, episode: Episode, seats: Sequence[Mapping[str, Any]]
) -> dict[type[Base], list[Mapping[str, Any]]]:
    """The rows of an episode in the tables of its parts; `seats` as `seat_rows` gives them."""
    acts = [
        ({"episode_id": episode_id, "turn": turn.index, "position": position}, act)
        for turn in episode.turns
        for position, act in enumerate(turn.acts)
    ]
    return {
        EpisodeSeatRow: [{"episode_id": episode_id, **seat} for seat in seats],
        ActRow: [act_key | _act_columns(act) for act_key, act in acts],
        PlanStepRow: [
            act_key | _plan_columns(act.plan) for act_key, act in acts if act.plan is not None
        ],
        EpisodeTextRow: [{"episode_id": episode_id, "text": episode_text(episode.acts)}],
        CheckRow: [
            {"episode_id": episode_id, "position": position, **check_columns(check)}
            for position, check in enumerate(episode.checks)
        ],
    }


def _refuse_inconsistent(item: WorkItem, attempt: int, episode: Episode) -> None:
    """Refuses what would be stored wrongly without notice; each of these is the caller's bug."""
    if attempt < 1:
        raise ValueError(f"attempts count from 1, found {attempt}")
    if (episode.ending is Ending.failed) != (episode.failure is not None):
        raise ValueError(
            f"an episode has a failure exactly when it failed; ending {episode.ending.value}"
        )
    if episode.scenario_id != item.scenario_id or dict(episode.cast) != dict(item.cast):
        raise ValueError(
            "the episode was played on another scenario or cast than its work item names"
        )
    if [turn.index for turn in episode.turns] != list(range(len(episode.turns))):
        raise ValueError(
            f"turns count from 0 without gaps, found {[turn.index for turn in episode.turns]}"
        )


def seat_rows(connection: Connection, item: WorkItem) -> list[dict[str, Any]]:
    """The rows of the table `episode_seats` for a planned item, without the episode's id; raises
    ValueError if none is planned.
    """
    content = connection.execute(
        select(ScenarioRow.content).where(ScenarioRow.id == item.scenario_id)
    ).scalar()
    if content is None:
        raise ValueError(f"run {item.run!r} has not been begun with scenario {item.scenario_id}")
    names: dict[str, str] = {}
    ids = set(item.cast.values())
    for names_query, condition in (
        (select(AgentRow.id, AgentRow.name), AgentRow.id.in_(ids)),
        (
            select(RunAgentRow.agent_id, RunAgentRow.agent_name).order_by(
                RunAgentRow.agent_name.desc()
            ),
            (RunAgentRow.run == item.run) & RunAgentRow.agent_id.in_(ids),
        ),
    ):
        names.update((id_, name) for id_, name in connection.execute(names_query.where(condition)))
    return [
        {
            "seat": seat["name"],
            "position": position,
            "agent_id": item.cast[seat["name"]],
            "agent_name": names[item.cast[seat["name"]]],
            "persona": seat["persona"]["name"],
        }
        for position, seat in enumerate(content["seats"])
    ]


def _act_columns(act: Act) -> dict[str, Any]:
    generation = act.generation
    columns = {
        "seat": act.seat,
        "kind": act.action.kind.value,
        "text": act.action.text,
        "recipients": list(act.action.to),
        **NO_GENERATION,
    }
    if generation is not None:
        columns |= {name: getattr(generation, name) for name in NO_GENERATION}
        if generation.logprob is not None and math.isnan(generation.logprob):
            columns["logprob"] = None  # SQLite stores NaN as null; the same everywhere
    return columns


def _plan_columns(plan: PlanStep) -> dict[str, Any]:
    return {
        "encoder_id": plan.encoder_id,
        "planner_id": plan.planner_id,
        "noisy": plan.noisy,
        **_vector_columns("state", plan.state),
        **_vector_columns("action", plan.action),
    }


def _vector_columns(name: str, vector: NDArray[np.float32] | None) -> dict[str, Any]:
    if vector is None:
        return {name: None, f"{name}_dtype": None, f"{name}_shape": None}
    little_endian = np.ascontiguousarray(vector).astype(vector.dtype.newbyteorder("<"), copy=False)
    if little_endian.dtype.kind not in "fiu":
        raise ValueError(f"a {name} vector holds numbers, found dtype {vector.dtype}")
    return {
        name: little_endian.tobytes(),
        f"{name}_dtype": little_endian.dtype.str,
        f"{name}_shape": list(vector.shape),
    }


def check_columns(check: CheckResult) -> dict[str, Any]:
    """What a check has found, its value as a number or as a text."""
    number = check.value if isinstance(check.value, (int, float)) else None
    return {
        "name": check.name,
        "holds": check.holds,
        "number": None if number is None else float(number),
        "text": check.value if isinstance(check.value, str) else None,
        "turn": check.turn,
        "error": check.error,
    }
