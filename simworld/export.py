"""Whole episodes as files: JSON lines or Parquet, streamed, so that memory stays small however
large the database is.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from simworld.core.episode import Act, CheckResult, PlanStep
from simworld.core.errors import InputError, MissingExtra, StoreError
from store import Store, StoredEpisode, StoredJudgement
from store.episode_writing import check_columns

CHUNK = 64  # episodes held at a time; a Parquet row group


@contextmanager
def new_file(path: Path, *, force: bool) -> Iterator[Path]:
    """A path to write to, which becomes `path` when the block ends well; a half-written file never
    has that name.

    Raises:
        InputError: the file exists and `force` is not set, or there is no such folder.
        StoreError: the disk is full or forbids it.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder; give --out the name of a file, like {path / 'NAME'}")
    if path.exists() and not force:
        raise InputError(f"{path} exists; give another --out, or --force to replace it")
    if not path.parent.is_dir():
        raise InputError(f"{path} cannot be made: no folder {path.parent}")
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(path)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)


def export_jsonl(
    store: Store, out: IO[str], *, run: str | None = None, vectors: bool = False
) -> int:
    """Writes one episode per line, in the order of ids, and returns how many."""
    count = 0
    for record in records(store, run=run, vectors=vectors):
        out.write(
            json.dumps(record, ensure_ascii=False, separators=(",", ":"), allow_nan=False) + "\n"
        )
        count += 1
    return count


def export_parquet(
    store: Store, path: Path, *, run: str | None = None, vectors: bool = False
) -> int:
    """Writes one row per episode, with lists of structs for seats, acts, checks and judgements, and
    returns how many.

    Raises:
        MissingExtra: pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtra("Parquet export", "parquet") from error
    schema = _schema(pa)
    count = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        rows = records(store, run=run, vectors=vectors)
        while chunk := list(islice(rows, CHUNK)):
            writer.write_table(
                pa.Table.from_pylist([_columns(row) for row in chunk], schema=schema)
            )
            count += len(chunk)
    return count


def records(
    store: Store, *, run: str | None = None, vectors: bool = False
) -> Iterator[dict[str, Any]]:
    """Episodes as plain JSON data, in the order of ids."""
    episodes = store.episodes(run=run, vectors=vectors)
    while chunk := list(islice(episodes, CHUNK)):
        judgements = store.judgements_by_episode([stored.id for stored in chunk])
        for stored in chunk:
            yield record(stored, judgements[stored.id])


def record(stored: StoredEpisode, judgements: Sequence[StoredJudgement]) -> dict[str, Any]:
    """One episode with its judgements as plain JSON data; numbers that JSON lacks become null."""
    summary, episode = stored.summary, stored.episode
    keys = ("id", "run", "item_key", "attempt", "scenario_id", "scenario_name", "family", "repeat")
    return {
        **{name: getattr(summary, name) for name in keys},
        "seed": str(summary.seed),  # beyond the whole numbers that JSON readers hold exactly
        "ending": summary.ending.value,
        "reason": summary.reason,
        "failure": asdict(summary.failure) if summary.failure else None,
        "started": summary.started.isoformat(),
        "ended": summary.ended.isoformat(),
        "prompt_tokens": summary.prompt_tokens,
        "new_tokens": summary.new_tokens,
        "code_version": summary.code_version,
        "parent_id": summary.parent_id,
        "seats": [asdict(seat) for seat in summary.seats],
        "turns": [
            {"index": turn.index, "acts": [_act(act) for act in turn.acts]}
            for turn in episode.turns
        ],
        "checks": [_check(check) for check in episode.checks],
        "judgements": [_judgement(judgement) for judgement in judgements],
    }


def _act(act: Act) -> dict[str, Any]:
    generation = act.generation
    return {
        "seat": act.seat,
        "kind": act.action.kind.value,
        "text": act.action.text,
        "to": list(act.action.to),
        "generation": None
        if generation is None
        else asdict(generation)
        | {"seed": str(generation.seed), "logprob": _finite(generation.logprob)},
        "plan": None if act.plan is None else _plan(act.plan),
    }


def _plan(plan: PlanStep) -> dict[str, Any]:
    return {
        "encoder_id": plan.encoder_id,
        "planner_id": plan.planner_id,
        "noisy": plan.noisy,
        "state": _numbers(plan.state),
        "action": None if plan.action is None else _numbers(plan.action),
    }


def _numbers(vector: NDArray[np.float32]) -> list[float | None]:
    return [_finite(float(number)) for number in vector.ravel()]


def _check(check: CheckResult) -> dict[str, Any]:
    columns = check_columns(check)
    return columns | {"number": _finite(columns["number"])}


def _judgement(stored: StoredJudgement) -> dict[str, Any]:
    judgement = stored.judgement
    return {
        "judge_id": judgement.judge_id,
        "judge_name": stored.judge_name,
        "sample": judgement.sample,
        "attempt": stored.attempt,
        "status": judgement.status.value,
        "failure": asdict(judgement.failure) if judgement.failure else None,
        "rubric_id": judgement.rubric_id,
        "model_id": judgement.model_id,
        "reply": judgement.reply,
        "verdicts": [
            {
                "seat": verdict.seat,
                "dimension": verdict.dimension,
                "score": verdict.score,
                "rescaled": stored.rescaled[verdict.seat, verdict.dimension],
                "reasoning": verdict.reasoning,
                "raw": [
                    {"name": name, "value": _finite(value)} for name, value in verdict.raw.items()
                ],
            }
            for verdict in judgement.verdicts
        ],
    }


def _finite(number: float | None) -> float | None:
    return number if number is not None and np.isfinite(number) else None


def _columns(row: dict[str, Any]) -> dict[str, Any]:
    """A record as Parquet wants it: acts in one list, each with its turn."""
    acts = [act | {"turn": turn["index"]} for turn in row["turns"] for act in turn["acts"]]
    rest = {name: value for name, value in row.items() if name != "turns"}
    return rest | {"turns": len(row["turns"]), "acts": acts}


def _schema(pa: Any) -> Any:
    """The Parquet file's columns; written out, so that an empty or unusual batch gives the same
    file.
    """
    text, whole, real, yes = pa.string(), pa.int64(), pa.float64(), pa.bool_()

    def struct(**fields: Any) -> Any:
        return pa.struct(list(fields.items()))

    def texts(*names: str) -> dict[str, Any]:
        return dict.fromkeys(names, text)

    failure = struct(**texts("boundary", "kind", "message"))
    generation = struct(
        **texts("model_id", "dtype", "prompt_version", "seed"),
        prompt_tokens=whole,
        new_tokens=whole,
        latency_s=real,
        logprob=real,
        **texts("finish", "raw"),
        asks=whole,
        dropped_events=whole,
        reasoning_tokens=whole,
    )
    vector = pa.list_(pa.float32())
    plan = struct(**texts("encoder_id", "planner_id"), noisy=yes, state=vector, action=vector)
    act = struct(
        turn=whole,
        **texts("seat", "kind", "text"),
        to=pa.list_(text),
        generation=generation,
        plan=plan,
    )
    check = struct(name=text, holds=yes, number=real, text=text, turn=whole, error=text)
    raw = pa.list_(struct(name=text, value=real))
    verdict = struct(seat=text, dimension=text, score=real, rescaled=real, reasoning=text, raw=raw)
    judgement = struct(
        **texts("judge_id", "judge_name"),
        sample=whole,
        attempt=whole,
        status=text,
        failure=failure,
        **texts("rubric_id", "model_id", "reply"),
        verdicts=pa.list_(verdict),
    )
    columns = {
        **texts("id", "run", "item_key"),
        "attempt": whole,
        **texts("scenario_id", "scenario_name", "family"),
        "repeat": whole,
        **texts("seed", "ending", "reason"),
        "failure": failure,
        **texts("started", "ended"),
        "prompt_tokens": whole,
        "new_tokens": whole,
        **texts("code_version", "parent_id"),
        "seats": pa.list_(struct(**texts("seat", "agent_id", "agent_name", "persona"))),
        "turns": whole,
        "acts": pa.list_(act),
        "checks": pa.list_(check),
        "judgements": pa.list_(judgement),
    }
    return pa.schema(list(columns.items()))
