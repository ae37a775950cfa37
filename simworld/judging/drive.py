"""Many judgements over one backend at once: each is a generator of requests, and nobody waits for
another.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from simworld.core.errors import Failure
from simworld.core.judgement import Verdict
from simworld.core.protocols import Backend
from simworld.core.requests import Completion, Generated, Request, Score, Scored
from simworld.core.stopping import Stopping
from simworld.judging.local import Judging

LIVE = 32  # judgements begun and not ended, at most
KEPT = 256  # scores kept: the prior of a scenario is the same for all of its episodes

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class Usage:
    """What a judgement took."""

    prompt_tokens: int = 0
    new_tokens: int = 0
    latency_s: float = 0.0  # of its requests, one after the other
    dtype: str = ""
    replies: list[str] = field(default_factory=list)  # what a server wrote, in order

    def add(self, completion: Completion) -> None:
        """Counts a completion."""
        if isinstance(completion, Failure):
            return
        self.prompt_tokens += completion.prompt_tokens
        self.latency_s += completion.latency_s
        self.dtype = completion.dtype or self.dtype
        if isinstance(completion, Generated):
            self.new_tokens += completion.new_tokens
            self.replies.append(completion.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedJudgement(Generic[T]):
    """A judgement that has ended."""

    key: T
    outcome: tuple[Verdict, ...] | Failure
    usage: Usage


@dataclass(slots=True)
class Waited:
    """How long a backend worked or was waited for."""

    seconds: float = 0.0


@dataclass(slots=True)
class _Task(Generic[T]):
    key: T
    judging: Judging
    usage: Usage


class _Driver(Generic[T]):
    def __init__(self, backend: Backend, waited: Waited, stopping: Stopping) -> None:
        self.backend = backend
        self.waited = waited
        self.stopping = stopping
        self.open: dict[int, list[_Task[T]]] = {}  # ticket → who waits for it
        self.asked: dict[int, Request] = {}
        self.tickets: dict[Score, int] = {}  # equal scores in flight are asked once
        self.kept: OrderedDict[Score, Scored] = OrderedDict()
        self.live = 0

    def step(self, task: _Task[T], completion: Completion | None) -> FinishedJudgement[T] | None:
        """Runs a judgement up to its next request that must be waited for; what it came to if it
        ended.
        """
        while True:
            try:
                request = (
                    next(task.judging) if completion is None else task.judging.send(completion)
                )
            except StopIteration as stop:
                self.live -= 1
                self.stopping.ended()
                return FinishedJudgement(key=task.key, outcome=stop.value, usage=task.usage)
            if not isinstance(request, Score):
                self._wait(self.backend.submit(request), request, task)
                return None
            if request in self.kept:
                self.kept.move_to_end(request)
                completion = self.kept[request]
                continue
            if request in self.tickets:
                self.open[self.tickets[request]].append(task)
                return None
            ticket = self.backend.submit(request)
            self.tickets[request] = ticket
            self._wait(ticket, request, task)
            return None

    def poll(self) -> Iterator[FinishedJudgement[T]]:
        begun = time.perf_counter()
        done = self.backend.poll()
        self.waited.seconds += time.perf_counter() - begun
        for finished in done:
            tasks = self.open.pop(finished.ticket)
            request = self.asked.pop(finished.ticket)
            if isinstance(request, Score):
                del self.tickets[request]
                if isinstance(finished.completion, Scored):
                    self.kept[request] = finished.completion
                    if len(self.kept) > KEPT:
                        self.kept.popitem(last=False)
            self.stopping.answered(self.backend.info.spec, request, finished.completion)
            tasks[0].usage.add(finished.completion)  # the others got it for nothing
            for task in tasks:
                if ended := self.step(task, finished.completion):
                    yield ended

    def _wait(self, ticket: int, request: Request, task: _Task[T]) -> None:
        self.open[ticket] = [task]
        self.asked[ticket] = request


def drive(
    judgings: Iterable[tuple[T, Judging]],
    backend: Backend,
    *,
    live: int = LIVE,
    waited: Waited | None = None,
    stopping: Stopping | None = None,
) -> Iterator[FinishedJudgement[T]]:
    """The judgements as they end, in any order; at most `live` are begun at a time, so `judgings`
    may be endless.

    `waited` and `stopping` are counted up; nothing begins that does not fit the budget. Raises
    Stopped where the server fails for good; whatever ended before was handed out.
    """
    stopping = stopping or Stopping()
    driver: _Driver[T] = _Driver(backend, waited or Waited(), stopping)
    queue = iter(judgings)
    waiting: tuple[T, Judging] | None = None
    while True:
        while driver.live < live:
            waiting = waiting or next(queue, None)
            if waiting is None or not stopping.may_begin(driver.live):
                break
            key, judging = waiting
            waiting = None
            driver.live += 1
            if ended := driver.step(_Task(key, judging, Usage()), None):
                yield ended
        if not driver.live:
            return
        if driver.open:
            yield from driver.poll()
        stopping.check()
