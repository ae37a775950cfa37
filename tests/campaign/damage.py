"""Damage to an SQLite file: cells of wrong types, rows that are gone, tables changed by hand, and
bytes of its pages."""

from __future__ import annotations

import random
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

_HEADER = 100  # bytes of the file's header
_CELLS: tuple[object, ...] = (
    None, "", " ", "x", "abc", "\x00", "\x1b[31m", "\u202e", "x" * 100_000, 0, -1, 1, 2**31,
    2**63 - 1, -(2**63), 0.5, -1e308, 1e400, float("inf"), b"", b"\x00\xff", b"x" * 5000, "null",
    "[]", "{}", "[1]", '{"a": 1}', '{"a":', "[" * 3000, "1" * 5000, "NaN", "Infinity", '"x"',
    "true", "-5", "1e999", "nan", "2026-13-45", "0000-00-00 00:00:00", "2026-11-23 12:00:00.000000",
    "9999-12-31 23:59:59.999999", "speak", "failed", "terminated", "ok", "lm", "<f4", "<f8", "O",
    "|S9", "[0]", "[-1]", "[1000000000000]", "p1-0123", "j-digits", "a-plain", "a'b",
    '{"seller": "a-plain"}', '{"rubric": {}}', '{"rubric": {"dimensions": [{}]}}', '{"spec": []}',
    10**18, "0x10", "\U0001f3bb" * 1000, b"\xff\xfe\x00", "[1, 2", '{"name": 1}', '["x", 3]',
    '{"seats": []}', '{"setting": 1}', '["seller"]', '[["seller"]]', "\ud7ff\ue000",
)  # fmt: skip


def damage(path: Path, chance: random.Random) -> list[str]:
    """Damages the file once to three times; says how."""
    told = []
    for _ in range(chance.choice((1, 1, 2, 3))):
        how: Callable[[Path, random.Random], str] = chance.choices(
            (damage_cells, damage_rows, damage_schema, damage_pages), (6, 2, 2, 3)
        )[0]
        try:
            told.append(how(path, chance))
        except (
            sqlite3.Error,
            UnicodeDecodeError,
        ) as error:  # what was damaged before does not let it
            told.append(f"nothing: {error}")
    return told


def damage_cells(path: Path, chance: random.Random) -> str:
    """Some cells hold something of another type, whatever the table allows."""
    with closing(_loose(path)) as file:
        table = chance.choice(_tables(file))
        columns = [row[1] for row in file.execute(f'PRAGMA table_info("{table}")')]
        rows = [row[0] for row in file.execute(f'SELECT rowid FROM "{table}"')]
        if not rows:
            return f"{table} is empty"
        column = chance.choice(columns)
        value = chance.choice(_CELLS)
        chosen = rows if chance.random() < 0.2 else [chance.choice(rows)]
        for row in chosen:
            file.execute(
                f'UPDATE OR IGNORE "{table}" SET "{column}" = ? WHERE rowid = ?', (value, row)
            )
        file.commit()
        return f"{table}.{column} = {str(value)[:40]!r} in {len(chosen)} rows"


def damage_rows(path: Path, chance: random.Random) -> str:
    """Rows are gone that others refer to, or are there under another key."""
    with closing(_loose(path)) as file:
        table = chance.choice(_tables(file))
        share = chance.choice((0.1, 0.5, 1.0))
        gone = [
            row
            for row in file.execute(f'SELECT rowid FROM "{table}"').fetchall()
            if chance.random() < share
        ]
        file.executemany(f'DELETE FROM "{table}" WHERE rowid = ?', gone)
        file.commit()
        return f"{share:.0%} of {table} deleted"


def damage_schema(path: Path, chance: random.Random) -> str:
    """A table, column, index or view is gone, or was renamed, or the version is another."""
    with closing(_loose(path)) as file:
        table = chance.choice(_tables(file))
        column = chance.choice([row[1] for row in file.execute(f'PRAGMA table_info("{table}")')])
        kind, name = chance.choice(
            file.execute(
                "SELECT type, name FROM sqlite_master WHERE type <> 'table' AND name NOT LIKE"
                " 'sqlite_%'"
            ).fetchall()
            or [("view", "none")]
        )
        statement = chance.choice(
            (
                f'DROP TABLE "{table}"',
                f'ALTER TABLE "{table}" DROP COLUMN "{column}"',
                f'ALTER TABLE "{table}" RENAME COLUMN "{column}" TO "other"',
                f'ALTER TABLE "{table}" RENAME TO "other"',
                f'ALTER TABLE "{table}" ADD COLUMN "more" TEXT',
                f'DROP {kind} "{name}"',
                "UPDATE alembic_version SET version_num = '9999'",
                "UPDATE alembic_version SET version_num = x'00ff'",
                "DELETE FROM alembic_version",
                "DROP TABLE alembic_version",
                "PRAGMA user_version = 77",
                f'CREATE VIEW "v" AS SELECT * FROM "{table}" JOIN "none"',
                f'DROP TABLE "{table}"; CREATE VIEW "{table}" AS SELECT 1 AS "id"',
                f'DROP TABLE "{table}"; CREATE TABLE "{table}" ("id")',
            )
        )
        file.executescript(statement)
        return statement


def damage_pages(path: Path, chance: random.Random) -> str:
    """Bytes of the file changed, a page overwritten or exchanged, or its end lost."""
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray(path.read_bytes())
    if len(data) <= _HEADER:
        return "no page is left"
    page = 4096
    at = chance.randrange(len(data) // page or 1) * page
    match chance.randrange(6):
        case 0:
            places = [chance.randrange(len(data)) for _ in range(chance.choice((1, 5, 50, 500)))]
            for place in places:
                data[place] = chance.randrange(256)
            told = f"{len(places)} bytes changed"
        case 1:
            data[at : at + page] = chance.randbytes(page)
            told = f"page {at // page} overwritten"
        case 2:
            data[at : at + page] = bytes(page)
            told = f"page {at // page} emptied"
        case 3:
            other = chance.randrange(len(data) // page or 1) * page
            data[at : at + page], data[other : other + page] = (
                data[other : other + page],
                data[at : at + page],
            )
            told = f"pages {at // page} and {other // page} exchanged"
        case 4:
            del data[chance.randrange(len(data)) :]
            told = f"cut to {len(data)} bytes"
        case _:
            place = chance.randrange(_HEADER)
            data[place] = chance.randrange(256)
            told = f"byte {place} of the header changed"
    path.write_bytes(data)
    return told


def _loose(path: Path) -> sqlite3.Connection:
    """A connection that no longer keeps to what the tables demand of their cells."""
    file = sqlite3.connect(path)
    file.executescript(
        "PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON;"
        " PRAGMA writable_schema = ON;"
    )
    for name, sql in file.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND sql LIKE '% NOT NULL%'"
    ).fetchall():
        file.execute(
            "UPDATE sqlite_master SET sql = ? WHERE name = ?", (re.sub(r" NOT NULL", "", sql), name)
        )
    for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        file.execute(f'DROP TRIGGER "{name}"')
    file.execute("PRAGMA writable_schema = RESET")
    file.commit()
    return file


def _tables(file: sqlite3.Connection) -> list[str]:
    found = file.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND sql"
        " NOT LIKE '%VIRTUAL%'"
    )
    return [row[0] for row in found] or ["none"]
