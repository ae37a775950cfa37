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
        self._before = {key: backend.spent() for key, backend in self._metered.items()}
        self._timed: dict[str, ProfilePart] = {}
        self._begun = time.perf_counter()

    def add_backend(self, key: str, backend: Backend) -> None:
        """One that was loaded meanwhile: all that it has spent counts."""
        if isinstance(backend, Metered):
            self._metered[key], self._before[key] = backend, {}

    @contextmanager
    def time(self, part: str) -> Iterator[None]:
        """The block is a piece of this part; no backend may work inside."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.add(part, time.perf_counter() - begun)

    def profile(self, polled_s: Mapping[str, float]) -> Profile:
        """Up to now.

        Args:
            polled_s: seconds for which each backend was polled; for one that does not know where
                its time goes, a server or a person, they are the part `waiting`.
        """
        parts: dict[str, ProfilePart] = {}
        for key, backend in self._metered.items():
            parts = sum_parts(parts, parts_since(backend.spent(), self._before[key]))
        waited = sum(seconds for key, seconds in polled_s.items() if key not in self._metered)
        if waited:
            parts["waiting"] = ProfilePart(seconds=waited)
        return Profile(
            wall_s=time.perf_counter() - self._begun, parts=sum_parts(parts, self._timed)
        )

    def add(self, part: str, seconds: float) -> None:
        """What somebody else has timed."""
        self._timed = sum_parts(self._timed, {part: ProfilePart(seconds=seconds)})
