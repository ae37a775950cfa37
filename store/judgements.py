"""Writing and reading judgements; a failed one gives way only to a retry, and its failure is
kept.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, delete, exists, select, true, update

from simworld.core.episode import Ending
from simworld.core.errors import Failure
from simworld.core.judgement import Judgement, JudgementStatus, Verdict
from simworld.core.measures import rubric_json_of
from store.cells.cell_updates import enter_judgement
from store.episode_reading import next_ids
from store.inserts import failure_columns, insert_all, insert_missing, insert_new, read_failure
from store.records import JudgeRecord, StoredJudgement
from store.tables import EpisodeRow, JudgementRow, JudgeRow, VerdictRow, table

Rescaled = Mapping[tuple[str, str], float]
COPIED = ("rubric_id", "model_id", "dtype", "prompt_tokens", "new_tokens", "latency_s", "reply")


def add_judge(connection: Connection, judge_id: str, name: str, spec: Mapping[str, Any]) -> None:
    """Stores a judge; no change if it is there already."""
    insert_missing(connection, JudgeRow, [{"id": judge_id, "name": name, "spec": spec}])


def record_judge_check(
    connection: Connection,
    judge_id: str,
    name: str,
    spec: Mapping[str, Any],
    measured: Mapping[str, Any],
) -> None:
    """Stores a judge if it is not there, and with it what its last check came to, under `measured`
    in its spec.
    """
    add_judge(connection, judge_id, name, spec)
    select_spec = select(JudgeRow.spec).where(JudgeRow.id == judge_id).with_for_update()
    spec = {**connection.execute(select_spec).scalar_one(), "measured": dict(measured)}
    connection.execute(update(JudgeRow).where(JudgeRow.id == judge_id).values(spec=spec))


def add_judgement(
    connection: Connection,
    judgement: Judgement,
    rescaled: Rescaled,
    *,
    replace_failed: bool = False,
) -> bool:
    """Stores a judgement whole; False, and no change, if this judge's sample of this episode is
    there already.

    Args:
        connection: of the database.
        judgement: of a stored episode by a stored judge.
        rescaled: (seat, dimension) → the verdict's share of its range, 0 to 1.
        replace_failed: a stored judgement that failed gives way to this one; its failure stays in
            `earlier_failures` and `attempt` counts on. One that is ok never gives way.

    Raises:
        ValueError: a score without its share, or verdicts in a failed judgement: the caller's bug.
        StoreError: the database cannot take it; nothing of it was stored.
    """
    _refuse_inconsistent(judgement, rescaled)
    row = judgement_row(judgement)
    if not insert_new(connection, JudgementRow, row):
        failed_row = _lock_failed(connection, row["id"]) if replace_failed else None
        if failed_row is None:
            return False
        row["attempt"] = failed_row["attempt"] + 1
        failure = read_failure(failed_row)
        last_failure = [asdict(failure)] if failure else []
        row["earlier_failures"] = failed_row["earlier_failures"] + last_failure
        connection.execute(delete(JudgementRow).where(JudgementRow.id == row["id"]))
        insert_all(connection, JudgementRow, [row])
    insert_all(connection, VerdictRow, verdict_rows(judgement, rescaled))
    if judgement.verdicts:
        # asked of the database once, for judges do not change
        rubrics = connection.info.setdefault("simworld_rubrics", {})
        judge_id = judgement.judge_id
        if rubrics.get(judge_id) is None:
            spec = connection.execute(select(JudgeRow.spec).where(JudgeRow.id == judge_id)).scalar()
            rubrics[judge_id] = rubric_json_of(spec or {})
        if rubrics[judge_id] is not None:
            enter_judgement(connection, judgement.episode_id, judge_id, rubrics[judge_id])
    return True


def judgement_row(judgement: Judgement) -> dict[str, Any]:
    """The row of a first attempt in the table `judgements`."""
    return {
        "id": judgement_id(judgement),
        "episode_id": judgement.episode_id,
        "judge_id": judgement.judge_id,
        "sample": judgement.sample,
        "attempt": 1,
        "status": judgement.status.value,
        **failure_columns(judgement.failure),
        "earlier_failures": [],
        **{name: getattr(judgement, name) for name in COPIED},
        "judged": datetime.now(UTC),
    }


def verdict_rows(judgement: Judgement, rescaled: Rescaled) -> list[dict[str, Any]]:
    """The rows of a judgement in the table `verdicts`."""
    id_ = judgement_id(judgement)
    return [
        {
            "judgement_id": id_,
            "position": position,
            "rescaled": rescaled[verdict.seat, verdict.dimension],
            **{name: getattr(verdict, name) for name in Verdict.__dataclass_fields__},
        }
        for position, verdict in enumerate(judgement.verdicts)
    ]


def judgement_id(judgement: Judgement) -> str:
    """The id that episode, judge and sample give a judgement, 20 hex digits."""
    text = f"{judgement.episode_id}/{judgement.judge_id}/{judgement.sample}"
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def judgements_by_episode(
    connection: Connection, episode_ids: Sequence[str], *, judge_ids: Sequence[str] | None = None
) -> Mapping[str, list[StoredJudgement]]:
    """Episode id → its judgements, by all judges or these, for up to a thousand episodes; without
    any, an empty list.
    """
    by_episode: dict[str, list[StoredJudgement]] = defaultdict(list)
    if not episode_ids:
        return by_episode
    of_judges = true() if judge_ids is None else JudgementRow.judge_id.in_(judge_ids)
    condition = and_(JudgementRow.episode_id.in_(episode_ids), of_judges)
    rows = (
        connection.execute(
            select(table(JudgementRow), JudgeRow.name.label("judge_name"))
            .join(JudgeRow, JudgeRow.id == JudgementRow.judge_id)
            .where(condition)
            .order_by(JudgementRow.judge_id, JudgementRow.sample)
        )
        .mappings()
        .all()
    )
    verdicts: dict[str, list[RowMapping]] = defaultdict(list)
    for verdict in connection.execute(
        select(table(VerdictRow))
        .join(JudgementRow, JudgementRow.id == VerdictRow.judgement_id)
        .where(condition)
        .order_by(VerdictRow.position)
    ).mappings():
        verdicts[verdict["judgement_id"]].append(verdict)
    for row in rows:
        by_episode[row["episode_id"]].append(_build_stored_judgement(row, verdicts[row["id"]]))
    return by_episode


def unjudged(
    connection: Connection,
    after: str | None,
    judge_id: str,
    sample: int,
    *,
    run: str | None = None,
    retry_failed: bool = False,
) -> tuple[list[str], str | None]:
    """Ids of episodes that did not fail and that this judge has not yet judged with this sample.

    With `retry_failed` also those where its judgement failed. New judgements may be added while
    this streams.
    """
    is_judged = and_(
        JudgementRow.episode_id == EpisodeRow.id,
        JudgementRow.judge_id == judge_id,
        JudgementRow.sample == sample,
    )
    if retry_failed:
        is_judged = and_(is_judged, JudgementRow.status == JudgementStatus.ok.value)
    in_run = true() if run is None else EpisodeRow.run == run
    not_failed = EpisodeRow.ending != Ending.failed.value
    return next_ids(connection, after, not_failed, ~exists().where(is_judged), in_run)


def judges(connection: Connection) -> list[JudgeRecord]:
    """All judges, by name and id."""
    rows = connection.execute(
        select(table(JudgeRow)).order_by(JudgeRow.name, JudgeRow.id)
    ).mappings()
    return [JudgeRecord(**row) for row in rows]


def _lock_failed(connection: Connection, id_: str) -> RowMapping | None:
    """The row of a failed judgement, locked where the database locks rows; None if it did not
    fail.
    """
    has_failed = JudgementRow.status == JudgementStatus.failed.value
    query = select(table(JudgementRow)).where(JudgementRow.id == id_, has_failed).with_for_update()
    return connection.execute(query).mappings().one_or_none()


def _refuse_inconsistent(judgement: Judgement, rescaled: Rescaled) -> None:
    """Refuses what would be stored wrongly without notice; each of these is the caller's bug."""
    failed = judgement.status is JudgementStatus.failed
    if failed != (judgement.failure is not None) or (failed and judgement.verdicts):
        raise ValueError("a judgement has a failure exactly when it failed, and then no verdicts")
    for verdict in judgement.verdicts:
        share = rescaled.get((verdict.seat, verdict.dimension))
        if share is None or not 0 <= share <= 1 or not math.isfinite(verdict.score):
            raise ValueError(
                f"score {verdict.score}, rescaled {share} for {verdict.seat}, {verdict.dimension}"
            )


def _build_stored_judgement(row: RowMapping, verdicts: Sequence[RowMapping]) -> StoredJudgement:
    return StoredJudgement(
        judgement=Judgement(
            episode_id=row["episode_id"],
            judge_id=row["judge_id"],
            sample=row["sample"],
            status=JudgementStatus(row["status"]),
            verdicts=tuple(
                Verdict(
                    seat=verdict["seat"],
                    dimension=verdict["dimension"],
                    score=verdict["score"],
                    reasoning=verdict["reasoning"],
                    raw={name: float(value) for name, value in verdict["raw"].items()},
                )
                for verdict in verdicts
            ),
            failure=read_failure(row),
            **{name: row[name] for name in COPIED},
        ),
        judge_name=row["judge_name"],
        attempt=row["attempt"],
        earlier_failures=tuple(Failure(**failure) for failure in row["earlier_failures"]),
        rescaled={
            (verdict["seat"], verdict["dimension"]): verdict["rescaled"] for verdict in verdicts
        },
        judged=row["judged"],
    )
