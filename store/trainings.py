"""Trainings of planners, and what was measured in them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, select, update

from simworld.core.errors import InputError
from store.column_types import to_storable_json
from store.inserts import insert_missing, insert_new
from store.records import TrainingRecord, TrainingStatus, TrainingStep
from store.tables import TrainingRow, TrainingStepRow, table

TRAINING_FIELDS = tuple(TrainingRecord.__dataclass_fields__)


def begin_training(connection: Connection, training: TrainingRecord) -> bool:
    """Stores a training as running; False where it exists with the same kind, settings and data,
    and goes on.

    Raises:
        InputError: one of this name exists with another kind, settings or data.
    """
    running = {"status": "running", "finished": None}
    row = {name: getattr(training, name) for name in TRAINING_FIELDS} | running
    if insert_new(connection, TrainingRow, row):
        return True
    has_name = TrainingRow.name == training.name
    stored = connection.execute(select(table(TrainingRow)).where(has_name)).mappings().one()
    changed = [
        name for name in ("kind", "settings", "data") if stored[name] != to_storable_json(row[name])
    ]
    if changed and stored["status"] == "failed" and not training_steps(connection, training.name):
        # It never came to its first measurement, so nothing is lost if the corrected one takes its
        # name.
        connection.execute(update(TrainingRow).where(has_name).values(row))
        return True
    if changed:
        raise InputError(
            f"a training {training.name!r} exists with other {' and '.join(changed)}; give another"
            " name, or undo the change"
        )
    connection.execute(update(TrainingRow).where(has_name).values(running))
    return False


def add_training_steps(
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
