"""Which database a job uses, and what is said where one is damaged. Imports nothing large."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from simworld.core.errors import SimworldError

DEFAULT_DB = "sqlite:///simworld.db"
DB_VARIABLE = "SIMWORLD_DB"
EXPECTED_ERRORS = (SimworldError, OSError)


def database_address(db: str | os.PathLike[str] | None) -> str:
    """The database that is meant: by default that of SIMWORLD_DB, else `simworld.db` here."""
    return os.environ.get(DB_VARIABLE) or DEFAULT_DB if db is None else os.fspath(db)


@contextmanager
def explaining_damage(
    db: str, expected: tuple[type[BaseException], ...] = EXPECTED_ERRORS
) -> Iterator[None]:
    """Explains an unknown error where a damaged cell of the database is to blame; those that are
    `expected` go on as they are.
    """
    try:
        yield
    except expected:
        raise
    except Exception as error:
        from store.damage import explain_damage  # slow to import, and seldom needed

        if (explained := explain_damage(db, error)) is None:
            raise
        raise explained from error
