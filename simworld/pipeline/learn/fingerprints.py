"""What stages left, in one text each that changes exactly when it does; None where there is
nothing, or it is damaged. Each takes the context, the stage's label, and the path that it left.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from agents.steering.checkpoint_folder import read_folder
from simworld.core.errors import InputError
from simworld.pipeline.learn.context import PipelineContext
from simworld.training.data.dataset_folder import load_meta


def run_fingerprint(context: PipelineContext, label: str, path: str) -> str | None:
    """Of a run's episodes; None where there are none."""
    summaries = context.store.episode_summaries(run=context.run_name(label))
    rows = sorted((s.item_key, s.attempt, s.ending.value) for s in summaries)
    return _digest(rows) if rows else None


def scores_fingerprint(context: PipelineContext, label: str, path: str) -> str | None:
    """Of the scores that `judge` left a file about, and of how many are not shared out; None where
    there are none.
    """
    try:
        output = json.loads((context.folder / path).read_text("utf-8"))
        run, method, judges = (output[key] for key in ("run", "attribution", "judges"))
    except (OSError, ValueError, KeyError):
        return None
    rows: list[tuple[Any, ...]] = []
    for id_ in judges:
        scores = context.store.score_rows(judge_id=id_, run=run)
        rows += sorted(
            (r.judge_id, r.sample, r.episode_id, r.seat, r.dimension, r.score) for r in scores
        )
        if method is not None:
            rows.append((id_, sum(1 for _ in context.store.unattributed(id_, method, run=run))))
    return _digest(rows) if rows else None


def checkpoint_fingerprint(context: PipelineContext, label: str, path: str) -> str | None:
    """The id of a checkpoint; None where there is none, or a damaged one."""
    try:
        return read_folder(context.folder / path).id
    except InputError:
        return None


def dataset_fingerprint(context: PipelineContext, label: str, path: str) -> str | None:
    """The content hash of a dataset; None where there is none."""
    try:
        return load_meta(context.folder / path).sha256
    except InputError:
        return None


def file_fingerprint(context: PipelineContext, label: str, path: str) -> str | None:
    """Of a file; None where there is none."""
    file = context.folder / path
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else None


def _digest(rows: Any) -> str:
    return hashlib.sha256(repr(rows).encode()).hexdigest()
