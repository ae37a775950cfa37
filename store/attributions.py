"""Attributions: what a judge says about the single utterances of an episode that it has judged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import Connection, exists, select

from simworld.core.judgement import JudgementStatus
from store.inserts import insert_missing
from store.records import Attribution
from store.tables import AttributionRow, EpisodeRow, JudgementRow

BATCH = 1000  # judgements held at a time


def add_attributions(
    connection: Connection, judgement_id: str, method: str, attributions: Sequence[Attribution]
) -> None:
    """Stores what a judge says about the utterances of a judged episode; what is there already
    stays as it is.
    """
    if non_finite := [each for each in attributions if not math.isfinite(each.value)]:
        raise ValueError(f"an attribution is a finite number, found {non_finite[0]}")
    judged = {"judgement_id": judgement_id, "method": method}
    insert_missing(connection, AttributionRow, [judged | asdict(each) for each in attributions])


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
    is_attributed = exists().where(
        AttributionRow.judgement_id == JudgementRow.id, AttributionRow.method == method
    )
    query = (
        select(JudgementRow.id, JudgementRow.episode_id, JudgementRow.sample)
        .where(
            JudgementRow.judge_id == judge_id,
            JudgementRow.status == JudgementStatus.ok.value,
            ~is_attributed,
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
