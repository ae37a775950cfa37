"""Scores for tables and intervals, in batches."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select, tuple_

from store.records import ScoreRow
from store.tables import EpisodeRow, EpisodeSeatRow, JudgementRow, JudgeRow, VerdictRow

BATCH = 1000  # scores held at a time
_ScoreRowKey = tuple[str, str, str]  # judgement id, seat, dimension


def next_score_rows(
    connection: Connection,
    after: _ScoreRowKey | None,
    *,
    judge_id: str | None = None,
    run: str | None = None,
    dimension: str | None = None,
    scenario: str | None = None,
) -> tuple[list[ScoreRow], _ScoreRowKey | None]:
    """Scores by episode, judge, sample, seat and dimension, streamed. Never average over several
    judges (`scenario`: an id).
    """
    key = (VerdictRow.judgement_id, VerdictRow.seat, VerdictRow.dimension)
    columns: dict[str, Any] = {
        "judge_id": JudgementRow.judge_id,
        "judge_name": JudgeRow.name,
        "sample": JudgementRow.sample,
        "run": EpisodeRow.run,
        "scenario_id": EpisodeRow.scenario_id,
        "scenario_name": EpisodeRow.scenario_name,
        "family": EpisodeRow.family,
        "episode_id": EpisodeRow.id,
        "repeat": EpisodeRow.repeat,
        "seat": VerdictRow.seat,
        "agent_id": EpisodeSeatRow.agent_id,
        "agent_name": EpisodeSeatRow.agent_name,
        "dimension": VerdictRow.dimension,
        "score": VerdictRow.score,
        "rescaled": VerdictRow.rescaled,
    }
    query = (
        select(VerdictRow.judgement_id, *(column.label(name) for name, column in columns.items()))
        .join(JudgementRow, JudgementRow.id == VerdictRow.judgement_id)
        .join(JudgeRow, JudgeRow.id == JudgementRow.judge_id)
        .join(EpisodeRow, EpisodeRow.id == JudgementRow.episode_id)
        .join(
            EpisodeSeatRow,
            (EpisodeSeatRow.episode_id == EpisodeRow.id) & (EpisodeSeatRow.seat == VerdictRow.seat),
        )
        .order_by(*key)
        .limit(BATCH)
    )
    filters = {"judge_id": judge_id, "run": run, "dimension": dimension, "scenario_id": scenario}
    query = query.where(*(columns[k] == v for k, v in filters.items() if v is not None))
    if after is not None:
        query = query.where(tuple_(*key) > tuple_(*after))
    rows = connection.execute(query).mappings().all()
    last = rows[-1] if len(rows) == BATCH else None
    return (
        [ScoreRow(**{name: row[name] for name in columns}) for row in rows],
        None if last is None else (last["judgement_id"], last["seat"], last["dimension"]),
    )
