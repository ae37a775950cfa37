"""A database that is open: its transactions, and whether it is still the one that was opened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, Engine

from simworld.core.errors import StoreError
from store.connection import WRITE, check_unchanged
from store.damage import as_damage
from store.database_address import DatabaseAddress
from store.database_errors import store_errors
from store.interrupts import held_back


class Database:
    """See `Store`."""

    def __init__(self, address: DatabaseAddress, engine: Engine) -> None:
        self._address = address
        self._engine = engine
        self._file = _identity(address)

    @property
    def where(self) -> str:
        """The file, or the URL without its password."""
        return str(self._address)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes all connections."""
        self._engine.dispose()

    def check(self) -> None:
        """Raises an error if the database was replaced or upgraded since it was opened.

        Raises:
            StoreError: the file was deleted, moved or replaced; the database is locked or gone.
            StoreMismatch: it was brought to another version.
        """
        if _identity(self._address) != self._file:
            raise StoreError(f"{self.where} was deleted, moved or replaced while it was in use")
        with self._read() as connection:
            check_unchanged(connection, self._address)

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with (
            as_damage(self._address),
            store_errors(self.where),
            self._engine.connect() as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def _write(self, lost: str) -> Iterator[Connection]:
        # A deleted file can still be written through its open connection, and all of it would
        # vanish with the process.
        if _identity(self._address) != self._file:
            raise StoreError(
                f"{self.where} was deleted, moved or replaced while it was in use; {lost}"
            )
        with (
            held_back(),
            as_damage(self._address),
            store_errors(self.where, lost),
            self._engine.connect().execution_options(**{WRITE: True}) as connection,
            connection.begin(),
        ):
            yield connection


def _identity(address: DatabaseAddress) -> tuple[int, int] | None:
    """Which file an SQLite address means now; None for a server, or where there is none."""
    if address.path is None:
        return None
    try:
        stat = address.path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino
