"""Whether a model backend keeps the promises of `simworld.core.protocols`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from simworld.core.errors import Failure
from simworld.core.protocols import Backend
from simworld.core.requests import (
    ChatPrompt,
    Completion,
    Encode,
    Encoded,
    Generate,
    Generated,
    Message,
    Prefix,
    Prompt,
    Request,
    Sampling,
    Score,
    Scored,
    TextPrompt,
)
from simworld.testing.agents import NotConforming

MAX_POLLS = 10_000  # for a few requests under test; more means that one never comes back


def check_backend(
    make_backend: Callable[[], Backend], *, same_seed_same_text: bool = True, scores: bool = True
) -> None:
    """Passes if the backend keeps the promises of the Backend protocol.

    Each ticket comes back exactly once, also when more is submitted in between; limits and stop
    strings hold; a request that is too long fails alone; a text does not depend on what else runs.
    Where `info` has a width, prompts have states of that width and prefixes are taken; elsewhere
    both are answered with a Failure.

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
            alone = [_complete_alone(backend, request) for request in _requests()]
            if [c.text if isinstance(c, Generated) else None for c in alone] != texts:
                raise NotConforming("the same request gave another text when it ran alone")
        _check_score(backend, scores)
        _check_encode(backend)
        _check_prefix(backend)
        _check_too_long(backend)
    finally:
        backend.close()


def _requests() -> list[Generate]:
    prompts: list[Prompt] = [
        ChatPrompt(messages=(Message(role="user", content="Say hello to Ann."),)),
        ChatPrompt(
            messages=(
                Message(role="system", content="You are Bo."),
                Message(role="user", content="Who are you?"),
            ),
            reply_start="Bo:",
        ),
        TextPrompt(text="Once upon a time, in a small town by the sea,"),
        ChatPrompt(
            messages=(
                Message(role="user", content=f"Continue. {'Ann and Bo talk about a cake. ' * 12}"),
            )
        ),
    ]
    return [
        Generate(
            prompt=prompt,
            sampling=Sampling(max_new_tokens=4 + 3 * index),
            seed=index,
            stop=("\n", "."),
        )
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
    done |= _collect_completions(backend, set(tickets) - set(done))
    texts: list[str | None] = []
    for ticket, request in zip(tickets, requests, strict=True):
        completion = done[ticket]
        if not isinstance(completion, Generated):
            raise NotConforming(f"a plain Generate gave {completion}")
        if completion.new_tokens > request.sampling.max_new_tokens:
            raise NotConforming(
                f"{completion.new_tokens} tokens, {request.sampling.max_new_tokens} allowed"
            )
        if any(stop in completion.text for stop in request.stop):
            raise NotConforming(f"a stop string stands in the text {completion.text!r}")
        if completion.latency_s < 0 or (completion.logprob or 0.0) > 1e-3:
            raise NotConforming(f"latency must be ≥ 0 and a log-probability ≤ 0: {completion}")
        texts.append(completion.text)
    return texts


def _check_score(backend: Backend, scores: bool) -> None:
    request = Score(
        prompt=TextPrompt(text="The capital of France is"),
        continuations=(" Paris", " a big town", " x"),
    )
    completion = _complete_alone(backend, request)
    if not scores:
        if not isinstance(completion, Failure):
            raise NotConforming(
                f"a Score must be answered with a Failure here; it gave {completion}"
            )
        return
    if not isinstance(completion, Scored):
        raise NotConforming(f"a Score gave {completion}")
    if len(completion.logprobs) != 3 or len(completion.lengths) != 3:
        raise NotConforming(f"three continuations were asked for; it gave {completion}")
    if max(completion.logprobs) > 1e-3 or min(completion.lengths) < 1:
        raise NotConforming(f"log-probabilities must be ≤ 0 and lengths ≥ 1: {completion}")


def _check_encode(backend: Backend) -> None:
    prompts = [request.prompt for request in _requests()]
    tickets = [backend.submit(Encode(prompt=prompt)) for prompt in prompts]
    done = _collect_completions(backend, set(tickets))
    again = _complete_alone(backend, Encode(prompt=prompts[0]))
    width = backend.info.width
    if width is None:
        if not all(isinstance(completion, Failure) for completion in done.values()):
            raise NotConforming(
                "an Encode must be answered with a Failure where `info` has no width"
            )
        return
    for completion in (again, *done.values()):
        if not isinstance(completion, Encoded):
            raise NotConforming(f"an Encode gave {completion}")
        if completion.state.shape != (width,) or completion.state.dtype != np.float32:
            raise NotConforming(f"a state must be ({width},) float32; it is {completion.state!r}")
        if (
            not np.isfinite(completion.state).all()
            or completion.prompt_tokens < 1
            or completion.latency_s < 0
        ):
            raise NotConforming(
                f"a state must be finite, and its prompt have a token: {completion}"
            )
    first = done[tickets[0]]
    if isinstance(again, Encoded) and isinstance(first, Encoded):
        alike = np.allclose(
            again.state, first.state, rtol=0.02, atol=0.02 * float(np.abs(first.state).max())
        )
        if not alike and backend.info.dtype == "float32":
            raise NotConforming("the same prompt gave another state when it ran alone")


def _check_prefix(backend: Backend) -> None:
    request = _requests()[1]
    width = backend.info.width
    good = Prefix(position="end", embeddings=np.full((2, width or 8), 0.5, np.float32))
    completion = _complete_alone(backend, replace(request, prefix=good))
    if width is None:
        if not isinstance(completion, Failure):
            raise NotConforming(
                "a prefix must be answered with a Failure where `info` has no width; it gave"
                f" {completion}"
            )
        return
    if not isinstance(completion, Generated):
        raise NotConforming(f"a Generate with a prefix gave {completion}")
    for shape in ((2, width + 1), (0, width)):
        bad = Prefix(position="end", embeddings=np.zeros(shape, np.float32))
        failure = _complete_alone(backend, replace(request, prefix=bad))
        if not isinstance(failure, Failure) or failure.kind != "invalid":
            raise NotConforming(
                f"a prefix {shape} must give a Failure of kind 'invalid'; it gave {failure}"
            )


def _check_too_long(backend: Backend) -> None:
    if backend.info.context is None:
        return
    too_long = Generate(
        prompt=TextPrompt(text="word " * (backend.info.context + 1)),
        sampling=Sampling(max_new_tokens=2),
        seed=0,
    )
    bad, good = backend.submit(too_long), backend.submit(_requests()[0])
    done = _collect_completions(backend, {bad, good})
    failure = done[bad]
    if not isinstance(failure, Failure) or failure.kind != "too-long":
        raise NotConforming(
            f"a prompt beyond the context must give a Failure of kind 'too-long'; it gave {failure}"
        )
    if not isinstance(done[good], Generated):
        raise NotConforming(f"a good request beside a bad one gave {done[good]}")


def _complete_alone(backend: Backend, request: Request) -> Completion:
    ticket = backend.submit(request)
    return _collect_completions(backend, {ticket})[ticket]


def _collect_completions(backend: Backend, tickets: set[int]) -> dict[int, Completion]:
    done: dict[int, Completion] = {}
    for _ in range(MAX_POLLS):
        if tickets <= done.keys():
            break
        for finished in backend.poll(1.0):
            if finished.ticket in done or finished.ticket not in tickets:
                raise NotConforming(
                    f"ticket {finished.ticket} came back twice, or was never given out"
                )
            done[finished.ticket] = finished.completion
    if lost := tickets - done.keys():
        raise NotConforming(f"tickets {sorted(lost)} never came back")
    if backend.poll(0.0):
        raise NotConforming("`poll` gave something after every ticket had come back")
    return done
