"""In place of a model, where none is asked."""

from __future__ import annotations

from collections.abc import Sequence

from simworld.core.errors import model_failure
from simworld.core.requests import Finished, ModelInfo, Request

NO_MODEL = "none"  # what a judge's file says that asks none


class NoBackend:
    """A Backend that answers every request with a Failure."""

    info = ModelInfo(spec=NO_MODEL, id=NO_MODEL, dtype="", context=None)

    def __init__(self) -> None:
        self._open: list[Finished] = []
        self._last_ticket = 0

    def submit(self, request: Request) -> int:
        """A ticket, which fails."""
        self._last_ticket += 1
        failure = model_failure("no-model", "a model was asked, but the file names none")
        self._open.append(Finished(ticket=self._last_ticket, completion=failure))
        return self._last_ticket

    def poll(self, wait_s: float | None = None) -> Sequence[Finished]:
        """The failures."""
        done, self._open = self._open, []
        return done

    def close(self) -> None:
        """Nothing to free."""
