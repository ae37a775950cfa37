"""What seats did, with vectors and scores: streamed in batches of episodes, for learning."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    exists,
    func,
    or_,
    select,
)

from simworld.core.episode import ActionKind, Ending
from simworld.core.judgement import JudgementStatus
from store.episode_reading import decode_vector, ended_before, read_plan
from store.records import (
    JudgementScores,
    SeatTrace,
    TracedAct,
    TraceOverview,
    TraceQuery,
    UsedAction,
    VectorKind,
)
from store.tables import (
    ActRow,
    AttributionRow,
    EpisodeRow,
    EpisodeSeatRow,
    JudgementRow,
    PlanStepRow,
    VerdictRow,
    table,
)

EPISODE_FIELDS = ("run", "scenario_id", "scenario_name", "family")
BATCH = 64  # episodes held at a time while streaming
FINGERPRINT_ROWS = 10_000


def next_traces(
    connection: Connection, after: str | None, query: TraceQuery
) -> tuple[list[SeatTrace], str | None]:
    """What seats did, with vectors and scores, by episode id and seat: only seats that have a
    vector that fits. Streamed.
    """
    episodes = connection.execute(
        _select_episodes(query)
        .where(EpisodeRow.id > (after or ""))
        .order_by(EpisodeRow.id)
        .limit(BATCH)
    )
    rows = {row["id"]: row for row in episodes.mappings()}
    if not rows:
        return [], None
    ids = list(rows)
    seats = connection.execute(
        select(table(EpisodeSeatRow))
        .where(EpisodeSeatRow.episode_id.in_(ids), _is_agent(query))
        .order_by(EpisodeSeatRow.episode_id, EpisodeSeatRow.position)
    )
    acts = _acts_by_seat(connection, query, ids)
    scores = _scores_by_seat(connection, ids)
    batch = []
    for seat in seats.mappings():
        episode, key = rows[seat["episode_id"]], (seat["episode_id"], seat["seat"])
        if any(act.plan is not None for act in acts[key]):
            batch.append(
                SeatTrace(
                    episode_id=episode["id"],
                    **{name: episode[name] for name in EPISODE_FIELDS},
                    ending=Ending(episode["ending"]),
                    **{name: seat[name] for name in ("seat", "agent_id", "agent_name")},
                    acts=tuple(acts[key]),
                    scores=tuple(scores[key]),
                )
            )
    return batch, ids[-1] if len(ids) == BATCH else None


def earlier_actions(
    connection: Connection, episode_id: str, planner_id: str, episodes: int
) -> list[UsedAction]:
    """What a planner did in the last so many episodes of the same run that ended before this one,
    the latest episode first.
    """
    same_run = select(EpisodeRow.run).where(EpisodeRow.id == episode_id).scalar_subquery()
    used_planner = exists().where(
        PlanStepRow.episode_id == EpisodeRow.id, PlanStepRow.planner_id == planner_id
    )
    latest = (
        select(EpisodeRow.id, EpisodeRow.ended)
        .where(EpisodeRow.run == same_run, ended_before(episode_id), used_planner)
        .order_by(EpisodeRow.ended.desc(), EpisodeRow.id.desc())
        .limit(episodes)
        .subquery()
    )
    rows = connection.execute(
        select(
            PlanStepRow.episode_id,
            PlanStepRow.turn,
            ActRow.seat,
            ActRow.text,
            PlanStepRow.noisy,
            PlanStepRow.action,
            PlanStepRow.action_dtype,
            PlanStepRow.action_shape,
        )
        .join(latest, latest.c.id == PlanStepRow.episode_id)
        .join(ActRow, _same_act())
        .where(PlanStepRow.planner_id == planner_id, PlanStepRow.action.is_not(None))
        .order_by(
            latest.c.ended.desc(), PlanStepRow.episode_id, PlanStepRow.turn, PlanStepRow.position
        )
    ).mappings()
    fields = ("episode_id", "turn", "seat", "text", "noisy")
    return [
        UsedAction(**{name: row[name] for name in fields}, action=action)
        for row in rows
        if (action := decode_vector(row, "action")) is not None
    ]


def trace_overview(connection: Connection, query: TraceQuery) -> TraceOverview:
    """What `next_traces` would find, counted without reading a vector."""
    endings = (
        select(EpisodeRow.ending, func.count())
        .where(*_conditions(query))
        .group_by(EpisodeRow.ending)
    )
    episodes = _select_episodes(query).with_only_columns(EpisodeRow.id).subquery()
    steps = (
        select(table(PlanStepRow))
        .join(episodes, episodes.c.id == PlanStepRow.episode_id)
        .join(ActRow, _same_act())
        .join(
            EpisodeSeatRow,
            and_(
                EpisodeSeatRow.episode_id == ActRow.episode_id, EpisodeSeatRow.seat == ActRow.seat
            ),
        )
        .where(_is_agent(query), *_plan_filters(query))
    )

    def count_acts(*columns: Any) -> Any:
        return connection.execute(
            steps.with_only_columns(*columns, func.count()).group_by(*columns)
        )

    kinds = count_acts(
        PlanStepRow.encoder_id,
        PlanStepRow.state_dtype,
        PlanStepRow.state_shape,
        PlanStepRow.action_dtype,
        PlanStepRow.action_shape,
    )
    dtypes = _count_by_name(count_acts(ActRow.dtype))
    judge_counts = connection.execute(
        select(JudgementRow.judge_id, func.count(JudgementRow.episode_id.distinct()))
        .join(episodes, episodes.c.id == JudgementRow.episode_id)
        .where(JudgementRow.status == JudgementStatus.ok.value)
        .group_by(JudgementRow.judge_id)
    )
    return TraceOverview(
        endings={Ending(ending): count for ending, count in connection.execute(endings)},
        kinds=tuple(
            VectorKind(
                encoder_id=encoder,
                state_dtype=state_dtype,
                state_shape=tuple(state_shape),
                action_dtype=action_dtype,
                action_shape=None if action_shape is None else tuple(action_shape),
                acts=count,
            )
            for encoder, state_dtype, state_shape, action_dtype, action_shape, count in kinds
        ),
        planners=_count_by_name(count_acts(PlanStepRow.planner_id)),
        dtypes={dtype: acts for dtype, acts in dtypes.items() if dtype is not None},
        judges=_count_by_name(judge_counts),
        fingerprint=_fingerprint(connection, query),
    )


def _count_by_name(rows: Iterable[Any]) -> dict[str, int]:
    return {name: count for name, count in rows}  # noqa: C416 - a row is no tuple to mypy


def _fingerprint(connection: Connection, query: TraceQuery) -> str:
    """Episodes and judgements never change once stored, so their ids stand for their content;
    attributions are only added.
    """
    counts = (
        select(AttributionRow.judgement_id, func.count().label("parts"))
        .group_by(AttributionRow.judgement_id)
        .subquery()
    )
    is_ok = and_(
        JudgementRow.episode_id == EpisodeRow.id, JudgementRow.status == JudgementStatus.ok.value
    )
    rows = (
        _select_episodes(query)
        .with_only_columns(EpisodeRow.id, JudgementRow.id, counts.c.parts)
        .join(JudgementRow, is_ok, isouter=True)
        .join(counts, counts.c.judgement_id == JudgementRow.id, isouter=True)
        .order_by(EpisodeRow.id, JudgementRow.id)
    )
    digest = hashlib.sha256()
    with connection.execution_options(yield_per=FINGERPRINT_ROWS).execute(rows) as result:
        for episode, judgement, count in result:
            digest.update(f"{episode} {judgement or ''} {count or 0}\n".encode())
    return digest.hexdigest()


def _conditions(query: TraceQuery) -> list[ColumnElement[bool]]:
    """What restricts episodes, whatever their ending and vectors."""
    conditions: list[ColumnElement[bool]] = []
    if query.runs:
        conditions.append(EpisodeRow.run.in_(query.runs))
    if query.scenarios:
        conditions.append(
            or_(
                EpisodeRow.scenario_name.in_(query.scenarios),
                EpisodeRow.scenario_id.in_(query.scenarios),
            )
        )
    if query.families:
        conditions.append(EpisodeRow.family.in_(query.families))
    if query.since is not None:
        conditions.append(EpisodeRow.ended >= query.since)
    if query.until is not None:
        conditions.append(EpisodeRow.ended < query.until)
    if query.agents:
        conditions.append(
            exists().where(EpisodeSeatRow.episode_id == EpisodeRow.id, _is_agent(query))
        )
    return conditions


def _same_act() -> ColumnElement[bool]:
    return and_(
        ActRow.episode_id == PlanStepRow.episode_id,
        ActRow.turn == PlanStepRow.turn,
        ActRow.position == PlanStepRow.position,
    )


def _is_agent(query: TraceQuery) -> ColumnElement[bool]:
    is_agent = or_(
        EpisodeSeatRow.agent_name.in_(query.agents), EpisodeSeatRow.agent_id.in_(query.agents)
    )
    return is_agent if query.agents else EpisodeSeatRow.seat.is_not(None)


def _plan_filters(query: TraceQuery) -> list[ColumnElement[bool]]:
    return [
        or_(*(column.startswith(id_, autoescape=True) for id_ in ids))
        for column, ids in (
            (PlanStepRow.encoder_id, query.encoders),
            (PlanStepRow.planner_id, query.planners),
        )
        if ids
    ]


def _select_episodes(query: TraceQuery) -> Select[Any]:
    """Episodes that match, did not fail, and have a vector that fits."""
    has_vector = exists().where(PlanStepRow.episode_id == EpisodeRow.id, *_plan_filters(query))
    return select(table(EpisodeRow)).where(
        *_conditions(query), EpisodeRow.ending != Ending.failed.value, has_vector
    )


def _acts_by_seat(
    connection: Connection, query: TraceQuery, ids: Sequence[str]
) -> dict[tuple[str, str], list[TracedAct]]:
    steps = connection.execute(
        select(table(PlanStepRow)).where(PlanStepRow.episode_id.in_(ids), *_plan_filters(query))
    ).mappings()
    plans = {(row["episode_id"], row["turn"], row["position"]): read_plan(row) for row in steps}
    rows = connection.execute(
        select(
            ActRow.episode_id, ActRow.turn, ActRow.position, ActRow.seat, ActRow.kind, ActRow.text
        )
        .where(ActRow.episode_id.in_(ids))
        .order_by(ActRow.episode_id, ActRow.turn, ActRow.position)
    )
    by_seat: dict[tuple[str, str], list[TracedAct]] = defaultdict(list)
    for episode, turn, position, seat, kind, text in rows:
        plan = plans.get((episode, turn, position))
        by_seat[episode, seat].append(
            TracedAct(turn=turn, kind=ActionKind(kind), text=text, plan=plan)
        )
    return by_seat


def _scores_by_seat(
    connection: Connection, ids: Sequence[str]
) -> dict[tuple[str, str], list[JudgementScores]]:
    is_ok = and_(JudgementRow.episode_id.in_(ids), JudgementRow.status == JudgementStatus.ok.value)
    judgements = connection.execute(
        select(JudgementRow.id, JudgementRow.episode_id, JudgementRow.judge_id, JudgementRow.sample)
        .where(is_ok)
        .order_by(JudgementRow.judge_id, JudgementRow.sample)
    ).mappings()
    verdicts = connection.execute(
        select(VerdictRow.judgement_id, VerdictRow.seat, VerdictRow.dimension, VerdictRow.rescaled)
        .join(JudgementRow, JudgementRow.id == VerdictRow.judgement_id)
        .where(is_ok)
        .order_by(VerdictRow.position)
    )
    rescaled: dict[str, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for judgement, seat, dimension, value in verdicts:
        rescaled[judgement][seat][dimension] = value
    attribution_rows = connection.execute(
        select(table(AttributionRow))
        .join(JudgementRow, JudgementRow.id == AttributionRow.judgement_id)
        .where(is_ok)
        .order_by(AttributionRow.turn)
    ).mappings()
    attributions: dict[tuple[str, str], dict[tuple[str, str], dict[int, float]]] = defaultdict(
        lambda: defaultdict(dict)
    )
    for row in attribution_rows:
        by_turn = attributions[row["judgement_id"], row["seat"]][row["method"], row["dimension"]]
        by_turn[row["turn"]] = row["value"]
    by_seat: dict[tuple[str, str], list[JudgementScores]] = defaultdict(list)
    for row in judgements:
        for seat, values in rescaled[row["id"]].items():
            by_seat[row["episode_id"], seat].append(
                JudgementScores(
                    judgement_id=row["id"],
                    judge_id=row["judge_id"],
                    sample=row["sample"],
                    rescaled=values,
                    attributions=dict(attributions[row["id"], seat]),
                )
            )
    return by_seat
