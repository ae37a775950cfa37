"""What planners learn from, and their trainings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from store import traces, trainings
from store.database import Database
from store.records import (
    SeatTrace,
    TraceOverview,
    TraceQuery,
    TrainingRecord,
    TrainingStatus,
    TrainingStep,
    UsedAction,
)

BATCH = 64  # episodes held at a time while streaming


class LearningMethods(Database):
    """See `Store`."""

    def traces(self, query: TraceQuery) -> Iterator[SeatTrace]:
        """What seats did, with vectors and scores, by episode id and seat: only seats that have a
        vector that fits. Streamed.
        """
        after = ""
        while True:
            with self._read() as connection:
                batch, after = traces.trace_batch(connection, query, after, BATCH)
            yield from batch
            if not after:
                return

    def earlier_actions(self, episode_id: str, planner_id: str, episodes: int) -> list[UsedAction]:
        """What a planner did in the last so many episodes of the same run that ended before this
        one, the latest episode first.
        """
        with self._read() as connection:
            return traces.earlier_actions(connection, episode_id, planner_id, episodes)

    def trace_overview(self, query: TraceQuery) -> TraceOverview:
        """What `traces` would find, counted without reading a vector."""
        with self._read() as connection:
            return traces.overview(connection, query)

    def begin_training(self, training: TrainingRecord) -> bool:
        """Stores a training as running; False where it exists with the same kind, settings and
        data, and goes on.

        Raises:
            InputError: one of this name exists with another kind, settings or data.
        """
        with self._write("the training was not stored") as connection:
            return trainings.begin_training(connection, training)

    def add_training_steps(
        self, name: str, rows: Iterable[tuple[int, Mapping[str, float]]]
    ) -> None:
        """Stores (step, metric → value) rows; a number stored before, as after a resume, stays as
        it is.
        """
        with self._write("nothing of these steps was stored") as connection:
            trainings.add_steps(connection, name, rows)

    def finish_training(
        self,
        name: str,
        *,
        checkpoint_id: str | None = None,
        metrics: Mapping[str, Any] | None = None,
        status: TrainingStatus = "finished",
    ) -> None:
        """Says how a training ended, and what it wrote."""
        with self._write("the training's end was not stored") as connection:
            trainings.finish_training(connection, name, status, checkpoint_id, metrics or {})

    def training_runs(self) -> list[TrainingRecord]:
        """All trainings, oldest first."""
        with self._read() as connection:
            return trainings.training_runs(connection)

    def training_steps(self, name: str, *, metric: str | None = None) -> list[TrainingStep]:
        """What was measured in a training, by step and metric."""
        with self._read() as connection:
            return trainings.training_steps(connection, name, metric)
