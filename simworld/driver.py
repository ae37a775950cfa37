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

from simworld.core.errors import Failure
from simworld.core.protocols import Backend
from simworld.core.requests import Completion, Finished, Generated, Request, Score, Scored
from simworld.core.stopping import StopRules

LIVE = 32  # pieces begun and not ended, at most
KEPT_SCORES = 256  # the prior of a scenario is the same for all of its episodes
_TURN_ABOUT_S = 0.02  # how long one backend may wait while another has work too

K = TypeVar("K")
R = TypeVar("R")
_RoutedScore = tuple[str, Score]  # model and request


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutedRequest:
    """A request, and which backend answers it."""

    model: str
    request: Request
    name: str = ""  # tells it from the other requests of the piece


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutedAnswer:
    """What came of a request."""

    to: RoutedRequest
    completion: Completion | Exception  # an exception where the backend did not take the request


# Yields what it asks now, which may be nothing while other requests of its own are out; is sent one
# answer at a time.
Piece = Generator[Sequence[RoutedRequest], RoutedAnswer, R]


@dataclass(slots=True, kw_only=True)
class Usage:
    """What a piece of work took."""

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
    """A piece of work that has ended."""

    key: K
    outcome: R
    usage: Usage


def drive(
    pieces: Iterable[tuple[K, Piece[R]]],
    backends: Mapping[str, Backend],
    *,
    live: int = LIVE,
    fits: Callable[[K], bool] = lambda key: True,
    kept_scores: int = 0,
    waited: dict[str, float] | None = None,
    on_beat: Callable[[], None] = lambda: None,
    stopping: StopRules | None = None,
) -> Iterator[EndedPiece[K, R]]:
    """The pieces as they end, in any order; the next begins when one ends, and none waits for
    another.

    A request that its backend loses is answered with a Failure that names the backend.

    Args:
        pieces: drawn one by one, so there may be no end of them.
        backends: by `RoutedRequest.model`.
        live: how many may be under way.
        fits: whether a piece may begin beside those that are under way.
        kept_scores: Score requests whose answers are kept, so that equal ones are asked once; 0:
            every request is asked.
        waited: counted up: seconds that each backend worked or was waited for.
        on_beat: called whenever a model has done something.
        stopping: what servers answer is counted there, and nothing begins that does not fit.

    Raises:
        Stopped: servers fail for good; whatever ended before was handed out.
        ValueError: `live` is below 1.
    """
    if live < 1:
        raise ValueError(f"live is {live}; at least one must be allowed")
    stopping = stopping or StopRules()
    driver: _Driver[K, R] = _Driver(
        backends, kept_scores, {} if waited is None else waited, stopping
    )
    queue = iter(pieces)
    waiting: tuple[K, Piece[R]] | None = None
    while True:
        # What asks no model ends at once: handed out before another piece is drawn, and before a
        # model is waited for.
        while driver.live < live and not driver.ended:
            waiting = waiting or next(queue, None)
            if waiting is None or not stopping.has_budget_for_piece(driver.live):
                break
            if driver.live and not fits(waiting[0]):
                break
            driver.begin(*waiting)
            waiting = None
        if driver.live and not driver.ended:
            driver.work()
            on_beat()
        if not driver.live and not driver.ended:
            return
        ended, driver.ended = driver.ended, []
        yield from ended
        stopping.raise_if_stopped()


def drive_on_backend(
    asking: Iterable[tuple[K, Generator[Request, Completion, R]]],
    backend: Backend,
    *,
    live: int = LIVE,
    waited: dict[str, float] | None = None,
    stopping: StopRules | None = None,
) -> Iterator[EndedPiece[K, R]]:
    """`drive` for generators that ask one backend, one request after the other; equal scores are
    asked once, and cost once.

    Raises what `drive` raises, and what `backend.submit` does.
    """
    model = backend.info.spec
    pieces = ((key, _in_turn(generator, model)) for key, generator in asking)
    return drive(
        pieces,
        {model: backend},
        live=live,
        kept_scores=KEPT_SCORES,
        waited=waited,
        stopping=stopping,
    )


def _in_turn(asking: Generator[Request, Completion, R], model: str) -> Piece[R]:
    try:
        request = next(asking)
        while True:
            answer = yield (RoutedRequest(model=model, request=request),)
            if isinstance(answer.completion, Exception):
                raise answer.completion
            request = asking.send(answer.completion)
    except StopIteration as over:
        outcome: R = over.value
        return outcome


@dataclass(slots=True, eq=False)
class _LivePiece(Generic[K, R]):
    key: K
    generator: Piece[R]
    usage: Usage = field(default_factory=Usage)
    out: int = 0  # requests without an answer


# who waits for one answer, each with its own request; all of these are equal
_Waiting = list[tuple[_LivePiece[K, R], RoutedRequest]]


class _Driver(Generic[K, R]):
    def __init__(
        self,
        backends: Mapping[str, Backend],
        kept_scores: int,
        waited: dict[str, float],
        stopping: StopRules,
    ) -> None:
        self.live = 0
        self.ended: list[EndedPiece[K, R]] = []
        self._backends = backends
        self._waited = waited
        self._stopping = stopping
        # by model and ticket
        self._open: dict[str, dict[int, _Waiting[K, R]]] = {model: {} for model in backends}
        self._most_kept = kept_scores
        self._kept: OrderedDict[_RoutedScore, Scored] = OrderedDict()
        self._scores: dict[_RoutedScore, _Waiting[K, R]] = {}  # those that are open

    def begin(self, key: K, generator: Piece[R]) -> None:
        """Runs a piece up to its first request."""
        self.live += 1
        self._go_on(_LivePiece(key, generator), None)

    def work(self) -> None:
        """Lets the models work until something happens."""
        busy = [model for model, requests in self._open.items() if requests]
        for model in busy:
            for finished in self._poll(model, None if len(busy) == 1 else _TURN_ABOUT_S):
                waiting = self._open[model].pop(finished.ticket, None)
                if waiting is not None:  # else of a run that was abandoned before this one
                    self._answer(model, waiting, finished.completion)

    def _poll(self, model: str, wait_s: float | None) -> Sequence[Finished]:
        begun = time.perf_counter()
        done = self._backends[model].poll(wait_s)
        if not done and wait_s is not None and time.perf_counter() - begun < wait_s / 2:
            # It came back before its time, so it has nothing to do; to wait without a limit shows
            # whether that is so.
            wait_s, done = None, self._backends[model].poll()
        self._waited[model] = self._waited.get(model, 0.0) + time.perf_counter() - begun
        if done or wait_s is not None:
            return done
        # It waits without a limit and comes back with nothing: it has lost what it was given.
        message = f"{model} never answered the request"
        lost = Failure(boundary="model", kind="lost", message=message)
        return [Finished(ticket=ticket, completion=lost) for ticket in self._open[model]]

    def _answer(self, model: str, waiting: _Waiting[K, R], completion: Completion) -> None:
        request = waiting[0][1].request
        if score := self._score_key(waiting[0][1]):
            del self._scores[score]
            if isinstance(completion, Scored):
                self._kept[score] = completion
                if len(self._kept) > self._most_kept:
                    self._kept.popitem(last=False)
        self._stopping.count_answer(model, request, completion)
        waiting[0][0].usage.add(completion)  # the others get it for nothing
        for piece, routed in waiting:
            if piece.out:  # else it has ended without this answer
                piece.out -= 1
                self._go_on(piece, RoutedAnswer(to=routed, completion=completion))

    def _go_on(self, piece: _LivePiece[K, R], answer: RoutedAnswer | None) -> None:
        """Runs a piece until it waits for a model, or ends."""
        at_hand: deque[RoutedAnswer] = deque()
        try:
            asked = next(piece.generator) if answer is None else piece.generator.send(answer)
            while True:
                for routed in asked:
                    completion = self._ask(piece, routed)
                    if completion is None:
                        piece.out += 1
                    else:
                        at_hand.append(RoutedAnswer(to=routed, completion=completion))
                if not at_hand:
                    break
                asked = piece.generator.send(at_hand.popleft())
        except StopIteration as over:
            piece.out = 0
            self.live -= 1
            self._stopping.count_ended_piece()
            self.ended.append(EndedPiece(key=piece.key, outcome=over.value, usage=piece.usage))
            return
        if not piece.out:
            raise RuntimeError("a piece of work waits for an answer and has asked nothing")

    def _ask(self, piece: _LivePiece[K, R], routed: RoutedRequest) -> Completion | Exception | None:
        """Asks, and returns what is known of the answer at once."""
        score = self._score_key(routed)
        if score and score in self._kept:
            self._kept.move_to_end(score)
            return self._kept[score]
        if score and score in self._scores:
            self._scores[score].append((piece, routed))
            return None
        try:
            ticket = self._backends[routed.model].submit(routed.request)
        except Exception as error:  # handed to the piece, which knows whose request it was
            return error
        waiting = self._open[routed.model][ticket] = [(piece, routed)]
        if score:
            self._scores[score] = waiting
        return None

    def _score_key(self, routed: RoutedRequest) -> _RoutedScore | None:
        request = routed.request
        return (routed.model, request) if self._most_kept and isinstance(request, Score) else None
