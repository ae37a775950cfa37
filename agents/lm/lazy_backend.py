"""A backend that is loaded by its first request, so that a command with nothing to ask loads
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from simworld.core.protocols import Backend
from simworld.core.requests import Finished, ModelInfo, Request


class LazyBackend:
    """A Backend in front of one that is not loaded yet."""

    def __init__(self, info: ModelInfo, load: Callable[[], Backend]) -> None:
        """What `identify_model` says of the model, and what loads it; `submit` raises what that
        raises, ModelError for one.
        """
        self.info, self._load = info, load
        self.loaded: Backend | None = None

    def submit(self, request: Request) -> int:
        """A ticket of the backend behind, loaded if it is not."""
        if self.loaded is None:
            self.loaded = self._load()
        return self.loaded.submit(request)

    def poll(self, wait_s: float | None = None) -> Sequence[Finished]:
        """What is done."""
        return () if self.loaded is None else self.loaded.poll(wait_s)

    def close(self) -> None:
        """Closes the backend behind, if there is one."""
        if self.loaded is not None:
            self.loaded.close()
