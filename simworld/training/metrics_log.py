"""A training's metrics go to the store's table, and to TensorBoard where it is installed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from simworld.core.errors import MissingExtra
from simworld.core.progress import MetricsSink
from store import Store, TrainingRecord


def new_training_record(
    name: str, kind: str, code_version: str, settings: Mapping[str, Any], data: Mapping[str, Any]
) -> TrainingRecord:
    """Gives the record of a training that begins now."""
    return TrainingRecord(
        name=name,
        kind=kind,
        code_version=code_version,
        created=datetime.now(UTC),
        settings=settings,
        data=data,
    )


@contextmanager
def log_to_store(store: Store, training: TrainingRecord) -> Iterator[MetricsSink]:
    """Gives a sink into the store's table under the training's name; a training that fails is
    marked as failed, one that is interrupted stays open.

    Metrics that are there already stay as they are. Raises InputError where the name belongs to
    another training.
    """
    store.begin_training(training)
    try:
        yield lambda step, metrics: store.add_training_steps(training.name, [(step, metrics)])
    except Exception:
        store.finish_training(training.name, status="failed")
        raise


@contextmanager
def log_to_tensorboard(folder: Path) -> Iterator[MetricsSink]:
    """Gives a sink that writes scalars for TensorBoard. Raises MissingExtra where it is not
    installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise MissingExtra("--tensorboard", "tensorboard") from None
    with SummaryWriter(str(folder)) as writer:

        def add(step: int, metrics: Mapping[str, float]) -> None:
            for name, value in metrics.items():
                writer.add_scalar(name, value, step)

        yield add
