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
from simworld.core.measures import measures_of
from store.cell_blocks import BLOCK_COLUMNS
from store.cell_rebuild import rebuild_casts, rebuild_scores
from store.cell_records import (
    encode_cast,
    encode_retests,
    encode_scores,
    insert_attempt,
    insert_record,
)
from store.inserts import RowValues, insert_new
from store.sample_measures import StoredRubric, seat_measures, select_verdicts
from store.tables import Base, CellCastRow, CellScoreRow, EpisodeRow, JudgementRow, table


def add_episode_to_cells(
    connection: Connection, episode: RowValues, seats: Sequence[RowValues]
) -> None:
    """Enters an episode that was just added: its row in `episodes`, and its rows in `episode_seats`
    in their order.
    """
    block = {name: episode[name] for name in BLOCK_COLUMNS}
    failed = episode["ending"] == Ending.failed.value
    names = [seat["agent_name"] for seat in seats]
    record = encode_cast(episode["item_key"], episode["id"], episode["attempt"], failed, names)
    first = {**block, "seats": len(seats), "stale": False, "casts": record.tobytes()}
    held = _lock_or_insert(connection, CellCastRow, first)
    if held is None:
        return
    if held["stale"]:
        rebuild_casts(connection, tuple(block.values()))
    else:
        _update_row(
            connection, CellCastRow, first, {"casts": insert_attempt(held["casts"], record)}
        )


def add_judgement_to_cells(
    connection: Connection, episode_id: str, judge_id: str, rubric: StoredRubric
) -> None:
    """Enters what a judge's samples of an episode come to, of which one was just added."""
    measures = measures_of(rubric)
    rows = connection.execute(
        _verdicts_statement(), {"the_episode": episode_id, "the_judge": judge_id}
    )
    for (*block, _, _), seats in seat_measures(rows, {judge_id: rubric}):
        score, retest = (
            encode_scores(episode_id, seats, measures),
            encode_retests(episode_id, seats, measures),
        )
        first = {
            **dict(zip(BLOCK_COLUMNS, block, strict=True)),
            "judge_id": judge_id,
            "stale": False,
            "scores": score.tobytes(),
            "retests": retest.tobytes(),
        }
        held = _lock_or_insert(connection, CellScoreRow, first)
        if held is None:
            continue
        if held["stale"]:
            rebuild_scores(connection, block, judge_id)
        else:
            changed = {
                "scores": insert_record(held["scores"], score, "episode"),
                "retests": insert_record(held["retests"], retest, "episode"),
            }
            _update_row(connection, CellScoreRow, first, changed)


def _lock_or_insert(connection: Connection, of: type[Base], first: RowValues) -> RowMapping | None:
    """The row of a block, locked until the transaction ends; None where there was none and this
    first one was added.
    """
    key = _key_values(of, first)
    held = connection.execute(_select_statement(of), key).mappings().one_or_none()
    if held is None and not insert_new(connection, of, first):
        held = connection.execute(_select_statement(of), key).mappings().one()
    return held


def _update_row(connection: Connection, of: type[Base], row: RowValues, changed: RowValues) -> None:
    connection.execute(
        _update_statement(of),
        {**_key_values(of, row), **{f"new_{name}": value for name, value in changed.items()}},
    )


def _key_values(of: type[Base], row: RowValues) -> dict[str, Any]:
    return {f"the_{column.name}": row[column.name] for column in table(of).primary_key}


# Statements are built once: building them takes longer than SQLite takes to run them.


@cache
def _select_statement(of: type[Base]) -> Select[Any]:
    this = (column == bindparam(f"the_{column.name}") for column in table(of).primary_key)
    return select(table(of)).where(*this).with_for_update(key_share=True)


@cache
def _update_statement(of: type[Base]) -> Update:
    this = (column == bindparam(f"the_{column.name}") for column in table(of).primary_key)
    blobs = [name for name in ("casts", "scores", "retests") if name in table(of).columns]
    return update(table(of)).where(*this).values({name: bindparam(f"new_{name}") for name in blobs})


@cache
def _verdicts_statement() -> Select[Any]:
    return select_verdicts(
        and_(
            EpisodeRow.id == bindparam("the_episode"),
            JudgementRow.judge_id == bindparam("the_judge"),
        )
    )
