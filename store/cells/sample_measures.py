"""From the verdicts of judges' samples to measures, seat by seat."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, select

from simworld.core.judgement import JudgementStatus
from simworld.core.measures import SampleMean, average_samples
from store.cells.cell_blocks import block_columns
from store.tables import EpisodeRow, EpisodeSeatRow, JudgementRow, VerdictRow

StoredRubric = Mapping[str, Any]
# by position; None where a score is no finite number
SeatMeasures = list[dict[str, SampleMean] | None]
SampleKey = tuple[Any, ...]  # block, judge id, episode id


def select_verdicts(condition: ColumnElement[bool]) -> Select[Any]:
    """All verdicts of judgements that are ok, with what `seat_measures` groups them by; a
    seat without one has a row too.
    """
    group_columns = (*block_columns(EpisodeRow), JudgementRow.judge_id, EpisodeRow.id)
    value_columns = (
        EpisodeSeatRow.position,
        JudgementRow.sample,
        VerdictRow.dimension,
        VerdictRow.score,
        VerdictRow.rescaled,
    )
    return (
        select(*group_columns, *value_columns)
        .select_from(JudgementRow)
        .join(EpisodeRow, EpisodeRow.id == JudgementRow.episode_id)
        .join(EpisodeSeatRow, EpisodeSeatRow.episode_id == EpisodeRow.id)
        .outerjoin(
            VerdictRow,
            and_(
                VerdictRow.judgement_id == JudgementRow.id, VerdictRow.seat == EpisodeSeatRow.seat
            ),
        )
        .where(condition, JudgementRow.status == JudgementStatus.ok.value)
        .order_by(*group_columns, EpisodeSeatRow.position, JudgementRow.sample)
    )


def seat_measures(
    rows: Iterable[Any], rubrics: Mapping[str, StoredRubric]
) -> Iterator[tuple[SampleKey, SeatMeasures]]:
    """What each judge's samples of each episode come to, in the order of the rows of
    `select_verdicts`; without a score none.
    """
    for key, episode_rows in groupby(rows, key=lambda row: tuple(row[:6])):
        if (rubric := rubrics.get(key[4])) is not None:
            seats = [
                _average_seat(list(seat_rows), rubric)
                for _, seat_rows in groupby(episode_rows, key=itemgetter(6))
            ]
            if any(seat is None or seat for seat in seats):
                yield key, seats


def _average_seat(rows: Sequence[Any], rubric: StoredRubric) -> dict[str, SampleMean] | None:
    scored = [row[7:] for row in rows if row[8] is not None]
    if not all(math.isfinite(score) and math.isfinite(share) for _, _, score, share in scored):
        return None
    samples = groupby(scored, key=itemgetter(0))
    return average_samples(
        (
            {name: (score, share) for _, name, score, share in sample_rows}
            for _, sample_rows in samples
        ),
        rubric,
    )
