"""Keeping the cells that standings read up to date, in the transaction of each episode and
judgement.

`cell_casts` and `cell_scores` hold nothing that other tables do not hold, packed by scenario and
repeat so that a tournament of any size is read at once (docs/design/003). A row that is marked
stale is made again from those tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, Update, and_, bindparam, select, update

from simworld.core.episode import Ending
from simworld.core.measures import measures_of_rubric
from store.cells.cell_blocks import BLOCK_COLUMNS
from store.cells.cell_rebuild import rebuild_casts, rebuild_scores
from store.cells.cell_records import (
    encode_cast,
    encode_retests,
    encode_scores,
    insert_attempt,
    insert_record,
)
from store.cells.sample_measures import StoredRubric, seat_measures, select_verdicts
from store.inserts import RowValues, insert_new
from store.tables import Base, CellCastRow, CellScoreRow, EpisodeRow, JudgementRow, table


def enter_episode(connection: Connection, episode: RowValues, seats: Sequence[RowValues]) -> None:
    """Enters an episode that was just added: its row in `episodes`, and its rows in `episode_seats`
    in their order.
    """
    block = {name: episode[name] for name in BLOCK_COLUMNS}
    failed = episode["ending"] == Ending.failed.value
    names = [seat["agent_name"] for seat in seats]
    record = encode_cast(episode["item_key"], episode["id"], episode["attempt"], failed, names)
    new_row = {**block, "seats": len(seats), "stale": False, "casts": record.tobytes()}
    stored = _lock_or_insert(connection, CellCastRow, new_row)
    if stored is None:
        return
    if stored["stale"]:
        rebuild_casts(connection, tuple(block.values()))
    else:
        _update_row(
            connection, CellCastRow, new_row, {"casts": insert_attempt(stored["casts"], record)}
        )


def enter_judgement(
    connection: Connection, episode_id: str, judge_id: str, rubric: StoredRubric
) -> None:
    """Enters what a judge's samples of an episode come to, of which one was just added."""
    measures = measures_of_rubric(rubric)
    rows = connection.execute(_verdict_query(), {"the_episode": episode_id, "the_judge": judge_id})
    for (*block, _, _), seats in seat_measures(rows, {judge_id: rubric}):
        score, retest = (
            encode_scores(episode_id, seats, measures),
            encode_retests(episode_id, seats, measures),
        )
        new_row = {
            **dict(zip(BLOCK_COLUMNS, block, strict=True)),
            "judge_id": judge_id,
            "stale": False,
            "scores": score.tobytes(),
            "retests": retest.tobytes(),
        }
        stored = _lock_or_insert(connection, CellScoreRow, new_row)
        if stored is None:
            continue
        if stored["stale"]:
            rebuild_scores(connection, block, judge_id)
        else:
            new_blobs = {
                "scores": insert_record(stored["scores"], score, "episode"),
                "retests": insert_record(stored["retests"], retest, "episode"),
            }
            _update_row(connection, CellScoreRow, new_row, new_blobs)


def _lock_or_insert(
    connection: Connection, row_type: type[Base], row: RowValues
) -> RowMapping | None:
    """The row of a block, locked until the transaction ends; None where there was none and this
    first one was added.
    """
    key_values = _key_values(row_type, row)
    stored = connection.execute(_select_row(row_type), key_values).mappings().one_or_none()
    if stored is None and not insert_new(connection, row_type, row):
        stored = connection.execute(_select_row(row_type), key_values).mappings().one()
    return stored


def _update_row(
    connection: Connection, row_type: type[Base], row: RowValues, blobs: RowValues
) -> None:
    connection.execute(
        _update_query(row_type),
        {**_key_values(row_type, row), **{f"new_{name}": value for name, value in blobs.items()}},
    )


def _key_values(row_type: type[Base], row: RowValues) -> dict[str, Any]:
    return {f"the_{column.name}": row[column.name] for column in table(row_type).primary_key}


# Statements are built once: building them takes longer than SQLite takes to run them.


@cache
def _select_row(row_type: type[Base]) -> Select[Any]:
    has_key = (column == bindparam(f"the_{column.name}") for column in table(row_type).primary_key)
    return select(table(row_type)).where(*has_key).with_for_update(key_share=True)


@cache
def _update_query(row_type: type[Base]) -> Update:
    has_key = (column == bindparam(f"the_{column.name}") for column in table(row_type).primary_key)
    blobs = [name for name in ("casts", "scores", "retests") if name in table(row_type).columns]
    return (
        update(table(row_type))
        .where(*has_key)
        .values({name: bindparam(f"new_{name}") for name in blobs})
    )


@cache
def _verdict_query() -> Select[Any]:
    return select_verdicts(
        and_(
            EpisodeRow.id == bindparam("the_episode"),
            JudgementRow.judge_id == bindparam("the_judge"),
        )
    )
