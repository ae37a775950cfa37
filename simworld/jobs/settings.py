"""What every job takes beside its own arguments: patience, limits, memory, and who is told."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypedDict

from pydantic import ValidationError

from agents.lm.server.options import ServerFields
from simworld.core.errors import InputError, Problem
from simworld.core.stopping import MaxFailures, StopTracker
from simworld.yamlfile import problem_texts

if TYPE_CHECKING:
    from agents import LoadedSpec, TerminalBackend
    from simworld.runner.agent_pool import AgentPool

_SERVER_OPTIONS = {"concurrency": "concurrency", "timeout_s": "timeout", "retries": "retries"}


class JobOptions(TypedDict, total=False):
    """Arguments that every job takes, with the defaults of the commands."""

    progress: bool  # show a bar on stderr; default: nothing is printed
    retry_failed: bool  # do again what failed
    max_live: int  # conversations under way at once; default 32
    cpu_threads: int | None  # of a local model; default: SIMWORLD_THREADS, else the cores
    concurrency: int | None  # requests open at a server; default: its file's, else 8
    timeout_s: float | None  # of one attempt at a server; default: its file's, else 120
    retries: int | None  # at a server, after the first attempt; default: its file's, else 5
    # stop once more have failed: a number (int), or a share of what is to do (float below 1)
    max_failures: int | float | None
    budget_tokens: int | None  # of servers: begin nothing that would not fit


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSettings:
    """The same, checked, with those who are told what a user should know."""

    progress: bool = False
    retry_failed: bool = False
    max_live: int = 32
    cpu_threads: int | None = None
    cache_bytes: int | None = None  # for the caches of local models
    server: ServerFields = field(default_factory=ServerFields)  # over what files say
    stopping: StopTracker = field(default_factory=StopTracker)
    before_load: Callable[[str], None] = lambda model: None
    warn: Callable[[str], None] = lambda line: None

    def open_agents(
        self, specs: Iterable[LoadedSpec], terminal: TerminalBackend | None = None
    ) -> AbstractContextManager[AgentPool]:
        """The agents of some specs, their models loaded on use. Raises ModelError."""
        from simworld.runner.agent_pool import load_agents

        return load_agents(
            specs,
            terminal=terminal,
            batch_size=self.max_live,
            cache_bytes=self.cache_bytes,
            cpu_threads=self.cpu_threads,
            server=self.server,
            before_load=self.before_load,
            warn=self.warn,
        )


def read_settings(
    job: str, options: Mapping[str, Any], *, cache_bytes: int | None = None
) -> JobSettings:
    """The settings of a job that is called from Python.

    Raises:
        TypeError: an option that there is not.
        InputError: with every value that is out of range.
    """
    if unknown := options.keys() - JobOptions.__optional_keys__:
        raise TypeError(f"{job}() got an unexpected keyword argument {sorted(unknown)[0]!r}")
    problems: list[Problem] = []
    threads = options.get("cpu_threads")
    if threads is None and (said := os.environ.get("SIMWORLD_THREADS")):
        threads = int(said) if said.isdecimal() else said
    for name, value in (
        ("max_live", options.get("max_live")),
        ("cpu_threads", threads),
        ("cache_bytes", cache_bytes),
        ("budget_tokens", options.get("budget_tokens")),
    ):
        if value is not None and (not isinstance(value, int) or value < 1):
            problems.append(Problem(f"{name}: expected a whole number from 1, found {value!r}"))
    server = ServerFields()
    try:
        server = ServerFields.model_validate(
            {key: options.get(option) for option, key in _SERVER_OPTIONS.items()}
        )
    except ValidationError as error:
        problems += [Problem(text) for text in problem_texts(error)]
    max_failures = None
    try:
        max_failures = _read_max_failures(options.get("max_failures"))
    except ValueError as error:
        problems.append(Problem(str(error)))
    if problems:
        raise InputError(problems)
    stopping = StopTracker(budget_tokens=options.get("budget_tokens"), max_failures=max_failures)
    return JobSettings(
        progress=bool(options.get("progress", False)),
        retry_failed=bool(options.get("retry_failed", False)),
        max_live=options.get("max_live", 32),
        cpu_threads=threads,
        cache_bytes=cache_bytes,
        server=server,
        stopping=stopping,
        warn=_warn,
    )


def _warn(line: str) -> None:
    from simworld.analysis.questions.query_source import Note

    warnings.warn(line, Note, stacklevel=2)


def _read_max_failures(value: int | float | None) -> MaxFailures | None:
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return MaxFailures(count=value)
    if isinstance(value, float) and 0 <= value <= 1:
        return MaxFailures(share=value)
    raise ValueError(
        f"max_failures: expected a number like 20, or a share like 0.1, found {value!r}"
    )
