"""Keeping the cells that standings read up to date: in the transaction of each episode and judgement, and after changes by hand.

`cell_casts` and `cell_scores` hold nothing that other tables do not hold, packed by scenario and repeat so that a tournament of any
size is read at once (docs/design/003). A row that is marked stale is made again from those tables before it is used.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, RowMapping, and_, exists, select, true, update

from simworld.core.episode import Ending
from simworld.core.judgement import JudgementStatus
from simworld.core.measures import Measured, measure, measures_of, rubric_in
from store.cells import cast_record, put, put_attempt, retest_record, score_record
from store.tables import (
    Base,
    CellCastRow,
    CellScoreRow,
    EpisodeRow,
    EpisodeSeatRow,
    JudgementRow,
    JudgeRow,
    VerdictRow,
    table,
)
from store.writing import insert_new

ROWS = 5000  # read at a time
BLOCK = ("run", "family", "scenario_id", "repeat")
Block = Sequence[Any]  # the values of these columns
Rubric = Mapping[str, Any]
Seats = list[dict[str, Measured] | None]  # by position; None where a score is no finite number


def keep_episode(connection: Connection, episode: Mapping[str, Any], seats: Sequence[Mapping[str, Any]]) -> None:
    """Enters an episode that was just added: its row in `episodes`, and its rows in `episode_seats` in their order."""
    block = tuple(episode[name] for name in BLOCK)
    this = _at(CellCastRow, block)
    held = _hold(connection, CellCastRow, this, {**_named(block), "seats": len(seats), "stale": False, "casts": b""})
    if held["stale"]:
        remake_casts(connection, block)
        return
    failed = episode["ending"] == Ending.failed.value
    names = [seat["agent_name"] for seat in seats]
    record = cast_record(episode["item_key"], episode["id"], episode["attempt"], failed, names)
    connection.execute(update(CellCastRow).where(this).values(casts=put_attempt(held["casts"], record)))


def keep_judgement(connection: Connection, episode_id: str, judge_id: str, rubric: Rubric) -> None:
    """Enters what a judge's samples of an episode come to, of which one was just added."""
    measures = measures_of(rubric)
    where = and_(EpisodeRow.id == episode_id, JudgementRow.judge_id == judge_id)
    for (*block, _, _), seats in _scored(connection, where, {judge_id: rubric}):
        this = and_(_at(CellScoreRow, block), CellScoreRow.judge_id == judge_id)
        empty = {**_named(block), "judge_id": judge_id, "stale": False, "scores": b"", "retests": b""}
        held = _hold(connection, CellScoreRow, this, empty)
        if held["stale"]:
            remake_scores(connection, block, judge_id)
            return
        changed = {
            "scores": put(held["scores"], score_record(episode_id, seats, measures), "episode"),
            "retests": put(held["retests"], retest_record(episode_id, seats, measures), "episode"),
        }
        connection.execute(update(CellScoreRow).where(this).values(changed))


def remake_all(connection: Connection) -> None:
    """Makes everything again that is stale."""
    for of, remake in ((CellCastRow, remake_casts), (CellScoreRow, remake_scores)):
        scenarios = select(*_block(of)[:3]).where(table(of).columns["stale"]).distinct()
        for scenario in connection.execute(scenarios).all():
            remake(connection, scenario)


def remake_casts(connection: Connection, begins: Block) -> None:
    """Makes those rows of `cell_casts` again that are stale, of the blocks that begin so."""
    for block, casts in made_casts(connection, begins):
        connection.execute(update(CellCastRow).where(_at(CellCastRow, block)).values(casts=casts, stale=False))
    left = and_(_at(CellCastRow, begins), CellCastRow.stale)
    connection.execute(update(CellCastRow).where(left).values(casts=b"", stale=False))


def remake_scores(connection: Connection, begins: Block, judge_id: str | None = None) -> None:
    """Makes those rows of `cell_scores` again that are stale, of the blocks that begin so and of one judge or all."""
    for (*block, judge), scores, retests in made_scores(connection, begins, judge_id):
        this = and_(_at(CellScoreRow, block), CellScoreRow.judge_id == judge)
        connection.execute(update(CellScoreRow).where(this).values(scores=scores, retests=retests, stale=False))
    left = and_(_at(CellScoreRow, begins), CellScoreRow.stale, _of_judge(CellScoreRow.judge_id, judge_id))
    connection.execute(update(CellScoreRow).where(left).values(scores=b"", retests=b"", stale=False))


def made_casts(connection: Connection, begins: Block) -> Iterator[tuple[Block, bytes]]:
    """What the stale rows of `cell_casts` should hold, from the tables of episodes; those that should hold nothing are left out."""
    attempt = (EpisodeRow.item_key, EpisodeRow.attempt, EpisodeRow.id, EpisodeRow.ending)
    query = (
        select(*_block(EpisodeRow), *attempt, EpisodeSeatRow.agent_name)
        .join(EpisodeSeatRow, EpisodeSeatRow.episode_id == EpisodeRow.id)
        .where(_at(EpisodeRow, begins), exists().where(CellCastRow.stale, *_same_block(CellCastRow)))
        .order_by(*_block(EpisodeRow), EpisodeRow.item_key, EpisodeRow.attempt, EpisodeSeatRow.position)
    )
    for block, rows in groupby(_stream(connection, query), key=lambda row: row[:4]):
        casts = b""
        for (item_key, number, id_, ending), seats in groupby(rows, key=lambda row: row[4:8]):
            names = [seat.agent_name for seat in seats]
            casts = put_attempt(casts, cast_record(item_key, id_, number, ending == Ending.failed.value, names))
        yield block, casts


def made_scores(
    connection: Connection, begins: Block, judge_id: str | None = None
) -> Iterator[tuple[Block, bytes, bytes]]:
    """What the stale rows of `cell_scores` should hold, by block and judge; those that should hold nothing are left out."""
    judges = connection.execute(select(JudgeRow.id, JudgeRow.spec).where(_of_judge(JudgeRow.id, judge_id))).all()
    rubrics = {id_: rubric for id_, spec in judges if (rubric := rubric_in(spec)) is not None}
    stale = exists().where(
        CellScoreRow.stale, CellScoreRow.judge_id == JudgementRow.judge_id, *_same_block(CellScoreRow)
    )
    where = and_(_at(EpisodeRow, begins), _of_judge(JudgementRow.judge_id, judge_id), stale)
    for (*block, judge), episodes in groupby(_scored(connection, where, rubrics), key=lambda pair: pair[0][:5]):
        measures = measures_of(rubrics[judge])
        scores, retests = b"", b""
        for (*_, id_), seats in episodes:
            scores += score_record(id_, seats, measures).tobytes()
            retests += retest_record(id_, seats, measures).tobytes()
        yield (*block, judge), scores, retests


def _scored(
    connection: Connection, where: ColumnElement[bool], rubrics: Mapping[str, Rubric]
) -> Iterator[tuple[Block, Seats]]:
    """(Block, judge id, episode id) → what the judge's samples of each seat come to, in that order."""
    key = (*_block(EpisodeRow), JudgementRow.judge_id, EpisodeRow.id)
    query = (
        select(
            *key,
            EpisodeSeatRow.position,
            JudgementRow.sample,
            VerdictRow.dimension,
            VerdictRow.score,
            VerdictRow.rescaled,
        )
        .select_from(JudgementRow)
        .join(EpisodeRow, EpisodeRow.id == JudgementRow.episode_id)
        .join(EpisodeSeatRow, EpisodeSeatRow.episode_id == EpisodeRow.id)
        .outerjoin(VerdictRow, and_(VerdictRow.judgement_id == JudgementRow.id, VerdictRow.seat == EpisodeSeatRow.seat))
        .where(where, JudgementRow.status == JudgementStatus.ok.value)
        .order_by(*key, EpisodeSeatRow.position, JudgementRow.sample)
    )
    for this, rows in groupby(_stream(connection, query), key=lambda row: row[:6]):
        if (rubric := rubrics.get(this[4])) is not None:
            seats = [_seat(list(seat), rubric) for _, seat in groupby(rows, key=itemgetter(6))]
            if any(seat is None or seat for seat in seats):
                yield this, seats


def _seat(rows: Sequence[Any], rubric: Rubric) -> dict[str, Measured] | None:
    scored = [row for row in rows if row.dimension is not None]
    if not all(math.isfinite(row.score) and math.isfinite(row.rescaled) for row in scored):
        return None
    samples = groupby(scored, key=lambda row: row.sample)
    return measure(
        ({row.dimension: (row.score, row.rescaled) for row in of_sample} for _, of_sample in samples), rubric
    )


def _stream(connection: Connection, query: Any) -> Iterable[Row[Any]]:
    return connection.execute(query, execution_options={"yield_per": ROWS})


def _hold(connection: Connection, of: type[Base], this: ColumnElement[bool], empty: Mapping[str, Any]) -> RowMapping:
    """The row, locked until the transaction ends; an empty one is made where there is none."""
    query = select(table(of)).where(this).with_for_update(key_share=True)
    found = connection.execute(query).mappings().one_or_none()
    if found is None:
        insert_new(connection, of, empty)
        found = connection.execute(query).mappings().one()
    return found


def _block(of: type[Base]) -> tuple[Any, ...]:
    """The columns that name a block."""
    return tuple(table(of).columns[name] for name in BLOCK)


def _at(of: type[Base], begins: Block) -> ColumnElement[bool]:
    """That a row is of a block that begins so."""
    return and_(*(column == value for column, value in zip(_block(of), begins, strict=False)))


def _same_block(of: type[Base]) -> Iterator[ColumnElement[bool]]:
    """That a row is of the block of an episode."""
    return (column == other for column, other in zip(_block(of), _block(EpisodeRow), strict=True))


def _of_judge(column: Any, judge_id: str | None) -> ColumnElement[bool]:
    return true() if judge_id is None else column == judge_id


def _named(block: Block) -> dict[str, Any]:
    return dict(zip(BLOCK, block, strict=True))
