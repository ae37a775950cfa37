"""Making kept cells again from the tables that they copy: after changes by hand, and in upgraded
databases.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, select, true, update

from simworld.core.episode import Ending
from simworld.core.measures import measures_of_rubric, rubric_json_of
from store.cells.cell_blocks import Block, block_columns, in_block, same_block_as_episode
from store.cells.cell_records import encode_cast, encode_retests, encode_scores, insert_attempt
from store.cells.sample_measures import seat_measures, select_verdicts
from store.tables import (
    CellCastRow,
    CellScoreRow,
    EpisodeRow,
    EpisodeSeatRow,
    JudgementRow,
    JudgeRow,
    table,
)

STREAMED = {"yield_per": 5000}  # read at a time


def rebuild_all(connection: Connection) -> None:
    """Makes everything again that is stale."""
    for row_type, rebuild in ((CellCastRow, rebuild_casts), (CellScoreRow, rebuild_scores)):
        scenarios = (
            select(*block_columns(row_type)[:3]).where(table(row_type).columns["stale"]).distinct()
        )
        for scenario in connection.execute(scenarios).all():
            rebuild(connection, scenario)


def rebuild_casts(connection: Connection, prefix: Block) -> None:
    """Makes those rows of `cell_casts` again that are stale, of the blocks that begin so."""
    for block, casts in compute_casts(connection, prefix):
        connection.execute(
            update(CellCastRow).where(in_block(CellCastRow, block)).values(casts=casts, stale=False)
        )
    still_stale = and_(in_block(CellCastRow, prefix), CellCastRow.stale)
    connection.execute(update(CellCastRow).where(still_stale).values(casts=b"", stale=False))


def rebuild_scores(connection: Connection, prefix: Block, judge_id: str | None = None) -> None:
    """Makes those rows of `cell_scores` again that are stale, of the blocks that begin so and of
    one judge or all.
    """
    for (*block, judge), scores, retests in compute_scores(connection, prefix, judge_id):
        is_row = and_(in_block(CellScoreRow, block), CellScoreRow.judge_id == judge)
        connection.execute(
            update(CellScoreRow).where(is_row).values(scores=scores, retests=retests, stale=False)
        )
    still_stale = and_(
        in_block(CellScoreRow, prefix),
        CellScoreRow.stale,
        _is_judge(CellScoreRow.judge_id, judge_id),
    )
    connection.execute(
        update(CellScoreRow).where(still_stale).values(scores=b"", retests=b"", stale=False)
    )


def compute_casts(connection: Connection, prefix: Block) -> Iterator[tuple[Block, bytes]]:
    """What the stale rows of `cell_casts` should hold, from the tables of episodes; those that
    should hold nothing are left out.
    """
    attempt_columns = (EpisodeRow.item_key, EpisodeRow.attempt, EpisodeRow.id, EpisodeRow.ending)
    query = (
        select(*block_columns(EpisodeRow), *attempt_columns, EpisodeSeatRow.agent_name)
        .join(EpisodeSeatRow, EpisodeSeatRow.episode_id == EpisodeRow.id)
        .where(
            in_block(EpisodeRow, prefix),
            exists().where(CellCastRow.stale, *same_block_as_episode(CellCastRow)),
        )
        .order_by(
            *block_columns(EpisodeRow),
            EpisodeRow.item_key,
            EpisodeRow.attempt,
            EpisodeSeatRow.position,
        )
    )
    attempts = connection.execute(query, execution_options=STREAMED)
    for block, rows in groupby(attempts, key=lambda row: row[:4]):
        casts = b""
        for (item_key, attempt, id_, ending), seats in groupby(rows, key=lambda row: row[4:8]):
            names = [seat.agent_name for seat in seats]
            casts = insert_attempt(
                casts, encode_cast(item_key, id_, attempt, ending == Ending.failed.value, names)
            )
        yield block, casts


def compute_scores(
    connection: Connection, prefix: Block, judge_id: str | None = None
) -> Iterator[tuple[Block, bytes, bytes]]:
    """What the stale rows of `cell_scores` should hold, by block and judge; those that should hold
    nothing are left out.
    """
    judges = connection.execute(
        select(JudgeRow.id, JudgeRow.spec).where(_is_judge(JudgeRow.id, judge_id))
    ).all()
    rubrics = {id_: rubric for id_, spec in judges if (rubric := rubric_json_of(spec)) is not None}
    stale = exists().where(
        CellScoreRow.stale,
        CellScoreRow.judge_id == JudgementRow.judge_id,
        *same_block_as_episode(CellScoreRow),
    )
    condition = and_(
        in_block(EpisodeRow, prefix), _is_judge(JudgementRow.judge_id, judge_id), stale
    )
    rows = connection.execute(select_verdicts(condition), execution_options=STREAMED)
    for (*block, judge), episodes in groupby(
        seat_measures(rows, rubrics), key=lambda pair: pair[0][:5]
    ):
        measures = measures_of_rubric(rubrics[judge])
        scores, retests = b"", b""
        for (*_, id_), seats in episodes:
            scores += encode_scores(id_, seats, measures).tobytes()
            retests += encode_retests(id_, seats, measures).tobytes()
        yield (*block, judge), scores, retests


def _is_judge(column: Any, judge_id: str | None) -> ColumnElement[bool]:
    return true() if judge_id is None else column == judge_id
