"""Suggestions for an unknown name in a query: the nearest columns of its own tables, or the nearest
table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher, get_close_matches

MAX_NEAREST = 5  # columns that are named where none is really near
_MISSING_NAME = re.compile(
    r'no such (?P<sqlite_kind>table|column): "?(?P<sqlite_name>[\w.]+)|'
    r'(?P<postgresql_kind>relation|column) "?(?P<postgresql_name>[\w.]+)"? does not exist'
)
_TEXT_OR_COMMENT = re.compile(r"'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/", re.DOTALL)  # what names nothing


def with_name_hint(message: str, sql: str, names: Iterable[Sequence[str]]) -> str:
    """The database's message, and the name that was probably meant.

    Args:
        message: the message.
        sql: the query.
        names: (table, column) of all that there are.
    """
    missing = _MISSING_NAME.search(message)
    if not missing:
        return message
    tables: dict[str, list[str]] = {}
    for table, column in names:
        tables.setdefault(table, []).append(column)
    owner, _, unknown_name = (missing["sqlite_name"] or missing["postgresql_name"]).rpartition(".")
    if (missing["sqlite_kind"] or missing["postgresql_kind"]) != "column":
        nearest = get_close_matches(unknown_name, tables, n=1)
        return f"{message}; " + (
            f"did you mean {nearest[0]!r}?" if nearest else f"there are {', '.join(sorted(tables))}"
        )
    return f"{message}; {_column_hint(unknown_name, owner, sql, tables)}"


def _column_hint(
    unknown_name: str, owner: str, sql: str, tables: Mapping[str, Sequence[str]]
) -> str:
    used = _tables_in_query(owner, sql, tables)
    columns = list(dict.fromkeys(column for table in used for column in tables[table]))
    if owners := sorted(table for table in tables if unknown_name in tables[table]):
        return f"{unknown_name!r} is a column of {', '.join(owners)}"
    if nearest := get_close_matches(unknown_name, columns, n=1):
        return f"did you mean {nearest[0]!r}?"
    if not used:
        all_columns = list(
            dict.fromkeys(column for columns in tables.values() for column in columns)
        )
        nearest = get_close_matches(unknown_name, all_columns, n=1)
        return (
            f"did you mean {nearest[0]!r}?"
            if nearest
            else "`simworld db info --columns` lists those that there are"
        )
    ranked = sorted(
        columns,
        key=lambda column: -SequenceMatcher(None, unknown_name.lower(), column.lower()).ratio(),
    )
    return f"the nearest columns of {', '.join(used)} are {', '.join(ranked[:MAX_NEAREST])}"


def _tables_in_query(owner: str, sql: str, tables: Iterable[str]) -> list[str]:
    """The tables that a query names, in its order; where a column's owner is given, an alias
    perhaps, only that one.
    """
    code = _TEXT_OR_COMMENT.sub(" ", sql)
    pattern = "|".join(map(re.escape, tables)) or r"(?!)"
    by_lower_name = {table.lower(): table for table in tables}
    if owner:
        aliased = re.search(
            rf'\b({pattern})"?(?:\s+as)?\s+"?{re.escape(owner)}\b', code, re.IGNORECASE
        )
        if aliased or owner.lower() in by_lower_name:
            return [by_lower_name[(aliased[1] if aliased else owner).lower()]]
    mentioned = re.findall(rf"(?<![\w.])({pattern})\b(?!\s*\.)", code, re.IGNORECASE)
    return list(dict.fromkeys(by_lower_name[table.lower()] for table in mentioned))
