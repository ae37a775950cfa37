"""A database that is open: its transactions, whether it is still the one that was opened, and how
functions of a connection become its methods.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from sqlalchemy import Connection, Engine

from simworld.core.errors import StoreError
from store.connection import WRITE_OPTION, check_version_unchanged
from store.damage import diagnose_damage
from store.database_address import DatabaseAddress
from store.database_errors import store_errors
from store.interrupts import delay_interrupts

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")
_Cursor = TypeVar("_Cursor")
_Method = TypeVar("_Method", bound=Callable[..., Any])


class Database:
    """See `Store`."""

    def __init__(self, address: DatabaseAddress, engine: Engine) -> None:
        self._address = address
        self._engine = engine
        self._opened_file = _file_identity(address)

    @property
    def location(self) -> str:
        """The file, or the URL without its password."""
        return str(self._address)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes all connections."""
        self._engine.dispose()

    def check_unchanged(self) -> None:
        """Raises an error if the database was replaced or upgraded since it was opened.

        Raises:
            StoreError: the file was deleted, moved or replaced; the database is locked or gone.
            StoreMismatch: it was brought to another version.
        """
        if _file_identity(self._address) != self._opened_file:
            raise StoreError(f"{self.location} was deleted, moved or replaced while it was in use")
        with self._read() as connection:
            check_version_unchanged(connection, self._address)

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with (
            diagnose_damage(self._address),
            store_errors(self.location),
            self._engine.connect() as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def _write(self, lost: str) -> Iterator[Connection]:
        # A deleted file can still be written through its open connection, and all of it would
        # vanish with the process.
        if _file_identity(self._address) != self._opened_file:
            raise StoreError(
                f"{self.location} was deleted, moved or replaced while it was in use; {lost}"
            )
        with (
            delay_interrupts(),
            diagnose_damage(self._address),
            store_errors(self.location, lost),
            self._engine.connect().execution_options(**{WRITE_OPTION: True}) as connection,
            connection.begin(),
        ):
            yield connection


def _file_identity(address: DatabaseAddress) -> tuple[int, int] | None:
    """Which file an SQLite address means now; None for a server, or where there is none."""
    if address.path is None:
        return None
    try:
        stat = address.path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino


def read_method(
    function: Callable[Concatenate[Connection, _Parameters], _Result],
) -> Callable[Concatenate[Database, _Parameters], _Result]:
    """The method that answers with a function of a connection, in one transaction."""

    def method(self: Database, /, *args: _Parameters.args, **kwargs: _Parameters.kwargs) -> _Result:
        with self._read() as connection:
            return function(connection, *args, **kwargs)

    return _with_signature_of(function, method, bound=1)


def write_method(
    function: Callable[Concatenate[Connection, _Parameters], _Result], *, lost: str
) -> Callable[Concatenate[Database, _Parameters], _Result]:
    """The method that changes the database by a function of a connection, in one transaction;
    `lost` says what a failure means.
    """

    def method(self: Database, /, *args: _Parameters.args, **kwargs: _Parameters.kwargs) -> _Result:
        with self._write(lost) as connection:
            return function(connection, *args, **kwargs)

    return _with_signature_of(function, method, bound=1)


def stream_method(
    function: Callable[Concatenate[Connection, _Parameters], Iterator[_Result]],
) -> Callable[Concatenate[Database, _Parameters], Iterator[_Result]]:
    """The method that yields what a generator of a connection does, all in one transaction."""

    def method(
        self: Database, /, *args: _Parameters.args, **kwargs: _Parameters.kwargs
    ) -> Iterator[_Result]:
        with self._read() as connection:
            yield from function(connection, *args, **kwargs)

    return _with_signature_of(function, method, bound=1)


def batch_method(
    function: Callable[
        Concatenate[Connection, _Cursor | None, _Parameters],
        tuple[Iterable[_Result], _Cursor | None],
    ],
) -> Callable[Concatenate[Database, _Parameters], Iterator[_Result]]:
    """The method that yields batch after batch, each in a transaction of its own, so that others
    may write meanwhile.

    The function gets a cursor, None at first, and gives a batch and the cursor to go on from; None
    where there is no more.
    """

    def method(
        self: Database, /, *args: _Parameters.args, **kwargs: _Parameters.kwargs
    ) -> Iterator[_Result]:
        cursor: _Cursor | None = None
        while True:
            with self._read() as connection:
                batch, cursor = function(connection, cursor, *args, **kwargs)
            yield from batch
            if cursor is None:
                return

    return _with_signature_of(function, method, bound=2, return_annotation=Iterator)


def _with_signature_of(
    function: Callable[..., Any], method: _Method, *, bound: int, **changes: Any
) -> _Method:
    """The method with the function's name, text and signature, less the arguments given to it."""
    functools.update_wrapper(method, function)
    signature = inspect.signature(function)
    self_parameter = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    parameters = [self_parameter, *list(signature.parameters.values())[bound:]]
    signed: Any = method
    signed.__signature__ = signature.replace(parameters=parameters, **changes)
    return method
