"""Whether an agent or a backend keeps the promises of `simworld.core.protocols`."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

from simworld.core.episode import Act, ActionKind, Observation
from simworld.core.errors import Failure
from simworld.core.protocols import Agent, Backend, Reply
from simworld.core.requests import (
    Ask,
    ChatPrompt,
    Completion,
    Generate,
    Generated,
    Message,
    Prompt,
    Request,
    Sampling,
    Score,
    Scored,
    TextPrompt,
)
from simworld.testing.fakes import example_observations, fake_answer, generated

MAX_REQUESTS = 200  # for one act of an agent under test; more means that it never ends
_MAX_POLLS = 10_000


class NotConforming(AssertionError):
    """An agent or backend breaks a promise of `simworld.core.protocols`; the text says which."""


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
