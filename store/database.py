"""A database that is open: its transactions, whether it is still the one that was opened, and how
functions of a connection become its methods.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from sqlalchemy import Connection, Engine

from simworld.core.errors import StoreError
from store.connection import WRITE, check_unchanged
from store.damage import as_damage
from store.database_address import DatabaseAddress
from store.database_errors import store_errors
from store.interrupts import held_back

_Arguments = ParamSpec("_Arguments")
_Answer = TypeVar("_Answer")
_Place = TypeVar("_Place")
_Method = TypeVar("_Method", bound=Callable[..., Any])


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


def reads(
    function: Callable[Concatenate[Connection, _Arguments], _Answer],
) -> Callable[Concatenate[Database, _Arguments], _Answer]:
    """The method that answers with a function of a connection, in one transaction."""

    def method(self: Database, /, *args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Answer:
        with self._read() as connection:
            return function(connection, *args, **kwargs)

    return _named_after(function, method, given=1)


def writes(
    function: Callable[Concatenate[Connection, _Arguments], _Answer], *, lost: str
) -> Callable[Concatenate[Database, _Arguments], _Answer]:
    """The method that changes the database by a function of a connection, in one transaction;
    `lost` says what a failure means.
    """

    def method(self: Database, /, *args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Answer:
        with self._write(lost) as connection:
            return function(connection, *args, **kwargs)

    return _named_after(function, method, given=1)


def streams(
    function: Callable[Concatenate[Connection, _Arguments], Iterator[_Answer]],
) -> Callable[Concatenate[Database, _Arguments], Iterator[_Answer]]:
    """The method that yields what a generator of a connection does, all in one transaction."""

    def method(
        self: Database, /, *args: _Arguments.args, **kwargs: _Arguments.kwargs
    ) -> Iterator[_Answer]:
        with self._read() as connection:
            yield from function(connection, *args, **kwargs)

    return _named_after(function, method, given=1)


def batches(
    function: Callable[
        Concatenate[Connection, _Place | None, _Arguments],
        tuple[Iterable[_Answer], _Place | None],
    ],
) -> Callable[Concatenate[Database, _Arguments], Iterator[_Answer]]:
    """The method that yields batch after batch, each in a transaction of its own, so that others
    may write meanwhile.

    The function gets the place after which to go on, None at first, and gives a batch and the place
    where it ends; None where there is no more.
    """

    def method(
        self: Database, /, *args: _Arguments.args, **kwargs: _Arguments.kwargs
    ) -> Iterator[_Answer]:
        after: _Place | None = None
        while True:
            with self._read() as connection:
                batch, after = function(connection, after, *args, **kwargs)
            yield from batch
            if after is None:
                return

    return _named_after(function, method, given=2, return_annotation=Iterator)


def _named_after(
    function: Callable[..., Any], method: _Method, *, given: int, **replaced: Any
) -> _Method:
    """The method with the function's name, text and signature, less the arguments given to it."""
    functools.update_wrapper(method, function)
    signature = inspect.signature(function)
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    parameters = [itself, *list(signature.parameters.values())[given:]]
    described: Any = method
    described.__signature__ = signature.replace(parameters=parameters, **replaced)
    return method
