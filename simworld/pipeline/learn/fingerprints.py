"""What stages left, in one text each that changes exactly when it does; None where there is
nothing, or it is damaged.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from agents.steering.checkpoint_folder import read_folder
from simworld.core.errors import InputError
from simworld.training.data.dataset_folder import load_meta
from store import Store


def run_content(store: Store, run: str) -> str | None:
    """Of a run's episodes; None where there are none."""
    rows = sorted((s.item_key, s.attempt, s.ending.value) for s in store.summaries(run=run))
    return _digest(rows) if rows else None


def judged_content(store: Store, file: Path) -> str | None:
    """Of the scores that `judge` left a file about, and of how many are not shared out; None where
    there are none.
    """
    try:
        made = json.loads(file.read_text("utf-8"))
        run, method, judges = made["run"], made["attribution"], made["judges"]
    except (OSError, ValueError, KeyError):
        return None
    rows: list[tuple[Any, ...]] = []
    for id_ in judges:
        found = store.scores(judge_id=id_, run=run)
        rows += sorted(
            (r.judge_id, r.sample, r.episode_id, r.seat, r.dimension, r.score) for r in found
        )
        if method is not None:
            rows.append((id_, sum(1 for _ in store.unattributed(id_, method, run=run))))
    return _digest(rows) if rows else None


def checkpoint_content(folder: Path) -> str | None:
    """The id of a checkpoint; None where there is none, or a damaged one."""
    try:
        return read_folder(folder).id
    except InputError:
        return None


def dataset_content(folder: Path) -> str | None:
    """The content hash of a dataset; None where there is none."""
    try:
        return load_meta(folder).sha256
    except InputError:
        return None


def file_content(file: Path) -> str | None:
    """Of a file; None where there is none."""
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else None


def _digest(rows: Any) -> str:
    return hashlib.sha256(repr(rows).encode()).hexdigest()
