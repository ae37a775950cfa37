"""A backend without a model, and an example to play: deterministic, fast, and needing nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np

from simworld.core.engine import play
from simworld.core.episode import Act, Action, ActionKind, Episode, Observation
from simworld.core.errors import model_failure
from simworld.core.requests import (
    AskPerson,
    Completion,
    Encode,
    Encoded,
    Finished,
    Generate,
    Generated,
    ModelInfo,
    Prompt,
    Request,
    Score,
    Scored,
    TextPrompt,
)
from simworld.core.scenario import Limits, Persona, Relationship, Scenario, Seat
from simworld.core.seeding import derive_seed, make_rng

FAKE_WIDTH = 8  # d_model of the model that is none
_OPENERS = ("Well", "Honestly", "Listen", "All right", "Look", "Hm", "To be fair", "Please")
_MIDDLES = (
    "the price is fair",
    "I need more time",
    "we can share it",
    "that seems too much",
    "I had another plan",
)
_CLOSERS = ("what do you think", "let us try", "tell me more", "that is all I can do", "I mean it")


class FakeBackend:
    """A backend without a model: answers depend on the request alone, and time is counted in polls.

    What was submitted is kept in `requests`, in order. Answers come out in the order in which they
    fall due, so a longer `delay` for some requests makes them finish out of order.
    """

    def __init__(
        self,
        answer: Callable[[Request], str | Completion] | None = None,
        *,
        delay: Callable[[Request], int] | None = None,
        context: int | None = None,
    ) -> None:
        """A backend ready to use.

        Args:
            answer: a text, or any completion (a Failure too); default: a sentence,
                log-probabilities, or a state, made from the request's prompt, seed and prefix.
            delay: polls that pass before a request is done; default none.
            context: words that prompt and reply may have together; above it, the completion is the
                Failure `too-long`.
        """
        self.requests: list[Request] = []
        self.closed = False
        self._answer = answer or fake_answer
        self._delay = delay or (lambda request: 0)
        self._context = context
        self._open: dict[int, tuple[int, Request]] = {}  # ticket → when due, request
        self._polls = 0

    @property
    def info(self) -> ModelInfo:
        """A model that is none."""
        return ModelInfo(
            spec="fake:model",
            id="fake",
            dtype="float32",
            context=self._context,
            width=FAKE_WIDTH,
            embedding_norm=1.0,
        )

    @property
    def open(self) -> int:
        """Tickets not handed out yet."""
        return len(self._open)

    def submit(self, request: Request) -> int:
        """A ticket. Raises TypeError for what is no request, RuntimeError after `close`."""
        if self.closed:
            raise RuntimeError("the backend is closed")
        if not isinstance(request, Generate | Score | Encode | AskPerson):
            raise TypeError(f"not a request: {type(request).__name__}")
        self.requests.append(request)
        ticket = len(self.requests)
        self._open[ticket] = (self._polls + self._delay(request), request)
        return ticket

    def poll(self, wait_s: float | None = None) -> Sequence[Finished]:
        """What is due; without `wait_s` time passes until something is, with it one poll's worth of
        time passes.
        """
        if not self._open:
            return ()
        first_due = min(due for due, _ in self._open.values())
        self._polls = max(self._polls, first_due) if wait_s is None else self._polls
        ready = sorted(
            (due, ticket) for ticket, (due, _) in self._open.items() if due <= self._polls
        )
        self._polls += 1
        return tuple(
            Finished(ticket=ticket, completion=self._complete(ticket)) for _, ticket in ready
        )

    def close(self) -> None:
        """Loses open tickets."""
        self._open.clear()
        self.closed = True

    def _complete(self, ticket: int) -> Completion:
        _, request = self._open.pop(ticket)
        if self._context is not None and not isinstance(request, AskPerson):
            new_words = request.sampling.max_new_tokens if isinstance(request, Generate) else 1
            if (words := _words(request.prompt)) + new_words > self._context:
                message = f"{words} words and {new_words} new ones do not fit into {self._context}"
                return model_failure("too-long", message)
        if isinstance(request, Generate) and request.prefix is not None:
            shape = request.prefix.embeddings.shape
            if len(shape) != 2 or not shape[0] or shape[1] != FAKE_WIDTH:
                return model_failure("invalid", f"no prefix for this model: {shape}")
        answer = self._answer(request)
        return generated(answer, request) if isinstance(answer, str) else answer


def generated(text: str, request: Request | None = None) -> Generated:
    """A text as a completion, with a word for a token and cut as the request asks."""
    finish: str = "stop"
    if isinstance(request, Generate):
        cut = min((at for stop in request.stop if (at := text.find(stop)) >= 0), default=len(text))
        words = text[:cut].split(" ")
        finish = "length" if len(words) > request.sampling.max_new_tokens else "stop"
        text = " ".join(words[: request.sampling.max_new_tokens])
    return Generated(
        text=text,
        prompt_tokens=_words(request.prompt) if isinstance(request, Generate) else 0,
        new_tokens=len(text.split()),
        finish="length" if finish == "length" else "stop",
        latency_s=0.0,
        logprob=-float(len(text.split())),
        dtype="float32",
    )


def fake_answer(request: Request) -> str | Completion:
    """What FakeBackend says by itself.

    A sentence per prompt, seed and prefix; log-probabilities in [-10, 0) per prompt and text; a
    state per prompt.
    """
    if isinstance(request, AskPerson):
        return _sentence(request.observation.seed)
    text = _text(request.prompt)
    if isinstance(request, Generate):
        steering = () if request.prefix is None else (_digest(request.prefix.embeddings.tobytes()),)
        return _sentence(derive_seed("fake", text, request.seed, *steering))
    if isinstance(request, Encode):
        state = make_rng(derive_seed("fake", text)).standard_normal(FAKE_WIDTH).astype(np.float32)
        return Encoded(
            state=state, prompt_tokens=_words(request.prompt), latency_s=0.0, dtype="float32"
        )
    logprobs = tuple(
        -1e-9 - 10 * _hashed("fake", text, continuation) for continuation in request.continuations
    )
    lengths = tuple(max(1, len(continuation.split())) for continuation in request.continuations)
    words = _words(request.prompt)
    return Scored(
        logprobs=logprobs, lengths=lengths, prompt_tokens=words, latency_s=0.0, dtype="float32"
    )


def example_scenario(*, turns: int = 6) -> Scenario:
    """Three people who divide a cake, as acquaintances: something to play in a test."""
    people = {"host": "Ann Lee", "guest": "Bo Ek", "neighbour": "Cleo Fox"}
    seats = tuple(
        Seat(
            name=role,
            persona=Persona(name=name, age=30, occupation="baker"),
            goal=f"Get the piece for the {role}.",
        )
        for role, name in people.items()
    )
    pairs = [("host", "guest"), ("host", "neighbour"), ("guest", "neighbour")]
    return Scenario(
        name="cake",
        setting="One piece of cake is left on the table.",
        seats=seats,
        relationships=dict.fromkeys(pairs, Relationship.acquaintance),
        limits=Limits(turns=turns),
    )


def example_observations(
    scenario: Scenario | None = None, *, seed: int = 0
) -> tuple[Observation, ...]:
    """The observations of a played scenario, in order, everybody saying a line; the histories grow
    from nothing.
    """
    scenario = scenario or example_scenario()
    return _play_example(scenario, seed)[0]


def example_episode(scenario: Scenario | None = None, *, seed: int = 0) -> Episode:
    """A played scenario to its turn limit, everybody saying a line."""
    return _play_example(scenario or example_scenario(), seed)[1]


def _play_example(scenario: Scenario, seed: int) -> tuple[tuple[Observation, ...], Episode]:
    game = play(scenario, {seat.name: "example" for seat in scenario.seats}, seed)
    observations: list[Observation] = []
    due = next(game)
    while True:
        observations.extend(due.values())
        lines = {
            seat: Action(kind=ActionKind.speak, text=_sentence(observation.seed))
            for seat, observation in due.items()
        }
        try:
            due = game.send({seat: Act(seat=seat, action=action) for seat, action in lines.items()})
        except StopIteration as stop:
            episode: Episode = stop.value
            return tuple(observations), episode


def _text(prompt: Prompt) -> str:
    if isinstance(prompt, TextPrompt):
        return prompt.text
    return "\n".join([*(f"{m.role}: {m.content}" for m in prompt.messages), prompt.reply_start])


def _words(prompt: Prompt) -> int:
    return len(_text(prompt).split())


def _hashed(*path: str) -> float:
    return _digest("\0".join(path).encode()) / 2**32


def _digest(content: bytes) -> int:
    return int.from_bytes(hashlib.sha256(content).digest()[:4], "big")


def _sentence(seed: int) -> str:
    opener, middle, closer = (
        words[derive_seed(seed, part) % len(words)]
        for part, words in (("opener", _OPENERS), ("middle", _MIDDLES), ("closer", _CLOSERS))
    )
    return f"{opener}, {middle}; {closer}, number {seed % 1000}."
