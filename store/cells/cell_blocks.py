"""Blocks of cells: a scenario and repeat of a run, by which cells are kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_

from store.tables import Base, EpisodeRow, table

BLOCK_COLUMNS = ("run", "family", "scenario_id", "repeat")
Block = Sequence[Any]  # the values of these columns, or of the first of them


def block_columns(row_type: type[Base]) -> tuple[Any, ...]:
    """The columns that name a block."""
    return tuple(table(row_type).columns[name] for name in BLOCK_COLUMNS)


def in_block(row_type: type[Base], prefix: Block) -> ColumnElement[bool]:
    """The condition that a row belongs to the block with these first columns."""
    return and_(
        *(column == value for column, value in zip(block_columns(row_type), prefix, strict=False))
    )


def same_block_as_episode(row_type: type[Base]) -> Iterator[ColumnElement[bool]]:
    """That a row is of the block of an episode."""
    return (
        column == other
        for column, other in zip(block_columns(row_type), block_columns(EpisodeRow), strict=True)
    )
