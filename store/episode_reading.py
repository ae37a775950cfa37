"""Reading episodes back: whole ones in batches of a few, so that memory stays small however large
the database is.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    and_,
    exists,
    func,
    or_,
    select,
    tuple_,
)

from simworld.core.counts import counted
from simworld.core.engine import failed_seat
from simworld.core.episode import (
    Act,
    Action,
    ActionKind,
    CheckResult,
    Ending,
    Episode,
    Generation,
    PlanStep,
    Turn,
)
from simworld.core.errors import InputError, StoreDamaged
from simworld.core.scenario import SCENARIO_ID_VERSION
from store.inserts import read_failure
from store.records import EpisodeSummary, SeatRecord, StoredEpisode
from store.scenario_json import scenario_from_row
from store.tables import (
    ActRow,
    AgentRow,
    Base,
    CheckRow,
    EpisodeRow,
    EpisodeSeatRow,
    PlanStepRow,
    RunAgentRow,
    ScenarioRow,
    table,
)
from store.unknown_names import no_episode_error

SCENARIO_ID = re.compile(rf"{SCENARIO_ID_VERSION}-[0-9a-f]{{32}}")
GENERATION = tuple(Generation.__dataclass_fields__)
MAX_EMPTY_TURNS = 10_000  # turns without an act in one episode
BATCH = 64  # whole episodes held at a time while streaming
ID_BATCH = 1000  # ids held at a time


def select_episodes(
    *,
    run: str | None = None,
    ending: Ending | None = None,
    scenario: str | None = None,
    agent: str | None = None,
    family: str | None = None,
) -> Select[Any]:
    """Episodes that fit all the filters given; `scenario` is a name or an id, `agent` too, in any
    seat.
    """
    ending_text = None if ending is None else ending.value
    filters = ((EpisodeRow.run, run), (EpisodeRow.ending, ending_text), (EpisodeRow.family, family))
    query = select(table(EpisodeRow)).where(*(c == v for c, v in filters if v is not None))
    if scenario is not None:  # one column or the other, for an index serves no choice between two
        column = (
            EpisodeRow.scenario_id if SCENARIO_ID.fullmatch(scenario) else EpisodeRow.scenario_name
        )
        query = query.where(column == scenario)
    if agent is not None:
        named = or_(EpisodeSeatRow.agent_name == agent, EpisodeSeatRow.agent_id == agent)
        query = query.where(exists().where(and_(EpisodeSeatRow.episode_id == EpisodeRow.id, named)))
    return query


def only_run_of_agent(connection: Connection, agent: str) -> str | None:
    """The one run that names an agent, by name or id; None where several do, or none.

    Raises LookupError where there is no such agent at all: whoever looks for it would look through
    everything.
    """
    named = or_(RunAgentRow.agent_name == agent, RunAgentRow.agent_id == agent)
    runs = (
        connection.execute(select(RunAgentRow.run).where(named).distinct().limit(2)).scalars().all()
    )
    if not runs:
        agent_exists = exists().where(or_(AgentRow.name == agent, AgentRow.id == agent))
        if not connection.execute(select(agent_exists)).scalar_one():
            raise LookupError(agent)
    return runs[0] if len(runs) == 1 else None


def ended_before(episode_id: str) -> ColumnElement[bool]:
    """Episodes that ended before this one, or at once and with a lower id; none where there is no
    such id.
    """
    ended = select(EpisodeRow.ended).where(EpisodeRow.id == episode_id).scalar_subquery()
    return tuple_(EpisodeRow.ended, EpisodeRow.id) < tuple_(ended, episode_id)


def next_ids(
    connection: Connection, after: str | None, *conditions: ColumnElement[bool]
) -> tuple[list[str], str | None]:
    """Ids of the next episodes that fit the conditions, and the cursor of the batch after them."""
    query = select(EpisodeRow.id).where(EpisodeRow.id > (after or ""), *conditions)
    ids = list(connection.execute(query.order_by(EpisodeRow.id).limit(ID_BATCH)).scalars())
    return ids, ids[-1] if len(ids) == ID_BATCH else None


def next_episodes(
    connection: Connection,
    after: tuple[str, int] | None,
    *,
    run: str | None = None,
    ending: Ending | None = None,
    scenario: str | None = None,
    agent: str | None = None,
    family: str | None = None,
    limit: int | None = None,
    vectors: bool = True,
) -> tuple[list[StoredEpisode], tuple[str, int] | None]:
    """Whole episodes by id, streamed; `scenario` and `agent` are names or ids; without `vectors`
    plans are left out.

    Each batch is a transaction of its own: an episode that is committed meanwhile appears if its id
    is still to come.
    """
    last_id, count = after or ("", 0)
    size = BATCH if limit is None else max(0, min(BATCH, limit - count))
    query = select_episodes(run=run, ending=ending, scenario=scenario, agent=agent, family=family)
    query = query.where(EpisodeRow.id > last_id).order_by(EpisodeRow.id).limit(size)
    episodes = _load_all(connection, connection.execute(query).mappings().all(), vectors)
    count += len(episodes)
    is_last = len(episodes) < BATCH or count == limit
    return episodes, None if is_last else (episodes[-1].id, count)


def episode_summaries(
    connection: Connection,
    *,
    run: str | None = None,
    ending: Ending | None = None,
    scenario: str | None = None,
    agent: str | None = None,
    family: str | None = None,
    limit: int | None = None,
    before: str | None = None,
) -> list[EpisodeSummary]:
    """The latest `limit` episodes without their turns, in the order in which they ended; only those
    before the id `before`.
    """
    if agent is not None and run is None:
        try:
            run = only_run_of_agent(connection, agent)
        except LookupError:
            return []
    query = select_episodes(run=run, ending=ending, scenario=scenario, agent=agent, family=family)
    if before is not None:
        query = query.where(ended_before(before))
    query = query.order_by(EpisodeRow.ended.desc(), EpisodeRow.id.desc()).limit(limit)
    rows = connection.execute(query).mappings().all()
    return [
        summary
        for start in range(0, len(rows), ID_BATCH)
        for summary in _summarise(connection, rows[start : start + ID_BATCH])
    ][::-1]


def summaries_by_id(connection: Connection, ids: Sequence[str]) -> Mapping[str, EpisodeSummary]:
    """Episode id → its summary, for up to a thousand ids; those that are not there are left out."""
    rows = connection.execute(select_episodes().where(EpisodeRow.id.in_(ids))).mappings().all()
    return {summary.id: summary for summary in _summarise(connection, rows)}


def episode_size(connection: Connection, id_or_prefix: str) -> tuple[int, int]:
    """Acts of the first episode whose id begins so, and characters of what was said and done in
    it.
    """
    first_id = select(func.min(EpisodeRow.id)).where(
        EpisodeRow.id >= id_or_prefix, EpisodeRow.id < f"{id_or_prefix}g"
    )
    query = select(func.count(), func.coalesce(func.sum(func.length(ActRow.text)), 0))
    acts, characters = connection.execute(
        query.where(ActRow.episode_id == first_id.scalar_subquery())
    ).one()
    return int(acts), int(characters)


def find_episode(
    connection: Connection, id_or_prefix: str, *, vectors: bool = True
) -> StoredEpisode:
    """The episode whose id is or begins with this; raises InputError where none or several do."""
    prefix = id_or_prefix
    if not prefix or not set(prefix) <= set("0123456789abcdef"):
        raise no_episode_error(connection, prefix)
    rows = connection.execute(
        select(table(EpisodeRow))
        # unlike LIKE, a range uses the key's index
        .where(EpisodeRow.id >= prefix, EpisodeRow.id < prefix + "g")
        .order_by(EpisodeRow.id)
        .limit(4)
    )
    matches = rows.mappings().all()
    if not matches:
        raise no_episode_error(connection, prefix)
    if len(matches) > 1:
        shown = ", ".join(row["id"] for row in matches[:3]) + (", …" if len(matches) > 3 else "")
        raise InputError(f"several episodes begin with {prefix}: {shown}; give more of the id")
    return _load_all(connection, matches, vectors)[0]


def _summarise(connection: Connection, rows: Sequence[RowMapping]) -> list[EpisodeSummary]:
    """Summaries of episode rows, in their order."""
    seats = _part_rows(connection, EpisodeSeatRow, [row["id"] for row in rows], "position")
    failed = _failed_seats(connection, [row for row in rows if row["failure_kind"] is not None])
    return [_summary(row, seats[row["id"]], failed.get(row["id"])) for row in rows]


def _load_all(
    connection: Connection, rows: Sequence[RowMapping], vectors: bool
) -> list[StoredEpisode]:
    """Episodes with all their parts, in the order of their rows; without `vectors` plans are left
    out.
    """
    ids = [row["id"] for row in rows]
    acts = _part_rows(connection, ActRow, ids, "turn", "position")
    plans = _part_rows(connection, PlanStepRow, ids) if vectors else defaultdict(list)
    checks = _part_rows(connection, CheckRow, ids, "position")
    return [
        StoredEpisode(
            summary=summary,
            episode=_episode(summary, acts[summary.id], plans[summary.id], checks[summary.id]),
        )
        for summary in _summarise(connection, rows)
    ]


def _part_rows(
    connection: Connection, row_type: type[Base], ids: Sequence[str], *order_columns: str
) -> dict[str, list[RowMapping]]:
    rows_by_episode: dict[str, list[RowMapping]] = defaultdict(list)
    if ids:
        part_table = table(row_type)
        query = (
            select(part_table)
            .where(part_table.c.episode_id.in_(ids))
            .order_by(*(part_table.c[name] for name in order_columns))
        )
        for row in connection.execute(query).mappings():
            rows_by_episode[row["episode_id"]].append(row)
    return rows_by_episode


def _failed_seats(connection: Connection, rows: Sequence[RowMapping]) -> dict[str, str | None]:
    """Episode id → the seat whose failure ended it, which the acts before it tell; `rows` are those
    of failed episodes.
    """
    if not rows:
        return {}
    columns = (ActRow.episode_id, ActRow.turn, ActRow.seat, ActRow.kind)
    query = (
        select(*columns)
        .where(ActRow.episode_id.in_([row["id"] for row in rows]))
        .order_by(ActRow.turn)
    )
    turns: dict[str, dict[int, list[Act]]] = defaultdict(lambda: defaultdict(list))
    for id_, turn, seat, kind in connection.execute(query):
        turns[id_][turn].append(Act(seat=seat, action=Action(kind=ActionKind(kind))))
    played = select(table(ScenarioRow)).where(
        ScenarioRow.id.in_({row["scenario_id"] for row in rows})
    )
    scenarios = {row["id"]: scenario_from_row(row) for row in connection.execute(played).mappings()}
    return {
        row["id"]: failed_seat(
            scenarios[row["scenario_id"]],
            [Turn(index=index, acts=tuple(acts)) for index, acts in turns[row["id"]].items()],
            row["seed"],
        )
        for row in rows
    }


def _summary(row: RowMapping, seats: Sequence[RowMapping], failed: str | None) -> EpisodeSummary:
    records = [
        SeatRecord(**{name: seat[name] for name in SeatRecord.__dataclass_fields__})
        for seat in seats
    ]
    return EpisodeSummary(
        **{name: row[name] for name in _COPIED},
        ending=Ending(row["ending"]),
        failure=read_failure(row),
        seats=tuple(records),
        failed_seat=next((seat for seat in records if seat.seat == failed), None),
    )


_DERIVED = ("ending", "failure", "seats", "failed_seat")
_COPIED = tuple(name for name in EpisodeSummary.__dataclass_fields__ if name not in _DERIVED)


def _episode(
    summary: EpisodeSummary,
    acts: Sequence[RowMapping],
    plans: Sequence[RowMapping],
    checks: Sequence[RowMapping],
) -> Episode:
    plan_at = {(row["turn"], row["position"]): read_plan(row) for row in plans}
    # else memory would be filled with turns in which nothing happened
    if summary.turns > len(acts) + MAX_EMPTY_TURNS:
        raise StoreDamaged(
            f"episode {summary.id} is damaged: table episodes says turns={summary.turns}, "
            f"table acts holds {counted(len(acts), 'act')}; "
            "correct the number, or restore the database from a copy"
        )
    by_turn: dict[int, list[Act]] = defaultdict(list)
    for row in acts:
        by_turn[row["turn"]].append(_build_act(row, plan_at.get((row["turn"], row["position"]))))
    return Episode(
        scenario_id=summary.scenario_id,
        cast={seat.seat: seat.agent_id for seat in summary.seats},
        seed=summary.seed,
        turns=tuple(
            Turn(index=index, acts=tuple(by_turn[index])) for index in range(summary.turns)
        ),
        ending=summary.ending,
        reason=summary.reason,
        checks=tuple(_build_check(row) for row in checks),
        failure=summary.failure,
    )


def _build_act(row: RowMapping, plan: PlanStep | None) -> Act:
    generation = (
        None if row["model_id"] is None else Generation(**{name: row[name] for name in GENERATION})
    )
    # an empty mapping would make a private act a public one
    if not isinstance(row["recipients"], list):
        raise TypeError(f"recipients in episode {row['episode_id']} are not a list")
    action = Action(kind=ActionKind(row["kind"]), text=row["text"], to=tuple(row["recipients"]))
    return Act(seat=row["seat"], action=action, generation=generation, plan=plan)


def read_plan(row: RowMapping) -> PlanStep:
    """The vectors in a row of the table `plan_steps`."""
    state = decode_vector(row, "state")
    if state is None:
        raise TypeError(f"plan step without a state in episode {row['episode_id']}")
    return PlanStep(
        state=state,
        action=decode_vector(row, "action"),
        encoder_id=row["encoder_id"],
        planner_id=row["planner_id"],
        noisy=row["noisy"],
    )


def decode_vector(row: RowMapping, name: str) -> NDArray[np.float32] | None:
    """The array in a row's blob of this name, read-only; None where there is none."""
    if row[name] is None:
        return None
    array: NDArray[np.float32] = np.frombuffer(row[name], dtype=np.dtype(row[f"{name}_dtype"]))
    return array.reshape(row[f"{name}_shape"])


def _build_check(row: RowMapping) -> CheckResult:
    value = row["text"] if row["number"] is None else row["number"]
    return CheckResult(
        name=row["name"], holds=row["holds"], value=value, turn=row["turn"], error=row["error"]
    )
