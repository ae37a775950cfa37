"""Protocols: an agent is a generator of requests; a backend answers them as they finish."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from typing import Protocol, runtime_checkable

from simworld.core.episode import Act, Observation
from simworld.core.errors import Failure
from simworld.core.judgement import Verdict
from simworld.core.requests import Completion, Finished, ModelInfo, Request

ActResult = Act | Failure
ActGenerator = Generator[Request, Completion, ActResult]
JudgementGenerator = Generator[Request, Completion, tuple[Verdict, ...] | Failure]


class Agent(Protocol):
    """Who plays a seat. Sans-I/O: it asks by yielding requests, and so holds no model."""

    @property
    def id(self) -> str:
        """Hash of the resolved spec with the content of model, prompt and planner."""

    @property
    def model(self) -> str:
        """Which backend answers its requests, as written in the spec and with dtype; empty if it
        makes none.
        """

    def act(self, observation: Observation) -> ActGenerator:
        """Yields requests, is sent their completions (failures too), returns an act or a failure.
        Keeps no state.
        """


class Backend(Protocol):
    """A model that works on many requests at once."""

    @property
    def info(self) -> ModelInfo:
        """The model that runs here."""

    def submit(self, request: Request) -> int:
        """A ticket for the request; returns at once, and may be called while others run."""

    def poll(self, wait_s: float | None = None) -> Sequence[Finished]:
        """Works or waits until at least one ticket is done, or `wait_s` seconds are over; empty if
        none is open or none done.

        A bad request fails alone: its completion is a Failure. Each ticket comes back exactly once.
        """

    def close(self) -> None:
        """Frees threads, connections and memory; open tickets are lost."""


@runtime_checkable
class MemoryBounded(Protocol):
    """Optional methods of a backend whose memory limits how many threads it can keep."""

    def memory_share(self, tokens: int) -> float:
        """The share of the backend's memory that a thread of `tokens` tokens takes. Threads fit
        while their shares sum to at most 1.
        """

    def forget_threads(self, cpu_threads: Iterable[str]) -> None:
        """Marks threads as finished: their caches are evicted first. Unknown names are ignored."""
