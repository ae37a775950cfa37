"""What databases say when they cannot go on, said in one line; anything unknown stays a bug with
its traceback.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError

from simworld.core.errors import StoreDamaged, StoreError, StoreMismatch

NO_SPACE = "no space is left"
RESTORE_ADVICE = "restore it from a copy, or save what is left with: sqlite3 FILE .recover"
RETRY_ADVICE = "free space and run the same command again"

# SQLite has codes, but Python 3.11's exceptions reach us with them only sometimes; the messages are
# stable
SQLITE_ERRORS: tuple[tuple[str, type[StoreError], str], ...] = (
    ("file is not a database", StoreMismatch, "is not an SQLite database"),
    (
        "database is locked",
        StoreError,
        "is locked by another program; end that program or try again later",
    ),
    (
        "database table is locked",
        StoreError,
        "is locked by another program; end that program or try again later",
    ),
    ("disk is full", StoreError, f"cannot be written: {NO_SPACE}; {RETRY_ADVICE}"),
    (
        "disk i/o error",
        StoreError,
        f"cannot be read or written: the disk failed, or {NO_SPACE}; {RETRY_ADVICE}",
    ),
    ("readonly database", StoreError, "cannot be written: no permission"),
    (
        "unable to open database file",
        StoreError,
        "cannot be opened: no such folder, or no permission",
    ),
    (
        "too big",
        StoreError,
        "holds a row that is too large to be read here; look at it with `simworld db query`",
    ),
    ("malformed", StoreDamaged, f"is damaged; {RESTORE_ADVICE}"),
)
# PostgreSQL's SQLSTATE, whole or its class of two characters
POSTGRESQL_ERRORS: tuple[tuple[str, type[StoreError], str], ...] = (
    ("53100", StoreError, f"cannot be written: {NO_SPACE} on the server; {RETRY_ADVICE}"),
    ("53", StoreError, "has no resources left"),
    ("28", StoreError, "refuses this user or password"),
    ("3D000", StoreError, "does not exist on that server; make it with: createdb NAME"),
    ("42501", StoreError, "does not let this user do that"),
    ("25006", StoreError, "cannot be written: it is read-only"),
    ("55P03", StoreError, "is locked by another program; try again later"),
    (
        "40",
        StoreError,
        "rolled back a change because of a concurrent one; run the same command again",
    ),
    ("57P", StoreError, "is shutting down or starting; try again later"),
    ("08", StoreError, "cannot be reached"),
)


@contextmanager
def store_errors(where: str, lost: str = "") -> Iterator[None]:
    """Turns what the database cannot do now into StoreError or StoreMismatch; `lost` says what that
    means for the caller's data.
    """
    try:
        yield
    except DBAPIError as error:
        explained = explain_database_error(error, where, lost)
        if explained is None:
            raise
        raise explained from error


def explain_database_error(error: DBAPIError, where: str, lost: str = "") -> StoreError | None:
    """The error for people, or None where it is not one that a user can meet."""
    original = error.orig
    message = " ".join(str(original).split())
    suffix = f"; {lost}" if lost else ""
    state = getattr(original, "sqlstate", None)
    if state:
        for state_prefix, kind, text in POSTGRESQL_ERRORS:
            if state.startswith(state_prefix):
                return kind(f"{where} {text} ({message}){suffix}")
        return None
    if (explained := explain_sqlite_error(message, where, suffix)) is not None:
        return explained
    if (
        type(original).__module__.startswith("psycopg")
        and type(original).__name__ == "OperationalError"
    ):
        return StoreError(f"{where} cannot be reached: {message}{suffix}")
    return None


def explain_sqlite_error(message: str, where: str, suffix: str = "") -> StoreError | None:
    """The error for people behind a message of SQLite, or None where it is not known."""
    for fragment, kind, text in SQLITE_ERRORS:
        if fragment in message.lower():
            return kind(f"{where} {text}{suffix}")
    return None
