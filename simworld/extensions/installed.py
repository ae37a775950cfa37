"""What installed distributions declare as entry points; nothing is imported to know it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledExtension:
    """One entry point, and which distribution declares it."""

    group: str
    name: str
    distribution: str
    version: str
    entry_point: EntryPoint

    @property
    def source(self) -> str:
        """`barter 0.1.0`, as messages say it."""
        return f"{self.distribution} {self.version}".strip()


def installed_extensions(group: str) -> tuple[InstalledExtension, ...]:
    """The entry points of a group, by name; of two distributions that give one name, both."""
    return _read_entry_points(group, tuple(sys.path))


@lru_cache(maxsize=64)
def _read_entry_points(group: str, path: tuple[str, ...]) -> tuple[InstalledExtension, ...]:
    """All folders of the path are looked through for it, so what they hold is remembered."""
    found = [
        InstalledExtension(
            group=group,
            name=entry_point.name,
            distribution="" if entry_point.dist is None else entry_point.dist.name,
            version="" if entry_point.dist is None else entry_point.dist.version,
            entry_point=entry_point,
        )
        for entry_point in entry_points(group=group)
    ]
    return tuple(sorted(found, key=lambda each: (each.name, each.distribution)))
