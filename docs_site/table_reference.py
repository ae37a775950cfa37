"""The tables and views of a database, as `simworld db info --columns` has them."""

from __future__ import annotations

from itertools import groupby

from docs_site.markdown import cell, code, sentence, table


def table_reference() -> str:
    """A section for each table and view: what a row is, and its columns."""
    from store.codebook import list_columns, table_meanings

    meanings = table_meanings()
    parts = []
    for name, columns in groupby(list_columns(), lambda column: column.table):
        rows = [
            [code(one.name), cell(one.type), _key(one.key), cell(one.comment)] for one in columns
        ]
        what = table(["column", "type", "key", "what it holds"], rows)
        parts.append(f"### `{name}`\n\n{sentence(meanings.get(name, ''))}\n\n{what}")
    return "\n".join(parts)


def _key(key: str) -> str:
    words = key.split()
    return " ".join(
        f"[{code(word)}](#{word.partition('.')[0]})" if "." in word else word for word in words
    )
