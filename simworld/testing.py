"""Fakes and conformance checks for people who write an agent or a model backend of their own.

from simworld.testing import FakeBackend, check_agent, check_backend

check_agent(MyAgent())                     # raises NotConforming, saying which promise is broken
check_backend(lambda: MyBackend("…"))
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Sequence

from simworld.core.engine import play
from simworld.core.episode import Act, Action, ActionKind, Observation
from simworld.core.errors import Failure
from simworld.core.protocols import Agent, Backend, Reply
from simworld.core.requests import (
    Ask,
    ChatPrompt,
    Completion,
    Finished,
    Generate,
    Generated,
    Message,
    ModelInfo,
    Prompt,
    Request,
    Sampling,
    Score,
    Scored,
    TextPrompt,
)
from simworld.core.scenario import Limits, Persona, Relationship, Scenario, Seat
from simworld.core.seeding import derive_seed

MAX_REQUESTS = 200  # for one act of an agent under test; more means that it never ends
_MAX_POLLS = 10_000
_OPENERS = ("Well", "Honestly", "Listen", "All right", "Look", "Hm", "To be fair", "Please")
_MIDDLES = ("the price is fair", "I need more time", "we can share it", "that seems too much", "I had another plan")
_CLOSERS = ("what do you think", "let us try", "tell me more", "that is all I can do", "I mean it")


class NotConforming(AssertionError):
    """An agent or backend breaks a promise of `simworld.core.protocols`; the text says which."""


class FakeBackend:
    """A backend without a model: answers depend on the request alone, and time is counted in polls.

    What was submitted is kept in `requests`, in order. Answers come out in the order in which they fall due, so a longer `delay`
    for some requests makes them finish out of order.
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
            answer: a text, or any completion (a Failure too); default: a sentence, or log-probabilities, made from the request's
                prompt and seed.
            delay: polls that pass before a request is done; default none.
            context: words that prompt and reply may have together; above it, the completion is the Failure `too-long`.
        """
        self.requests: list[Request] = []
        self.closed = False
        self._answer = answer or fake_answer
        self._delay = delay or (lambda request: 0)
        self._context = context
        self._open: dict[int, tuple[int, Request]] = {}  # ticket → when due, request
        self._now = 0

    @property
    def info(self) -> ModelInfo:
        """A model that is none."""
        return ModelInfo(spec="fake:model", id="fake", dtype="float32", context=self._context)

    @property
    def open(self) -> int:
        """Tickets not handed out yet."""
        return len(self._open)

    def submit(self, request: Request) -> int:
        """A ticket. Raises TypeError for what is no request, RuntimeError after `close`."""
        if self.closed:
            raise RuntimeError("the backend is closed")
        if not isinstance(request, Generate | Score | Ask):
            raise TypeError(f"not a request: {type(request).__name__}")
        self.requests.append(request)
        ticket = len(self.requests)
        self._open[ticket] = (self._now + self._delay(request), request)
        return ticket

    def poll(self, wait_s: float | None = None) -> Sequence[Finished]:
        """What is due; without `wait_s` time passes until something is, with it one poll's worth of time passes."""
        if not self._open:
            return ()
        first = min(due for due, _ in self._open.values())
        self._now = max(self._now, first) if wait_s is None else self._now
        ready = sorted((due, ticket) for ticket, (due, _) in self._open.items() if due <= self._now)
        self._now += 1
        return tuple(Finished(ticket=ticket, completion=self._complete(ticket)) for _, ticket in ready)

    def close(self) -> None:
        """Loses open tickets."""
        self._open.clear()
        self.closed = True

    def _complete(self, ticket: int) -> Completion:
        _, request = self._open.pop(ticket)
        if self._context is not None and not isinstance(request, Ask):
            room = request.sampling.max_new_tokens if isinstance(request, Generate) else 1
            if (words := _words(request.prompt)) + room > self._context:
                message = f"{words} words and {room} new ones do not fit into {self._context}"
                return Failure(boundary="model", kind="too-long", message=message)
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
    """What FakeBackend says by itself: a sentence per prompt and seed; log-probabilities in [-10, 0) per prompt and text."""
    if isinstance(request, Ask):
        return _sentence(request.observation.seed)
    text = _text(request.prompt)
    if isinstance(request, Generate):
        return _sentence(derive_seed("fake", text, request.seed))
    logprobs = tuple(-1e-9 - 10 * _share("fake", text, continuation) for continuation in request.continuations)
    lengths = tuple(max(1, len(continuation.split())) for continuation in request.continuations)
    words = _words(request.prompt)
    return Scored(logprobs=logprobs, lengths=lengths, prompt_tokens=words, latency_s=0.0, dtype="float32")


def example_scenario(*, turns: int = 6) -> Scenario:
    """Three people who divide a cake, as acquaintances: something to play in a test."""
    people = {"host": "Ann Lee", "guest": "Bo Ek", "neighbour": "Cleo Fox"}
    seats = tuple(
        Seat(name=role, persona=Persona(name=name, age=30, occupation="baker"), goal=f"Get the piece for the {role}.")
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


def example_observations(scenario: Scenario | None = None, *, seed: int = 0) -> tuple[Observation, ...]:
    """The observations of a played scenario, in order, everybody saying a line; the histories grow from nothing."""
    scenario = scenario or example_scenario()
    game = play(scenario, {seat.name: "example" for seat in scenario.seats}, seed)
    seen: list[Observation] = []
    due = next(game)
    while True:
        seen.extend(due.values())
        lines = {seat: Action(kind=ActionKind.speak, text=_sentence(it.seed)) for seat, it in due.items()}
        try:
            due = game.send({seat: Act(seat=seat, action=action) for seat, action in lines.items()})
        except StopIteration:
            return tuple(seen)


def check_agent(
    agent: Agent,
    observations: Sequence[Observation] | None = None,
    *,
    answer: Callable[[Request], str | Completion] | None = None,
) -> None:
    """Passes if the agent keeps the promises of the Agent protocol.

    It has a stable id; `act` is a generator that ends, asks by yielding requests only, returns an act of its own seat within the
    rules, or a Failure, also when the model fails; and it keeps no state: the same observation and answers give the same
    requests and act, in any order and interleaved.

    Args:
        agent: under test.
        observations: what it is shown; default: `example_observations()`.
        answer: how its requests are answered; default: `fake_answer`.

    Raises:
        NotConforming: it does not; the text says how.
    """
    shown = tuple(observations or example_observations())
    reply_to = answer or fake_answer
    if not isinstance(agent.id, str) or not agent.id or agent.id != agent.id:
        raise NotConforming(f"`id` must be a text that is not empty, and stay the same; it is {agent.id!r}")
    if not isinstance(agent.model, str):
        raise NotConforming(f"`model` must be a text, empty for an agent that asks no model; it is {agent.model!r}")
    name = agent.id
    first = [_drive(agent, observation, reply_to) for observation in shown]
    again = [_drive(agent, observation, reply_to) for observation in reversed(shown)][::-1]
    for observation, one, two in zip(shown, first, again, strict=True):
        if one != two:
            raise NotConforming(
                f"turn {observation.turn}: the same observation and answers gave another act or request"
            )
    if _interleaved(agent, shown, reply_to) != [reply for _, reply in first]:
        raise NotConforming("acts differ when several are thought out at the same time: the agent keeps state")
    if agent.id != name:
        raise NotConforming("`id` changed while the agent acted")
    _drive(agent, shown[0], lambda request: Failure(boundary="model", kind="timeout", message="no answer in 60 s"))


def check_backend(
    make_backend: Callable[[], Backend], *, same_seed_same_text: bool = True, scores: bool = True
) -> None:
    """Passes if the backend keeps the promises of the Backend protocol.

    Each ticket comes back exactly once, also when more is submitted in between; limits and stop strings hold; a request that is
    too long fails alone; a text does not depend on what else runs.

    Args:
        make_backend: makes the backend under test; called once, and closed at the end.
        same_seed_same_text: False for servers that do not promise it.
        scores: False where Score requests are answered with a Failure.

    Raises:
        NotConforming: it does not; the text says how.
    """
    backend = make_backend()
    try:
        _check_idle(backend)
        texts = _check_generate(backend)
        if same_seed_same_text:
            alone = [_one(backend, request) for request in _requests()]
            if [c.text if isinstance(c, Generated) else None for c in alone] != texts:
                raise NotConforming("the same request gave another text when it ran alone")
        _check_score(backend, scores)
        _check_too_long(backend)
    finally:
        backend.close()


def _drive(
    agent: Agent, observation: Observation, answer: Callable[[Request], str | Completion]
) -> tuple[list[Request], Reply]:
    thinking = agent.act(observation)
    if not isinstance(thinking, Generator):
        raise NotConforming(f"`act` must be a generator; it gave {type(thinking).__name__}")
    asked: list[Request] = []
    try:
        request = next(thinking)
        while True:
            _check_request(agent, request)
            asked.append(request)
            if len(asked) > MAX_REQUESTS:
                raise NotConforming(f"turn {observation.turn}: more than {MAX_REQUESTS} requests for one act")
            request = thinking.send(_completion(request, answer))
    except StopIteration as over:
        return asked, _checked(over.value, observation)


def _interleaved(
    agent: Agent, shown: Sequence[Observation], answer: Callable[[Request], str | Completion]
) -> list[Reply]:
    thinking = {index: agent.act(observation) for index, observation in enumerate(shown)}
    asked: dict[int, Request] = {}
    replies: dict[int, Reply] = {}
    while thinking:
        for index, generator in tuple(thinking.items()):
            try:
                request = generator.send(_completion(asked[index], answer)) if index in asked else next(generator)
            except StopIteration as over:
                replies[index] = _checked(over.value, shown[index])
                del thinking[index]
                continue
            asked[index] = request
    return [replies[index] for index in range(len(shown))]


def _completion(request: Request, answer: Callable[[Request], str | Completion]) -> Completion:
    given = answer(request)
    return generated(given, request) if isinstance(given, str) else given


def _check_request(agent: Agent, request: object) -> None:
    if not isinstance(request, Generate | Score | Ask):
        raise NotConforming(f"`act` must yield Generate, Score or Ask; it yielded {type(request).__name__}")
    if not agent.model:
        raise NotConforming("the agent asks, but its `model` is empty")
    prompt = None if isinstance(request, Ask) else request.prompt
    if isinstance(prompt, ChatPrompt):
        roles = [message.role for message in prompt.messages if message.role != "system"]
        if not roles or roles != [("user", "assistant")[i % 2] for i in range(len(roles))] or roles[-1] != "user":
            raise NotConforming(f"chat messages must alternate, user first and user last; they are {', '.join(roles)}")


def _checked(reply: object, observation: Observation) -> Reply:
    if isinstance(reply, Failure):
        return reply
    if not isinstance(reply, Act):
        raise NotConforming(f"`act` must return an Act or a Failure; it returned {type(reply).__name__}")
    others = {other.seat for other in observation.others}
    if reply.seat != observation.seat:
        raise NotConforming(f"the act is of seat {reply.seat!r}; {observation.seat!r} was due")
    if unknown := set(reply.action.to) - others:
        raise NotConforming(
            f"the act is addressed to {', '.join(sorted(unknown))}; others are {', '.join(sorted(others))}"
        )
    if (
        reply.action.kind in {ActionKind.speak, ActionKind.non_verbal, ActionKind.action}
        and not reply.action.text.strip()
    ):
        raise NotConforming(f"an act of kind {reply.action.kind.value!r} needs a text")
    return reply


def _requests() -> list[Generate]:
    prompts: list[Prompt] = [
        ChatPrompt(messages=(Message(role="user", content="Say hello to Ann."),)),
        ChatPrompt(
            messages=(Message(role="system", content="You are Bo."), Message(role="user", content="Who are you?")),
            reply_start="Bo:",
        ),
        TextPrompt(text="Once upon a time, in a small town by the sea,"),
        ChatPrompt(messages=(Message(role="user", content=f"Continue. {'Ann and Bo talk about a cake. ' * 12}"),)),
    ]
    return [
        Generate(prompt=prompt, sampling=Sampling(max_new_tokens=4 + 3 * index), seed=index, stop=("\n", "."))
        for index, prompt in enumerate(prompts)
    ]


def _check_idle(backend: Backend) -> None:
    if not backend.info.spec or not backend.info.id:
        raise NotConforming("`info` needs a spec and an id")
    if backend.poll(0.0):
        raise NotConforming("`poll` gave something before anything was submitted")
    if backend.poll():
        raise NotConforming("`poll` without a limit must return at once when nothing is open")


def _check_generate(backend: Backend) -> list[str | None]:
    requests = _requests()
    tickets = [backend.submit(request) for request in requests[:2]]
    done = {finished.ticket: finished.completion for finished in backend.poll()}
    if not done:
        raise NotConforming("`poll` without a limit came back empty while tickets were open")
    tickets += [backend.submit(request) for request in requests[2:]]
    if len(set(tickets)) != len(tickets):
        raise NotConforming(f"tickets must differ; they are {tickets}")
    done |= _collect(backend, set(tickets) - set(done))
    texts: list[str | None] = []
    for ticket, request in zip(tickets, requests, strict=True):
        completion = done[ticket]
        if not isinstance(completion, Generated):
            raise NotConforming(f"a plain Generate gave {completion}")
        if completion.new_tokens > request.sampling.max_new_tokens:
            raise NotConforming(f"{completion.new_tokens} tokens, {request.sampling.max_new_tokens} allowed")
        if any(stop in completion.text for stop in request.stop):
            raise NotConforming(f"a stop string stands in the text {completion.text!r}")
        if completion.latency_s < 0 or (completion.logprob or 0.0) > 1e-3:
            raise NotConforming(f"latency must be ≥ 0 and a log-probability ≤ 0: {completion}")
        texts.append(completion.text)
    return texts


def _check_score(backend: Backend, scores: bool) -> None:
    request = Score(prompt=TextPrompt(text="The capital of France is"), continuations=(" Paris", " a big town", " x"))
    completion = _one(backend, request)
    if not scores:
        if not isinstance(completion, Failure):
            raise NotConforming(f"a Score must be answered with a Failure here; it gave {completion}")
        return
    if not isinstance(completion, Scored):
        raise NotConforming(f"a Score gave {completion}")
    if len(completion.logprobs) != 3 or len(completion.lengths) != 3:
        raise NotConforming(f"three continuations were asked for; it gave {completion}")
    if max(completion.logprobs) > 1e-3 or min(completion.lengths) < 1:
        raise NotConforming(f"log-probabilities must be ≤ 0 and lengths ≥ 1: {completion}")


def _check_too_long(backend: Backend) -> None:
    if backend.info.context is None:
        return
    long = Generate(
        prompt=TextPrompt(text="word " * (backend.info.context + 1)), sampling=Sampling(max_new_tokens=2), seed=0
    )
    bad, good = backend.submit(long), backend.submit(_requests()[0])
    done = _collect(backend, {bad, good})
    failure = done[bad]
    if not isinstance(failure, Failure) or failure.kind != "too-long":
        raise NotConforming(f"a prompt beyond the context must give a Failure of kind 'too-long'; it gave {failure}")
    if not isinstance(done[good], Generated):
        raise NotConforming(f"a good request beside a bad one gave {done[good]}")


def _one(backend: Backend, request: Request) -> Completion:
    ticket = backend.submit(request)
    return _collect(backend, {ticket})[ticket]


def _collect(backend: Backend, tickets: set[int]) -> dict[int, Completion]:
    done: dict[int, Completion] = {}
    for _ in range(_MAX_POLLS):
        if tickets <= done.keys():
            break
        for finished in backend.poll(1.0):
            if finished.ticket in done or finished.ticket not in tickets:
                raise NotConforming(f"ticket {finished.ticket} came back twice, or was never given out")
            done[finished.ticket] = finished.completion
    if lost := tickets - done.keys():
        raise NotConforming(f"tickets {sorted(lost)} never came back")
    if backend.poll(0.0):
        raise NotConforming("`poll` gave something after every ticket had come back")
    return done


def _text(prompt: Prompt) -> str:
    if isinstance(prompt, TextPrompt):
        return prompt.text
    return "\n".join([*(f"{m.role}: {m.content}" for m in prompt.messages), prompt.reply_start])


def _words(prompt: Prompt) -> int:
    return len(_text(prompt).split())


def _share(*path: str) -> float:
    return int.from_bytes(hashlib.sha256("\0".join(path).encode()).digest()[:4], "big") / 2**32


def _sentence(seed: int) -> str:
    opener, middle, closer = (
        words[derive_seed(seed, part) % len(words)]
        for part, words in (("opener", _OPENERS), ("middle", _MIDDLES), ("closer", _CLOSERS))
    )
    return f"{opener}, {middle}; {closer}, number {seed % 1000}."
