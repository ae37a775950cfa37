"""Engines for SQLite and PostgreSQL, the check of a database's version, and its upgrade."""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.pool import QueuePool

from simworld.core.errors import InputError, StoreError, StoreMismatch
from store.damage import diagnose_damage
from store.database_address import DatabaseAddress, parse_address, sqlite_uri
from store.database_errors import store_errors
from store.version import HEAD, VERSION_TABLE, VERSIONS

_log = logging.getLogger(f"simworld.{__name__}")
BUSY_TIMEOUT_S = 30.0
CONNECT_TIMEOUT_S = 10
WAL_PAUSE_S = 0.02
# execution option: the transaction begins by taking SQLite's write lock
WRITE_OPTION = "simworld_write"
JSON_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
# any number, the same in every process: PostgreSQL's advisory lock
MIGRATION_LOCK_ID = 7_163_926_531


def _is_no_interrupt(record: logging.LogRecord) -> bool:
    # SQLAlchemy logs Ctrl-C that comes while a connection is closed as an error, before it lets it
    # rise.
    return not (record.exc_info and isinstance(record.exc_info[1], KeyboardInterrupt))


def open_engine(
    address: DatabaseAddress,
    *,
    create: bool,
    busy_timeout_s: float = BUSY_TIMEOUT_S,
    read_only: bool = False,
    row_bytes: int | None = None,
) -> Engine:
    """An engine for a database of this code's version; with `create`, an absent or empty one is
    made.

    With `read_only` the database itself refuses every write: SQLite's file is opened so,
    PostgreSQL's transactions are. With `row_bytes` SQLite gives no row that is larger.

    Raises:
        InputError: absent, or no folder to make it in.
        StoreMismatch: not a simworld database, or one of an older or newer version.
        StoreError: locked, unreachable, not permitted.
    """
    if address.path is not None:
        _check_file(address.path, create=create)
    engine = _create_engine(
        address, busy_timeout_s, create=create, read_only=read_only, row_bytes=row_bytes
    )
    try:
        with diagnose_damage(address), store_errors(str(address)):
            with engine.connect() as connection:
                empty = not _check_version(connection, address)
            if empty and not create:
                raise StoreMismatch(
                    f"{address} is empty: no simworld database yet; `simworld run` makes one"
                )
            _log.info("database %s%s", address, ": made anew" if empty else "")
            if empty:
                _migrate(engine, address)
            if not read_only:
                _use_wal(engine, address, busy_timeout_s)
    except BaseException:
        engine.dispose()
        raise
    return engine


def check_store(url: str) -> bool:
    """Whether there is a database; raises what opening or making one would, as far as can be told
    without making it.

    For what is better said before minutes of other work.
    """
    address = parse_address(url)
    if address.path is not None:
        _check_file(address.path, create=True)
        if not address.path.exists():
            return False
    engine = _create_engine(address, BUSY_TIMEOUT_S, create=False)
    try:
        with diagnose_damage(address), store_errors(str(address)), engine.connect() as connection:
            return _check_version(connection, address)
    finally:
        engine.dispose()


def upgrade_store(url: str, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> tuple[str, str]:
    """Brings a database to this code's version, in one transaction; returns the versions before (""
    if empty) and after.

    Raises:
        InputError: absent.
        StoreMismatch: not a simworld database, or a newer one.
        StoreError: locked, unreachable, full.
    """
    address = parse_address(url)
    if address.path is not None:
        _check_file(address.path, create=False)
    engine = _create_engine(address, busy_timeout_s, create=False)
    try:
        with diagnose_damage(address), store_errors(str(address), "the database is as it was"):
            with engine.connect() as connection:
                before = _read_version(connection, address)
                if before:
                    _refuse_newer(before, address)
            if before != HEAD:
                _migrate(engine, address)
    finally:
        engine.dispose()
    return before, HEAD


def _check_file(path: Path, *, create: bool) -> None:
    if path.is_dir():
        raise StoreMismatch(f"{path} is a folder, not a database file")
    if path.exists():
        if not path.is_file():
            raise StoreMismatch(f"{path} is a pipe or a device, not a database file")
        return
    if not create:
        raise InputError(f"no database {path}; `simworld run` makes one")
    if not path.parent.is_dir():
        raise InputError(f"{path} cannot be made: no folder {path.parent}")


def _use_wal(engine: Engine, address: DatabaseAddress, busy_timeout_s: float) -> None:
    """Lets readers and a writer work side by side; kept in the file, so set only once it is known
    to be ours.
    """
    if address.path is None or not sqlite_uri(address.path)[1]:
        return
    deadline = time.monotonic() + busy_timeout_s
    with engine.connect() as connection:
        raw = connection.connection  # outside a transaction
        while True:
            try:
                if raw.execute("PRAGMA journal_mode").fetchone() != ("wal",):
                    raw.execute("PRAGMA journal_mode=WAL")
                return
            # SQLite does not wait here while others open the file
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise StoreError(
                        f"{address} is locked by another program or cannot be written ({error})"
                    ) from error
            time.sleep(WAL_PAUSE_S)


def _create_engine(
    address: DatabaseAddress,
    busy_timeout_s: float,
    *,
    create: bool,
    read_only: bool = False,
    row_bytes: int | None = None,
) -> Engine:
    if address.path is None:
        server = create_engine(
            address.url,
            connect_args={"connect_timeout": CONNECT_TIMEOUT_S},
            json_serializer=JSON_ENCODER.encode,
            execution_options={"postgresql_readonly": True} if read_only else {},
        )
        if read_only:

            @event.listens_for(server, "connect")
            def limit_lock_wait(connection: Any, record: Any) -> None:
                connection.execute(f"SET lock_timeout = {int(busy_timeout_s * 1000)}")
                connection.commit()

        return server
    uri, _ = sqlite_uri(address.path, create=create, read_only=read_only)

    def connect_sqlite() -> sqlite3.Connection:
        return sqlite3.connect(
            uri, uri=True, timeout=busy_timeout_s, check_same_thread=False, isolation_level=None
        )

    engine = create_engine(
        "sqlite://",
        creator=connect_sqlite,
        poolclass=QueuePool,
        json_serializer=JSON_ENCODER.encode,
    )
    logging.getLogger("sqlalchemy.pool.impl.QueuePool").addFilter(_is_no_interrupt)

    @event.listens_for(engine, "connect")
    def set_pragmas(connection: Any, record: Any) -> None:
        # Python would begin transactions by itself, and not around DDL
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout={int(busy_timeout_s * 1000)}")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA synchronous=NORMAL")
        if row_bytes is not None:
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, row_bytes)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        immediate = connection.get_execution_options().get(WRITE_OPTION, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


def _read_version(connection: Connection, address: DatabaseAddress) -> str:
    """The version of a simworld database, or empty for a database without tables; raises
    StoreMismatch for any other.
    """
    tables = inspect(connection).get_table_names()
    if VERSION_TABLE not in tables:
        if tables:
            tables_text = ", ".join(sorted(tables)[:3]) + (", …" if len(tables) > 3 else "")
            raise StoreMismatch(
                f"{address} is a database, but not one of simworld (its tables: {tables_text})"
            )
        return ""
    versions = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalars().all()
    if len(versions) != 1:
        raise StoreMismatch(
            f"{address} is damaged: {VERSION_TABLE} holds {len(versions)} versions instead of one"
        )
    return str(versions[0])


def check_version_unchanged(connection: Connection, address: DatabaseAddress) -> None:
    """Raises StoreMismatch where a database that was opened has meanwhile been brought to another
    version.
    """
    versions = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalars().all()
    if versions != [HEAD]:
        _refuse_newer(str(versions[0]) if versions else "none", address)


def _check_version(connection: Connection, address: DatabaseAddress) -> bool:
    """Whether the database is of this code's version; False where it is empty."""
    version = _read_version(connection, address)
    if not version:
        return False
    _refuse_newer(version, address)
    if version != HEAD:
        raise StoreMismatch(
            f"{address} is of version {version}, this simworld needs {HEAD}: simworld db upgrade"
            f" --db {address.as_written}"
        )
    return True


def _refuse_newer(version: str, address: DatabaseAddress) -> None:
    if version not in VERSIONS:
        raise StoreMismatch(
            f"{address} is of version {version}, this simworld knows versions up to {HEAD}; install"
            " a newer simworld"
        )


def _migrate(engine: Engine, address: DatabaseAddress) -> None:
    """Runs what migrations are missing, all in one transaction; two processes at once do it
    once.
    """
    from store.cells.cell_rebuild import rebuild_all
    from store.migrations.migrate import migrate  # Alembic is slow to import and seldom needed

    with engine.connect().execution_options(**{WRITE_OPTION: True}) as connection:
        sqlite = connection.dialect.name == "sqlite"
        if sqlite:  # rebuilding a table would cascade; the pragma works only outside a transaction
            connection.connection.dbapi_connection.execute("PRAGMA foreign_keys=OFF")  # type: ignore[union-attr]
        try:
            with connection.begin():
                if not sqlite:
                    connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK_ID})"))
                if _read_version(connection, address) != HEAD:
                    migrate(connection)
                    rebuild_all(connection)  # migrations leave what the code keeps to the code
        finally:
            if sqlite:
                connection.connection.dbapi_connection.execute("PRAGMA foreign_keys=ON")  # type: ignore[union-attr]
