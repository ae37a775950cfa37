"""A clock beside the work: where the time of a command went."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from simworld.core.profile import Metered, Profile, ProfilePart, parts_since, sum_parts
from simworld.core.protocols import Backend


class Profiler:
    """Starts when it is made. Adds up what its backends spent and what is timed with it."""

    def __init__(self, backends: Mapping[str, Backend]) -> None:
        self._metered = {
            key: backend for key, backend in backends.items() if isinstance(backend, Metered)
        }
        self._parts_before = {key: backend.parts_spent() for key, backend in self._metered.items()}
        self._timed_parts: dict[str, ProfilePart] = {}
        self._started = time.perf_counter()

    def add_backend(self, key: str, backend: Backend) -> None:
        """Adds a backend that was loaded meanwhile: all that it has spent counts."""
        if isinstance(backend, Metered):
            self._metered[key], self._parts_before[key] = backend, {}

    @contextmanager
    def time(self, part: str) -> Iterator[None]:
        """Times the block as a piece of this part; no backend may work inside."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.add_time(part, time.perf_counter() - started)

    def profile(self, backend_seconds: Mapping[str, float]) -> Profile:
        """The profile up to now.

        Args:
            backend_seconds: for which each backend was polled; for one that does not know where
                its time goes, a server or a person, they are the part `waiting`.
        """
        parts: dict[str, ProfilePart] = {}
        for key, backend in self._metered.items():
            parts = sum_parts(parts, parts_since(backend.parts_spent(), self._parts_before[key]))
        waited = sum(
            seconds for key, seconds in backend_seconds.items() if key not in self._metered
        )
        if waited:
            parts["waiting"] = ProfilePart(seconds=waited)
        return Profile(
            wall_s=time.perf_counter() - self._started, parts=sum_parts(parts, self._timed_parts)
        )

    def add_time(self, part: str, seconds: float) -> None:
        """Adds seconds that the caller has timed."""
        self._timed_parts = sum_parts(self._timed_parts, {part: ProfilePart(seconds=seconds)})
