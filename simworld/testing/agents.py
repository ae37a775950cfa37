"""Whether an agent keeps the promises of `simworld.core.protocols`."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace

from simworld.core.episode import Act, ActionKind, Observation
from simworld.core.errors import Failure, model_failure
from simworld.core.protocols import ActResult, Agent
from simworld.core.requests import (
    AskPerson,
    ChatPrompt,
    Completion,
    Encode,
    Generate,
    Request,
    Score,
)
from simworld.testing.fakes import example_observations, fake_answer, generated

MAX_REQUESTS = 200  # for one act of an agent under test; more means that it never ends


class NotConforming(AssertionError):
    """An agent or backend breaks a promise of `simworld.core.protocols`; the text says which."""


def check_agent(
    agent: Agent,
    observations: Sequence[Observation] | None = None,
    *,
    answer: Callable[[Request], str | Completion] | None = None,
) -> None:
    """Passes if the agent keeps the promises of the Agent protocol.

    It has a stable id; `act` is a generator that ends, asks by yielding requests only, returns an
    act of its own seat within the rules, or a Failure, also when the model fails; and it keeps no
    state: the same observation and answers give the same requests and act, in any order and
    interleaved.

    Args:
        agent: under test.
        observations: what it is shown; default: `example_observations()`.
        answer: how its requests are answered; default: `fake_answer`.

    Raises:
        NotConforming: it does not; the text says how.
    """
    shown = tuple(observations or example_observations())
    respond = answer or fake_answer
    if not isinstance(agent.id, str) or not agent.id or agent.id != agent.id:
        raise NotConforming(
            f"`id` must be a text that is not empty, and stay the same; it is {agent.id!r}"
        )
    if not isinstance(agent.model, str):
        raise NotConforming(
            f"`model` must be a text, empty for an agent that asks no model; it is {agent.model!r}"
        )
    id_before = agent.id
    first_runs = [_run_act(agent, observation, respond) for observation in shown]
    second_runs = [_run_act(agent, observation, respond) for observation in reversed(shown)][::-1]
    for observation, first, second in zip(shown, first_runs, second_runs, strict=True):
        if (list(map(_comparable_request, first[0])), _comparable_result(first[1])) != (
            list(map(_comparable_request, second[0])),
            _comparable_result(second[1]),
        ):
            raise NotConforming(
                f"turn {observation.turn}: the same observation and answers gave another act or"
                " request"
            )
    if list(map(_comparable_result, _run_interleaved(agent, shown, respond))) != [
        _comparable_result(reply) for _, reply in first_runs
    ]:
        raise NotConforming(
            "acts differ when several are thought out at the same time: the agent keeps state"
        )
    if agent.id != id_before:
        raise NotConforming("`id` changed while the agent acted")
    _run_act(agent, shown[0], lambda request: model_failure("timeout", "no answer in 60 s"))


def _run_act(
    agent: Agent, observation: Observation, answer: Callable[[Request], str | Completion]
) -> tuple[list[Request], ActResult]:
    generator = agent.act(observation)
    if not isinstance(generator, Generator):
        raise NotConforming(f"`act` must be a generator; it gave {type(generator).__name__}")
    requests: list[Request] = []
    try:
        request = next(generator)
        while True:
            _check_request(agent, request)
            requests.append(request)
            if len(requests) > MAX_REQUESTS:
                raise NotConforming(
                    f"turn {observation.turn}: more than {MAX_REQUESTS} requests for one act"
                )
            request = generator.send(_complete(request, answer))
    except StopIteration as stop:
        return requests, _check_result(stop.value, observation)


def _run_interleaved(
    agent: Agent, shown: Sequence[Observation], answer: Callable[[Request], str | Completion]
) -> list[ActResult]:
    running = {index: agent.act(observation) for index, observation in enumerate(shown)}
    open_requests: dict[int, Request] = {}
    results: dict[int, ActResult] = {}
    while running:
        for index, generator in tuple(running.items()):
            try:
                request = (
                    generator.send(_complete(open_requests[index], answer))
                    if index in open_requests
                    else next(generator)
                )
            except StopIteration as stop:
                results[index] = _check_result(stop.value, shown[index])
                del running[index]
                continue
            open_requests[index] = request
    return [results[index] for index in range(len(shown))]


def _comparable_request(request: Request) -> tuple[object, ...]:
    """What makes two requests equal: arrays compare by what is in them."""
    if not isinstance(request, Generate) or request.prefix is None:
        return (request,)
    vectors = request.prefix.embeddings
    return (
        replace(request, prefix=None),
        request.prefix.position,
        vectors.shape,
        vectors.tobytes(),
    )


def _comparable_result(reply: ActResult) -> tuple[object, ...]:
    """What makes two replies equal: as for requests."""
    if isinstance(reply, Failure) or reply.plan is None:
        return (reply,)
    plan = reply.plan
    vectors = [None if vector is None else vector.tobytes() for vector in (plan.state, plan.action)]
    return (replace(reply, plan=None), *vectors, plan.encoder_id, plan.planner_id, plan.noisy)


def _complete(request: Request, answer: Callable[[Request], str | Completion]) -> Completion:
    reply = answer(request)
    return generated(reply, request) if isinstance(reply, str) else reply


def _check_request(agent: Agent, request: object) -> None:
    if not isinstance(request, Generate | Score | Encode | AskPerson):
        raise NotConforming(
            f"`act` must yield Generate, Score, Encode or Ask; it yielded {type(request).__name__}"
        )
    if not agent.model:
        raise NotConforming("the agent asks, but its `model` is empty")
    prompt = None if isinstance(request, AskPerson) else request.prompt
    if isinstance(prompt, ChatPrompt):
        roles = [message.role for message in prompt.messages if message.role != "system"]
        if (
            not roles
            or roles != [("user", "assistant")[i % 2] for i in range(len(roles))]
            or roles[-1] != "user"
        ):
            raise NotConforming(
                "chat messages must alternate, user first and user last; they are"
                f" {', '.join(roles)}"
            )


def _check_result(reply: object, observation: Observation) -> ActResult:
    if isinstance(reply, Failure):
        return reply
    if not isinstance(reply, Act):
        raise NotConforming(
            f"`act` must return an Act or a Failure; it returned {type(reply).__name__}"
        )
    others = {other.seat for other in observation.others}
    if reply.seat != observation.seat:
        raise NotConforming(f"the act is of seat {reply.seat!r}; {observation.seat!r} was due")
    if unknown := set(reply.action.to) - others:
        raise NotConforming(
            f"the act is addressed to {', '.join(sorted(unknown))}; others are"
            f" {', '.join(sorted(others))}"
        )
    if (
        reply.action.kind in {ActionKind.speak, ActionKind.non_verbal, ActionKind.action}
        and not reply.action.text.strip()
    ):
        raise NotConforming(f"an act of kind {reply.action.kind.value!r} needs a text")
    return reply
