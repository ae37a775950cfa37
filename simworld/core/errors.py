"""The errors a user can meet, each shown as one line; anything else is a bug and keeps its
traceback.

SimworldError                  exit code 1
├── InputError                 exit code 2: files, options or settings; carries every problem
│   └── ResumeRefused          the content of a run's scenarios or agents has changed
├── MissingExtra               exit code 2: an optional package is not installed
├── StoreError                 the database: locked, full, unreachable
│   └── StoreMismatch          exit code 2: not ours, or of another version
│       └── StoreDamaged       exit code 2: ours, and what is stored cannot be read
├── ModelError                 a model cannot be found, loaded or reached at all
├── Stopped                    exit code 2: too much failed; what is stored stays
└── BudgetSpent                exit code 0: no error, the budget of a command has no room for more

A failure inside an episode or a judgement is no exception: it is a `Failure`, and it is stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with what the user gave: where, and what to do about it."""

    message: str
    where: str = ""  # "rent.yaml:7:5", or empty where there is no file

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class SimworldError(Exception):
    """A known error. Its text is one line: the place, what was found, what was expected, what to
    do.
    """

    exit_code = 1


class InputError(SimworldError):
    """What the user gave cannot be used; `problems` lists everything wrong with it, in order.

    A text is the one problem there is, at the place `where`.
    """

    exit_code = 2

    def __init__(self, problems: Iterable[Problem] | str, where: str = "") -> None:
        listed = (Problem(problems, where),) if isinstance(problems, str) else tuple(problems)
        self.problems: tuple[Problem, ...] = listed
        super().__init__("\n".join(map(str, self.problems)))


@contextmanager
def collecting_problems(problems: list[Problem]) -> Iterator[None]:
    """Adds the problems of an InputError in the block to a list, and goes on behind the block."""
    try:
        yield
    except InputError as error:
        problems += error.problems


class ResumeRefused(InputError):
    """A run of this name exists, but its scenarios or agents have other content now."""


class MissingExtra(SimworldError):
    """A feature needs an optional package; the text says which command installs it."""

    exit_code = 2

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an optional package: pip install 'simworld[{extra}]'")


class StoreError(SimworldError):
    """The database cannot be read or written now."""


class StoreMismatch(StoreError):
    """The file or server is not a simworld database, or one of another version."""

    exit_code = 2


class StoreDamaged(StoreMismatch):
    """What is stored cannot be read: pages of the file are damaged, or a cell holds what simworld
    never stores.
    """


class ModelError(SimworldError):
    """A model cannot be found, loaded or reached at all; `exit_code` 2, for a setting names it."""

    exit_code = 2


class Stopped(SimworldError):
    """A command stops before its end, for too much has failed; what is stored stays, and the same
    command goes on from there.
    """

    exit_code = 2


class BudgetSpent(SimworldError):
    """A command stops because its next piece of work would exceed the budget: no error."""

    exit_code = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A model, judge or network failure as data: stored with its boundary, never a score, never
    dropped.
    """

    boundary: str  # who failed: "model", "reply", "judge", "engine"
    kind: str  # a short stable word: "timeout", "too-long", "refused", "empty", "http-429", …
    message: str  # one line for people

    def __str__(self) -> str:
        return f"{self.boundary}: {self.kind}: {self.message}"


def model_failure(kind: str, message: str) -> Failure:
    """A failure of the model's boundary."""
    return Failure(boundary="model", kind=kind, message=message)
