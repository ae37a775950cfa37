"""Trainings and what was measured in them, and what judges say about single utterances."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, exists, select, update

from simworld.core.errors import InputError
from simworld.core.judgement import JudgementStatus
from store.inserts import insert_missing, insert_new
from store.records import Attribution, TrainingRecord, TrainingStatus, TrainingStep
from store.tables import (
    AttributionRow,
    EpisodeRow,
    JudgementRow,
    TrainingRow,
    TrainingStepRow,
    table,
)
from store.types import storable_json

BATCH = 1000  # judgements held at a time
FIELDS = tuple(TrainingRecord.__dataclass_fields__)


def begin_training(connection: Connection, training: TrainingRecord) -> bool:
    """Stores a training as running; False where it exists with the same kind, settings and data,
    and goes on.

    Raises:
        InputError: one of this name exists with another kind, settings or data.
    """
    row = {name: getattr(training, name) for name in FIELDS}
    if insert_new(connection, TrainingRow, row | {"status": "running", "finished": None}):
        return True
    here = TrainingRow.name == training.name
    stored = connection.execute(select(table(TrainingRow)).where(here)).mappings().one()
    changed = [
        name for name in ("kind", "settings", "data") if stored[name] != storable_json(row[name])
    ]
    if changed and stored["status"] == "failed" and not training_steps(connection, training.name):
        # It never came to its first measurement, so nothing is lost if the corrected one takes its
        # name.
        connection.execute(
            update(TrainingRow).where(here).values(row | {"status": "running", "finished": None})
        )
        return True
    if changed:
        raise InputError(
            f"a training {training.name!r} exists with other {' and '.join(changed)}; give another"
            " name, or undo the change"
        )
    connection.execute(update(TrainingRow).where(here).values(status="running", finished=None))
    return False


def add_steps(
    connection: Connection, name: str, rows: Iterable[tuple[int, Mapping[str, float]]]
) -> None:
    """Stores (step, metric → value) rows; a number stored before, as after a resume, stays as it
    is.
    """
    insert_missing(
        connection,
        TrainingStepRow,
        [
            {
                "training": name,
                "step": step,
                "metric": metric,
                "value": value if math.isfinite(value) else None,
            }
            for step, metrics in rows
            for metric, value in metrics.items()
        ],
    )


def finish_training(
    connection: Connection,
    name: str,
    *,
    checkpoint_id: str | None = None,
    metrics: Mapping[str, Any] | None = None,
    status: TrainingStatus = "finished",
) -> None:
    """Says how a training ended, and what it wrote."""
    connection.execute(
        update(TrainingRow)
        .where(TrainingRow.name == name)
        .values(
            status=status,
            finished=datetime.now(UTC),
            checkpoint_id=checkpoint_id,
            metrics=dict(metrics or {}),
        )
    )


def training_runs(connection: Connection) -> list[TrainingRecord]:
    """All trainings, oldest first."""
    rows = connection.execute(
        select(table(TrainingRow)).order_by(TrainingRow.created, TrainingRow.name)
    ).mappings()
    return [TrainingRecord(**row) for row in rows]


def training_steps(
    connection: Connection, name: str, *, metric: str | None = None
) -> list[TrainingStep]:
    """What was measured in a training, by step and metric."""
    query = select(TrainingStepRow.step, TrainingStepRow.metric, TrainingStepRow.value)
    query = query.where(TrainingStepRow.training == name)
    if metric is not None:
        query = query.where(TrainingStepRow.metric == metric)
    return [
        TrainingStep(step=step, metric=name_, value=math.nan if value is None else value)
        for step, name_, value in connection.execute(
            query.order_by(TrainingStepRow.step, TrainingStepRow.metric)
        )
    ]


def add_attributions(
    connection: Connection, judgement_id: str, method: str, parts: Sequence[Attribution]
) -> None:
    """Stores what a judge says about the utterances of a judged episode; what is there already
    stays as it is.
    """
    if bad := [part for part in parts if not math.isfinite(part.value)]:
        raise ValueError(f"an attribution is a finite number, found {bad[0]}")
    insert_missing(
        connection,
        AttributionRow,
        [
            {
                "judgement_id": judgement_id,
                "method": method,
                "seat": part.seat,
                "dimension": part.dimension,
                "turn": part.turn,
                "value": part.value,
            }
            for part in parts
        ],
    )


def unattributed(
    connection: Connection,
    after: str | None,
    judge_id: str,
    method: str,
    *,
    run: str | None = None,
) -> tuple[list[tuple[str, str, int]], str | None]:
    """(judgement id, episode id, sample) of a judge's judgements that are ok and have no
    attribution of this method.

    New attributions may be added while this streams.
    """
    there = exists().where(
        AttributionRow.judgement_id == JudgementRow.id, AttributionRow.method == method
    )
    query = (
        select(JudgementRow.id, JudgementRow.episode_id, JudgementRow.sample)
        .where(
            JudgementRow.judge_id == judge_id,
            JudgementRow.status == JudgementStatus.ok.value,
            ~there,
        )
        .where(JudgementRow.id > (after or ""))
    )
    if run is not None:
        query = query.join(EpisodeRow, EpisodeRow.id == JudgementRow.episode_id).where(
            EpisodeRow.run == run
        )
    rows = connection.execute(query.order_by(JudgementRow.id).limit(BATCH))
    batch = [(id_, episode_id, sample) for id_, episode_id, sample in rows]
    return batch, batch[-1][0] if len(batch) == BATCH else None
