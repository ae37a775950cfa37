"""The ready queries: `simworld/queries/NAME.sql`, each with a comment that says what it answers,
its columns and parameters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

import store
from simworld.core.errors import InputError
from simworld.yamlfile import did_you_mean
from store.query_parameters import BoundValue

_ENTRY = re.compile(r"^-- (:?)(\w+) {2,}(.+)$")
_DEFAULT = "; default: "
_AGENTS = "SELECT DISTINCT agent_name FROM run_agents ORDER BY agent_name"
# Parameter → what it may name; a name that is not there would give no rows, and no reason
_KNOWN_NAMES_SQL = {
    "run": "SELECT name FROM runs ORDER BY created, name",
    "judge": "SELECT DISTINCT name FROM judges ORDER BY name",
    "agent": _AGENTS,
    "first": _AGENTS,
    "second": _AGENTS,
    "dimension": "SELECT DISTINCT dimension FROM verdicts ORDER BY dimension",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyQuery:
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

    def bind(self, given: Mapping[str, BoundValue]) -> dict[str, BoundValue]:
        """A value for every parameter; raises InputError for those that are missing or unknown."""
        for name in given:
            if name not in self.parameters:
                known = ", ".join(self.parameters) or "none"
                hint = did_you_mean(name, self.parameters) or f"; it has {known}"
                raise InputError(f"ready query @{self.name} has no parameter {name!r}{hint}")
        if missing := [name for name in self.required if given.get(name) is None]:
            raise InputError(
                f"ready query @{self.name} needs {', '.join(f'{name}=…' for name in missing)}"
            )
        return {name: given.get(name) for name in self.parameters}


def ready_queries() -> Mapping[str, ReadyQuery]:
    """Name → query, by name."""
    folder = resources.files("simworld") / "queries"
    files = sorted(
        (file for file in folder.iterdir() if file.name.endswith(".sql")),
        key=lambda file: file.name.split("."),
    )
    return {
        name: _parse_query(name, file.read_text("utf-8"))
        for file in files
        for name in [file.name.removesuffix(".sql")]
    }


def ready_query(name: str) -> ReadyQuery:
    """The query of a name, with or without its `@`; raises InputError with the nearest name where
    there is none.
    """
    known = ready_queries()
    name = name.removeprefix("@")
    if name not in known:
        hint = did_you_mean(name, known, display="@{}".format) or f"; there are {', '.join(known)}"
        raise InputError(f"no ready query @{name}{hint}")
    return known[name]


def check_names(url: str, values: Mapping[str, BoundValue]) -> None:
    """Raises InputError for a run, judge, agent or dimension that is not in the database, with the
    nearest that is.
    """
    for name, value in values.items():
        if value is None or name not in _KNOWN_NAMES_SQL:
            continue
        with store.query(url, _KNOWN_NAMES_SQL[name]) as answer:
            known = [row[0] for row in answer]
        if value not in known:
            hint = did_you_mean(value, known) or f"; there are {', '.join(known[:8]) or 'none'}"
            raise InputError(
                f"no {'agent' if name in ('first', 'second') else name} {value!r} there{hint}"
            )


def _parse_query(name: str, text: str) -> ReadyQuery:
    lines = text.splitlines()
    comment_lines = next(i for i, line in enumerate(lines) if not line.startswith("--"))
    comment = lines[:comment_lines]
    prose = comment[: comment.index("--")] if "--" in comment else comment
    entries = [entry.groups() for line in comment[len(prose) :] if (entry := _ENTRY.match(line))]
    return ReadyQuery(
        name=name,
        question=prose[0].removeprefix("-- "),
        notes=" ".join(line.removeprefix("-- ") for line in prose[1:]),
        columns={word: meaning for colon, word, meaning in entries if not colon},
        parameters={word: meaning for colon, word, meaning in entries if colon},
        text=text,
        sql="\n".join(lines[comment_lines:]),
    )
