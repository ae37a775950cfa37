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
from store.cell_blocks import BLOCK
from store.cell_rebuild import remake_casts, remake_scores
from store.cell_records import cast_record, put_attempt, put_record, retest_record, score_record
from store.inserts import RowValues, insert_new
from store.sample_measures import StoredRubric, seat_measures, verdicts_of
from store.tables import Base, CellCastRow, CellScoreRow, EpisodeRow, JudgementRow, table


def keep_episode(connection: Connection, episode: RowValues, seats: Sequence[RowValues]) -> None:
    """Enters an episode that was just added: its row in `episodes`, and its rows in `episode_seats`
    in their order.
    """
    block = {name: episode[name] for name in BLOCK}
    failed = episode["ending"] == Ending.failed.value
    names = [seat["agent_name"] for seat in seats]
    record = cast_record(episode["item_key"], episode["id"], episode["attempt"], failed, names)
    first = {**block, "seats": len(seats), "stale": False, "casts": record.tobytes()}
    held = _held_or_added(connection, CellCastRow, first)
    if held is None:
        return
    if held["stale"]:
        remake_casts(connection, tuple(block.values()))
    else:
        _change(connection, CellCastRow, first, {"casts": put_attempt(held["casts"], record)})


def keep_judgement(
    connection: Connection, episode_id: str, judge_id: str, rubric: StoredRubric
) -> None:
    """Enters what a judge's samples of an episode come to, of which one was just added."""
    measures = measures_of(rubric)
    rows = connection.execute(_verdicts(), {"the_episode": episode_id, "the_judge": judge_id})
    for (*block, _, _), seats in seat_measures(rows, {judge_id: rubric}):
        score, retest = (
            score_record(episode_id, seats, measures),
            retest_record(episode_id, seats, measures),
        )
        first = {
            **dict(zip(BLOCK, block, strict=True)),
            "judge_id": judge_id,
            "stale": False,
            "scores": score.tobytes(),
            "retests": retest.tobytes(),
        }
        held = _held_or_added(connection, CellScoreRow, first)
        if held is None:
            continue
        if held["stale"]:
            remake_scores(connection, block, judge_id)
        else:
            changed = {
                "scores": put_record(held["scores"], score, "episode"),
                "retests": put_record(held["retests"], retest, "episode"),
            }
            _change(connection, CellScoreRow, first, changed)


def _held_or_added(connection: Connection, of: type[Base], first: RowValues) -> RowMapping | None:
    """The row of a block, locked until the transaction ends; None where there was none and this
    first one was added.
    """
    key = _named(of, first)
    held = connection.execute(_current_row(of), key).mappings().one_or_none()
    if held is None and not insert_new(connection, of, first):
        held = connection.execute(_current_row(of), key).mappings().one()
    return held


def _change(connection: Connection, of: type[Base], row: RowValues, changed: RowValues) -> None:
    connection.execute(
        _changed(of),
        {**_named(of, row), **{f"new_{name}": value for name, value in changed.items()}},
    )


def _named(of: type[Base], row: RowValues) -> dict[str, Any]:
    return {f"the_{column.name}": row[column.name] for column in table(of).primary_key}


# Statements are built once: building them takes longer than SQLite takes to run them.


@cache
def _current_row(of: type[Base]) -> Select[Any]:
    this = (column == bindparam(f"the_{column.name}") for column in table(of).primary_key)
    return select(table(of)).where(*this).with_for_update(key_share=True)


@cache
def _changed(of: type[Base]) -> Update:
    this = (column == bindparam(f"the_{column.name}") for column in table(of).primary_key)
    blobs = [name for name in ("casts", "scores", "retests") if name in table(of).columns]
    return update(table(of)).where(*this).values({name: bindparam(f"new_{name}") for name in blobs})


@cache
def _verdicts() -> Select[Any]:
    return verdicts_of(
        and_(
            EpisodeRow.id == bindparam("the_episode"),
            JudgementRow.judge_id == bindparam("the_judge"),
        )
    )
