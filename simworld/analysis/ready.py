"""The ready queries: `simworld/queries/NAME.sql`, each with a comment that says what it answers, its columns and parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from simworld.core.errors import InputError
from simworld.yamlfile import did_you_mean
from store.parameters import Value

_ENTRY = re.compile(r"^-- (:?)(\w+) {2,}(.+)$")
_DEFAULT = "; default: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A ready query."""

    name: str
    question: str  # what it answers, one line
    notes: str  # more about it; may be empty
    columns: Mapping[str, str]  # name → what it holds
    parameters: Mapping[str, str]  # name → what it means
    text: str  # the file
    sql: str

    @property
    def required(self) -> tuple[str, ...]:
        """The parameters that have no default."""
        return tuple(name for name, meaning in self.parameters.items() if _DEFAULT not in meaning)

    def values(self, given: Mapping[str, Value]) -> dict[str, Value]:
        """A value for every parameter; raises InputError for those that are missing or unknown."""
        for name in given:
            if name not in self.parameters:
                there = ", ".join(self.parameters) or "none"
                hint = did_you_mean(name, self.parameters) or f"; it has {there}"
                raise InputError(f"ready query @{self.name} has no parameter {name!r}{hint}")
        if lost := [name for name in self.required if given.get(name) is None]:
            raise InputError(f"ready query @{self.name} needs {', '.join(f'{name}=…' for name in lost)}")
        return {name: given.get(name) for name in self.parameters}


@cache
def ready_queries() -> Mapping[str, Ready]:
    """Name → query, by name."""
    folder = resources.files("simworld") / "queries"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return {name: _read(name, file.read_text("utf-8")) for file in files for name in [file.name.removesuffix(".sql")]}


def ready_query(name: str) -> Ready:
    """The query of a name, with or without its `@`; raises InputError with the nearest name where there is none."""
    known = ready_queries()
    name = name.removeprefix("@")
    if name not in known:
        raise InputError(f"no ready query @{name}{did_you_mean(name, known) or f'; there are {', '.join(known)}'}")
    return known[name]


def _read(name: str, text: str) -> Ready:
    lines = text.splitlines()
    length = next(i for i, line in enumerate(lines) if not line.startswith("--"))
    head = lines[:length]
    prose = head[: head.index("--")] if "--" in head else head
    entries = [found.groups() for line in head[len(prose) :] if (found := _ENTRY.match(line))]
    return Ready(
        name=name,
        question=prose[0].removeprefix("-- "),
        notes=" ".join(line.removeprefix("-- ") for line in prose[1:]),
        columns={word: meaning for colon, word, meaning in entries if not colon},
        parameters={word: meaning for colon, word, meaning in entries if colon},
        text=text,
        sql="\n".join(lines[length:]),
    )
