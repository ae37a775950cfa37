"""One loop over models, for playing, judging and measuring: many pieces of work are under way at
once, and the backends work on all their requests together.

A piece is a generator of requests (a conversation, a judgement, a reply to score). Nothing here
knows what it is about, only the protocols.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from simworld.core.errors import Failure, model_failure
from simworld.core.protocols import Backend
from simworld.core.requests import Completion, Finished, Generated, Request, Score, Scored
from simworld.core.stopping import StopTracker

MAX_LIVE = 32  # pieces begun and not ended, at most
SCORE_CACHE_SIZE = 256  # the prior of a scenario is the same for all of its episodes
_SHARED_POLL_S = 0.02  # how long one backend may wait while another has work too

K = TypeVar("K")
R = TypeVar("R")
_RoutedScore = tuple[str, Score]  # model and request


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutedRequest:
    """A request, and which backend answers it."""

    model: str
    request: Request
    label: str = ""  # tells it from the other requests of the piece


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutedAnswer:
    """The completion of a request, or the exception that refused it."""

    routed: RoutedRequest
    completion: Completion | Exception  # an exception where the backend did not take the request


# Yields what it asks now, which may be nothing while other requests of its own are out; is sent one
# answer at a time.
Piece = Generator[Sequence[RoutedRequest], RoutedAnswer, R]


@dataclass(slots=True, kw_only=True)
class Usage:
    """The tokens and time that a piece of work took, and the replies to it."""

    prompt_tokens: int = 0
    new_tokens: int = 0
    latency_s: float = 0.0  # of its requests, one after the other
    dtype: str = ""
    replies: list[str] = field(default_factory=list)  # what was written for it, in order

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
class EndedPiece(Generic[K, R]):
    """The outcome and usage of a piece of work that has ended."""

    key: K
    outcome: R
    usage: Usage


def drive(
    pieces: Iterable[tuple[K, Piece[R]]],
    backends: Mapping[str, Backend],
    *,
    max_live: int = MAX_LIVE,
    can_begin: Callable[[K], bool] = lambda key: True,
    score_cache_size: int = 0,
    backend_seconds: dict[str, float] | None = None,
    on_progress: Callable[[], None] = lambda: None,
    stopping: StopTracker | None = None,
) -> Iterator[EndedPiece[K, R]]:
    """The pieces as they end, in any order; the next begins when one ends, and none waits for
    another.

    A request that its backend loses is answered with a Failure that names the backend.

    Args:
        pieces: drawn one by one, so there may be no end of them.
        backends: by `RoutedRequest.model`.
        max_live: how many may be under way.
        can_begin: whether a piece may begin beside those that are under way.
        score_cache_size: Score requests whose answers are kept; equal ones are asked once.
        backend_seconds: counted up: seconds that each backend worked or was waited for.
        on_progress: called whenever a model has done something.
        stopping: what servers answer is counted there, and nothing begins that does not fit.

    Raises:
        Stopped: servers fail for good; whatever ended before was handed out.
        ValueError: `max_live` is below 1.
    """
    if max_live < 1:
        raise ValueError(f"max_live is {max_live}; at least one must be allowed")
    stopping = stopping or StopTracker()
    driver: _Driver[K, R] = _Driver(
        backends, score_cache_size, {} if backend_seconds is None else backend_seconds, stopping
    )
    remaining = iter(pieces)
    next_piece: tuple[K, Piece[R]] | None = None
    while True:
        # What asks no model ends at once: handed out before another piece is drawn, and before a
        # model is waited for.
        while driver.live < max_live and not driver.ended:
            next_piece = next_piece or next(remaining, None)
            if next_piece is None or not stopping.has_budget_for_piece(driver.live):
                break
            if driver.live and not can_begin(next_piece[0]):
                break
            driver.begin_piece(*next_piece)
            next_piece = None
        if driver.live and not driver.ended:
            driver.poll_backends()
            on_progress()
        if not driver.live and not driver.ended:
            return
        ended_pieces, driver.ended = driver.ended, []
        yield from ended_pieces
        stopping.raise_if_stopped()


def drive_on_backend(
    generators: Iterable[tuple[K, Generator[Request, Completion, R]]],
    backend: Backend,
    *,
    max_live: int = MAX_LIVE,
    backend_seconds: dict[str, float] | None = None,
    stopping: StopTracker | None = None,
) -> Iterator[EndedPiece[K, R]]:
    """`drive` for generators that ask one backend, one request after the other; equal scores are
    asked once, and cost once.

    Raises what `drive` raises, and what `backend.submit` does.
    """
    model = backend.info.spec
    pieces = ((key, _one_at_a_time(generator, model)) for key, generator in generators)
    return drive(
        pieces,
        {model: backend},
        max_live=max_live,
        score_cache_size=SCORE_CACHE_SIZE,
        backend_seconds=backend_seconds,
        stopping=stopping,
    )


def _one_at_a_time(generator: Generator[Request, Completion, R], model: str) -> Piece[R]:
    try:
        request = next(generator)
        while True:
            answer = yield (RoutedRequest(model=model, request=request),)
            if isinstance(answer.completion, Exception):
                raise answer.completion
            request = generator.send(answer.completion)
    except StopIteration as stop:
        outcome: R = stop.value
        return outcome


@dataclass(slots=True, eq=False)
class _LivePiece(Generic[K, R]):
    key: K
    generator: Piece[R]
    usage: Usage = field(default_factory=Usage)
    open_requests: int = 0  # requests without an answer


# who waits for one answer, each with its own request; all of these are equal
_Waiters = list[tuple[_LivePiece[K, R], RoutedRequest]]


class _Driver(Generic[K, R]):
    def __init__(
        self,
        backends: Mapping[str, Backend],
        score_cache_size: int,
        backend_seconds: dict[str, float],
        stopping: StopTracker,
    ) -> None:
        self.live = 0
        self.ended: list[EndedPiece[K, R]] = []
        self._backends = backends
        self._backend_seconds = backend_seconds
        self._stopping = stopping
        # by model and ticket
        self._waiters: dict[str, dict[int, _Waiters[K, R]]] = {model: {} for model in backends}
        self._score_cache_size = score_cache_size
        self._score_cache: OrderedDict[_RoutedScore, Scored] = OrderedDict()
        self._score_waiters: dict[_RoutedScore, _Waiters[K, R]] = {}  # those that are open

    def begin_piece(self, key: K, generator: Piece[R]) -> None:
        """Starts a piece: runs it up to its first request."""
        self.live += 1
        self._advance(_LivePiece(key, generator), None)

    def poll_backends(self) -> None:
        """Lets the models work until an answer comes, and delivers it."""
        busy_models = [model for model, requests in self._waiters.items() if requests]
        for model in busy_models:
            for finished in self._poll(model, None if len(busy_models) == 1 else _SHARED_POLL_S):
                waiters = self._waiters[model].pop(finished.ticket, None)
                if waiters is not None:  # else of a run that was abandoned before this one
                    self._deliver(model, waiters, finished.completion)

    def _poll(self, model: str, wait_s: float | None) -> Sequence[Finished]:
        started = time.perf_counter()
        finished = self._backends[model].poll(wait_s)
        if not finished and wait_s is not None and time.perf_counter() - started < wait_s / 2:
            # It came back before its time, so it has nothing to do; to wait without a limit shows
            # whether that is so.
            wait_s, finished = None, self._backends[model].poll()
        self._backend_seconds[model] = (
            self._backend_seconds.get(model, 0.0) + time.perf_counter() - started
        )
        if finished or wait_s is not None:
            return finished
        # It waits without a limit and comes back with nothing: it has lost what it was given.
        lost = model_failure("lost", f"{model} never answered the request")
        return [Finished(ticket=ticket, completion=lost) for ticket in self._waiters[model]]

    def _deliver(self, model: str, waiters: _Waiters[K, R], completion: Completion) -> None:
        request = waiters[0][1].request
        if score_key := self._score_key(waiters[0][1]):
            del self._score_waiters[score_key]
            if isinstance(completion, Scored):
                self._score_cache[score_key] = completion
                if len(self._score_cache) > self._score_cache_size:
                    self._score_cache.popitem(last=False)
        self._stopping.count_answer(model, request, completion)
        waiters[0][0].usage.add(completion)  # the others get it for nothing
        for piece, routed in waiters:
            if piece.open_requests:  # else it has ended without this answer
                piece.open_requests -= 1
                self._advance(piece, RoutedAnswer(routed=routed, completion=completion))

    def _advance(self, piece: _LivePiece[K, R], answer: RoutedAnswer | None) -> None:
        """Runs a piece until it waits for a model, or ends."""
        ready_answers: deque[RoutedAnswer] = deque()
        try:
            requests = next(piece.generator) if answer is None else piece.generator.send(answer)
            while True:
                for routed in requests:
                    completion = self._submit(piece, routed)
                    if completion is None:
                        piece.open_requests += 1
                    else:
                        ready_answers.append(RoutedAnswer(routed=routed, completion=completion))
                if not ready_answers:
                    break
                requests = piece.generator.send(ready_answers.popleft())
        except StopIteration as stop:
            piece.open_requests = 0
            self.live -= 1
            self._stopping.count_ended_piece()
            self.ended.append(EndedPiece(key=piece.key, outcome=stop.value, usage=piece.usage))
            return
        if not piece.open_requests:
            raise RuntimeError("a piece of work waits for an answer and has asked nothing")

    def _submit(
        self, piece: _LivePiece[K, R], routed: RoutedRequest
    ) -> Completion | Exception | None:
        """Asks a backend; returns the answer where it is cached or refused, else None."""
        score_key = self._score_key(routed)
        if score_key and score_key in self._score_cache:
            self._score_cache.move_to_end(score_key)
            return self._score_cache[score_key]
        if score_key and score_key in self._score_waiters:
            self._score_waiters[score_key].append((piece, routed))
            return None
        try:
            ticket = self._backends[routed.model].submit(routed.request)
        except Exception as error:  # handed to the piece, which knows whose request it was
            return error
        waiters = self._waiters[routed.model][ticket] = [(piece, routed)]
        if score_key:
            self._score_waiters[score_key] = waiters
        return None

    def _score_key(self, routed: RoutedRequest) -> _RoutedScore | None:
        request = routed.request
        return (
            (routed.model, request)
            if self._score_cache_size and isinstance(request, Score)
            else None
        )
