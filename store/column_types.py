"""Column types that mean the same on SQLite and PostgreSQL: text without NUL, UTC times, 64-bit
seeds, JSON and shapes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

# PostgreSQL refuses NUL in text, UTF-8 has no form for lone surrogates
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def replace_unstorable(text: str) -> str:
    """The text with NUL characters and lone surrogates replaced by U+FFFD, the same on every
    database.
    """
    return UNSTORABLE.sub("\ufffd", text)


def to_storable_json(value: Any) -> Any:
    """JSON data with every string made storable, and numbers that JSON lacks (NaN, infinities) as
    strings.
    """
    if isinstance(value, str):
        return replace_unstorable(value)
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if isinstance(value, Mapping):
        return {replace_unstorable(str(key)): to_storable_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_storable_json(item) for item in value]
    return value


class StorableText(TypeDecorator[str]):
    """Text of any length; what no database can hold is replaced by U+FFFD on the way in."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else replace_unstorable(value)


class Json(TypeDecorator[Any]):
    """JSON data; JSONB on PostgreSQL."""

    impl = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return to_storable_json(value)


class Utc(TypeDecorator[datetime]):
    """A moment in UTC; naive times are refused, for nobody knows what they mean."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone cannot be stored: {value.isoformat()}")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class SeedText(TypeDecorator[int]):
    """A whole number of any size as decimal text: seeds reach 2**64, beyond the signed integers of
    both databases.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> str | None:
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> int | None:
        return None if value is None else int(value)
