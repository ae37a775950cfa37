"""Database addresses: what a user may write after `--db`, and what it means."""

from __future__ import annotations

import errno
import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from simworld.core.errors import InputError, MissingExtra

MAX_SHOWN = 60  # characters of a file's name
ADDRESS_HINT = "use sqlite:///FILE or postgresql://USER@HOST/NAME"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseAddress:
    """Where a database is: `path` is set for SQLite, `url` is what SQLAlchemy connects to."""

    as_written: str
    url: URL
    path: Path | None

    def __str__(self) -> str:
        """For messages: the file, or the URL without its password."""
        return (
            str(self.path)
            if self.path is not None
            else self.url.set(drivername="postgresql").render_as_string(hide_password=True)
        )


def parse_address(text: str) -> DatabaseAddress:
    """The address behind a URL or a file name; raises InputError, or MissingExtra where
    PostgreSQL's driver is not installed.
    """
    if not text.strip():
        raise InputError(f"the database's address is empty; {ADDRESS_HINT}")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError("the database's address is not UTF-8 text; rename the file") from None
    if "://" not in text:
        return _sqlite_address(text, text)
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        # the text may hold a password: not repeated
        raise InputError(f"not a database address; {ADDRESS_HINT}") from error
    kind = url.get_backend_name()
    if kind == "sqlite":
        if url.database in (None, "", ":memory:"):
            raise InputError(f"a database in memory is lost at once; {ADDRESS_HINT}")
        if url.query:
            raise InputError(
                f"sqlite:///FILE takes no options, found {', '.join(sorted(url.query))}"
            )
        return _sqlite_address(text, url.database or "")
    if kind in ("postgresql", "postgres"):
        if importlib.util.find_spec("psycopg") is None:
            raise MissingExtra("PostgreSQL", "postgresql")
        return DatabaseAddress(
            as_written=text, url=url.set(drivername="postgresql+psycopg"), path=None
        )
    raise InputError(f"databases of the kind {kind!r} are not supported; {ADDRESS_HINT}")


def _sqlite_address(text: str, path: str) -> DatabaseAddress:
    try:
        os.stat(path)
    except ValueError:
        raise InputError("the database's address holds a NUL character") from None
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
            shown = path if len(path) < MAX_SHOWN else f"{path[:MAX_SHOWN]}…"
            raise InputError(f"{shown} cannot be a database file: {error.strerror}") from None
    return DatabaseAddress(
        as_written=text, url=URL.create("sqlite", database=path), path=Path(path)
    )


def sqlite_uri(path: Path, *, create: bool = False, read_only: bool = False) -> tuple[str, bool]:
    """The `file:` URI by which SQLite opens a file, and whether that allows writing; never creates
    one unless asked.
    """
    quoted_path = quote(str(path.absolute()))
    if create and not path.exists():
        return f"file:{quoted_path}?mode=rwc", True
    writable = _may_write(path) and _may_write(path.parent)
    if writable:
        return f"file:{quoted_path}?mode={'ro' if read_only else 'rw'}", not read_only
    # A WAL database in a folder where nothing can be written opens only when SQLite may take it as
    # unchanging
    has_wal = path.with_name(path.name + "-wal").exists()
    return f"file:{quoted_path}?mode=ro" + (
        "" if has_wal or _may_write(path.parent) else "&immutable=1"
    ), False


def _may_write(path: Path) -> bool:
    """For the user whose rights the process has now, where the system can tell them from the one
    who started it.
    """
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)
