"""Asks a database: read-only SQL, answered as data frames with typed columns."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pandas as pd

import store
from simworld.analysis.questions.answer_frame import AnswerFrame
from simworld.core.errors import InputError
from store import Store
from store.query_parameters import BoundValue
from store.sql_query import MAX_BYTES
from store.sqlite_process import SqlRow


class Note(UserWarning):
    """What a reader must know about an answer: it was cut, or its intervals are rough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuerySource:
    """A database that is asked. Every question goes through the guard of the user's own SQL
    (store.sql_query).
    """

    url: str
    store: Store
    timeout_s: float

    @property
    def where(self) -> str:
        """The file, or the URL without its password."""
        return self.store.location

    def rows(self, sql: str, values: Mapping[str, BoundValue] | None = None) -> list[SqlRow]:
        """All rows of an aggregate. Raises InputError where they are too large to hold."""
        with store.query(
            self.url, sql, values, max_bytes=MAX_BYTES, timeout_s=self.timeout_s
        ) as answer:
            all_rows = list(answer)
        if answer.truncated:
            raise InputError(f"{self.where}: an answer is too large: {answer.truncation_note('')}")
        return all_rows

    def stream(self, sql: str, values: Mapping[str, BoundValue] | None = None) -> Iterator[SqlRow]:
        """The rows one by one, so that memory holds no more than one."""
        with store.query(self.url, sql, values, timeout_s=self.timeout_s) as answer:
            yield from answer

    def column(self, sql: str, values: Mapping[str, BoundValue] | None = None) -> list[Any]:
        """The first column of all rows."""
        return [row[0] for row in self.rows(sql, values)]

    def frame(
        self,
        sql: str,
        values: Mapping[str, BoundValue] | None = None,
        *,
        limit: int,
        timeout_s: float | None = None,
    ) -> pd.DataFrame:
        """At most `limit` rows (0: all) as they come, with a Note where there were more."""
        seconds = self.timeout_s if timeout_s is None else timeout_s
        with store.query(
            self.url, sql, values, limit=limit, max_bytes=MAX_BYTES, timeout_s=seconds
        ) as answer:
            rows = pd.DataFrame([_plain(row) for row in answer], columns=list(answer.columns))
        return with_notes(
            rows, (answer.truncation_note("limit=0 gives all"),) if answer.truncated else ()
        )


def to_frame(rows: Iterable[Sequence[Any]], columns: Mapping[str, str]) -> pd.DataFrame:
    """A frame of rows; `columns`: name → dtype, empty for text and whatever else is to stay as it
    is.
    """
    frame = AnswerFrame([_plain(row) for row in rows], columns=list(columns))
    return frame.astype({name: dtype for name, dtype in columns.items() if dtype})


def with_notes(frame: pd.DataFrame, notes: Iterable[str]) -> pd.DataFrame:
    """The answer, with its notes in `attrs["notes"]`, each also given as a warning."""
    frame = AnswerFrame(frame)
    frame.attrs["notes"] = list(dict.fromkeys(notes))
    for note in frame.attrs["notes"]:
        warnings.warn(note, Note, stacklevel=4)
    return frame


def json_value(value: Any) -> Any:
    """The data in a JSON column, which SQLite gives as text."""
    return json.loads(value) if isinstance(value, str) else value


def _plain(row: Sequence[Any]) -> SqlRow:
    return tuple(float(value) if isinstance(value, Decimal) else value for value in row)
