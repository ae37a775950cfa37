"""What a kind of model backend is, built in or another package's, and the boundary around those."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from agents.lm.reasoning_marks import Reasoning
from agents.lm.server.options import ServerOptions
from simworld.core.errors import ModelError, SimworldError
from simworld.core.protocols import Backend
from simworld.core.requests import Finished, ModelInfo, Request
from simworld.extensions.extension_table import Entry, one_line

S = TypeVar("S", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendParts:
    """What a backend is loaded with, besides its settings."""

    spec: str  # as the user wrote it: "echo:small"
    name: str  # what stands behind the colon: "small"
    dtype: str = "auto"
    device: str = "auto"
    batch_size: int = 32  # rows together, at most
    cache_bytes: int | None = None  # for caches; None: as the backend thinks best
    cpu_threads: int | None = None
    server: ServerOptions = field(default_factory=ServerOptions)  # how a server is asked
    reasoning: Reasoning | None = None  # how the model marks its thoughts


def _accept(name: str) -> None:
    """Any name may mean a model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendKind(Generic[S]):
    """What answers `model: NAME:…`: what an entry point of `simworld.backends` is."""

    settings: type[S]  # of the key `backend`
    make: Callable[[S, BackendParts], Backend]
    # of what stands behind the colon: a text that changes exactly when the model's content does,
    # which ids are made of; nothing is loaded for it
    identify: Callable[[str], str]
    # raises ModelError or ValueError for a name that can mean no model; nothing is looked at
    check: Callable[[str], None] = _accept


def extension_model_id(entry: Entry[BackendKind[Any]], name: str) -> str:
    """The id of an extension's model. Raises ModelError."""
    identify = call_extension(entry, "could not identify its model", entry.declaration.identify)
    return f"{entry.name} {entry.identity}:{identify(name)}"


def call_extension(
    entry: Entry[BackendKind[Any]], what: str, function: Callable[..., Any]
) -> Callable[..., Any]:
    """The function, what it raises told in one line as a ModelError."""

    def call(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except SimworldError:
            raise
        except Exception as error:  # the boundary of another package's own code
            where = f"backend {entry.name!r} of {entry.source}"
            raise ModelError(f"{where} {what}: {one_line(error)}") from None

    return call


class ExtensionBackend:
    """A Backend in front of another package's: its model is known by the id that was there before
    it was loaded, and what it raises stops the command with one line.
    """

    def __init__(self, entry: Entry[BackendKind[Any]], settings: BaseModel, parts: BackendParts):
        self._entry = entry
        self._backend: Backend = self._call("could not be made", entry.declaration.make)(
            settings, parts
        )
        info = self._call("has no `info`", lambda: self._backend.info)()
        if not isinstance(info, ModelInfo):
            raise ModelError(
                f"backend {entry.name!r} of {entry.source}: its `info` is {type(info).__name__};"
                " expected a ModelInfo"
            )
        model_id = extension_model_id(entry, parts.name)
        self.info = replace(info, spec=parts.spec, id=model_id, dtype="")

    def submit(self, request: Request) -> int:
        """A ticket of it."""
        ticket: int = self._call("failed in `submit`", self._backend.submit)(request)
        return ticket

    def poll(self, wait_s: float | None = None) -> Sequence[Finished]:
        """What it has done."""
        done: Sequence[Finished] = self._call("failed in `poll`", self._backend.poll)(wait_s)
        if not all(isinstance(each, Finished) for each in done):
            raise ModelError(
                f"backend {self._entry.name!r} of {self._entry.source}: `poll` gave"
                f" {type(done).__name__}; expected Finished ones"
            )
        return done

    def close(self) -> None:
        """Closes it."""
        self._call("failed in `close`", self._backend.close)()

    def _call(self, what: str, function: Callable[..., Any]) -> Callable[..., Any]:
        return call_extension(self._entry, what, function)
