from __future__ import annotations

import asyncio
import gc
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from agents.lm.server import client
from agents.lm.server.openai_backend import OpenAIBackend, RetryDelays
from agents.lm.server.options import ServerOptions
from simworld.core.errors import Failure
from simworld.core.requests import (
    ChatPrompt,
    Encode,
    Generate,
    Generated,
    Message,
    Prefix,
    Request,
    Sampling,
    Score,
    TextPrompt,
)
from tests.agents.lm.server.faults import FaultyServer, serving

FAST = ServerOptions(timeout_s=10, retries=2)
PACE = RetryDelays(first_wait_s=0.01, longest_wait_s=0.02, longest_retry_after_s=3.0)
TALK = ChatPrompt(
    messages=(
        Message(role="system", content="Be brief."),
        Message(role="user", content="How much?"),
    ),
    reply_start="Ann:",
)
ASK = Generate(
    prompt=TALK,
    sampling=Sampling(
        temperature=0.7, top_k=40, top_p=0.9, min_p=0.05, repetition_penalty=1.1, max_new_tokens=20
    ),
    seed=2**40 + 5,
    stop=("\nBen:",),
)
Open = Callable[..., OpenAIBackend]


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with serving() as made:
        yield made


@pytest.fixture
def connect(server: FaultyServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")  # must not be used for loopback
    made: list[OpenAIBackend] = []

    def run(
        url: str = "", options: ServerOptions = FAST, *, model: str = "tiny", **settings: Any
    ) -> OpenAIBackend:
        made.append(
            OpenAIBackend(f"openai:{model}@{url or server.url}", options, delays=PACE, **settings)
        )
        return made[-1]

    yield run
    for backend in made:
        backend.close()


def one(backend: OpenAIBackend, request: Any = ASK) -> Any:
    ticket = backend.submit(request)
    (done,) = backend.poll(20)
    assert done.ticket == ticket
    assert list(backend.poll()) == []
    return done.completion


def test_the_request_and_the_answer(connect: Open, server: FaultyServer) -> None:
    done = one(connect())
    assert done == Generated(
        text="Sixty euros.",
        prompt_tokens=9,
        new_tokens=7,
        finish="stop",
        latency_s=done.latency_s,
        logprob=-0.75,
    )
    assert server.seen == [
        {
            "model": "tiny",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "How much?\nAnn:"},
            ],
            "temperature": 0.7,
            "top_p": 0.9,
            "max_tokens": 20,
            "seed": 5 + 2**40 % 2**31,
            "logprobs": True,
            "top_k": 40,
            "min_p": 0.05,
            "repetition_penalty": 1.1,
            "repeat_penalty": 1.1,
        }
    ]


def test_stop_strings_are_sent_once_the_model_has_shown_that_it_does_not_think(
    connect: Open, server: FaultyServer
) -> None:
    backend = connect()
    cut = 'body {"choices": [{"message": {"content": "Sixty"}, "finish_reason": "length"}]}'
    for faults, sent in (
        ([cut], None),
        ([cut], None),
        ([], None),
        ([], ["\nBen:"]),
        ([cut], ["\nBen:"]),
    ):
        server.faults = list(faults)
        one(backend)
        assert server.seen[-1].get("stop") == sent
    backend = connect()
    server.faults = [cut] * 5
    assert [one(backend).finish for _ in range(5)] == ["length"] * 5
    assert ["stop" in body for body in server.seen[-5:]] == [False] * 4 + [True]


def test_structured_output_and_text_prompts(connect: Open, server: FaultyServer) -> None:
    schema = {"type": "object", "properties": {"score": {"type": "integer"}}}
    one(connect(), replace(ASK, json_schema=schema))
    assert server.seen[0]["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": schema, "strict": True},
    }
    server.faults = [
        'body {"choices": [{"text": " in 1999", "finish_reason": "length", "logprobs":'
        ' {"token_logprobs": [-1, -2]}}]}'
    ]
    done = one(connect(), replace(ASK, prompt=TextPrompt(text="It began")))
    assert (done.text, done.finish, done.logprob, done.new_tokens) == (
        " in 1999",
        "length",
        -3.0,
        0,
    )
    assert server.seen[1]["prompt"] == "It began"
    assert server.seen[1]["logprobs"] == 1


@pytest.mark.parametrize(
    "fault",
    [
        "hang",
        "drop",
        "cut",
        "500",
        "503 overloaded",
        "429",
        "408",
        "body",
        "body {",
        "body []",
        "body <html>",
    ],
)
def test_a_passing_fault_is_retried(fault: str, connect: Open, server: FaultyServer) -> None:
    server.faults = [fault]
    done = one(connect(options=replace(FAST, timeout_s=1 if fault == "hang" else 10)))
    assert isinstance(done, Generated), done
    assert len(server.seen) == 2


@pytest.mark.parametrize(
    ("fault", "kind", "says", "tries"),
    [
        ("hang", "timeout", "no answer within 0.2 s", 3),
        ("drop", "invalid", "the answer broke off", 3),
        ("cut", "invalid", "the answer broke off", 3),
        ("429 slow down", "http-429", "slow down", 3),
        ("500 on fire", "http-500", "HTTP 500", 3),
        ("body", "empty", "empty body", 3),
        ("body not json", "invalid", "is not JSON: not json", 3),
        ("body \x00\x01", "invalid", "is not JSON", 3),
        ('body {"choices": []}', "invalid", "has no choices", 3),
        (
            'body {"choices": [{"message": {"content": null, "refusal": "never"}}]}',
            "empty",
            "no text: never",
            3,
        ),
        ('body {"choices": [{"message": {"content": 7}}]}', "invalid", "is no text", 3),
        ("401 who are you", "http-401", "no key was sent: name its environment variable", 1),
        ("404 no such model", "http-404", "no such model", 1),
        ("400 This model's maximum context length is 512 tokens", "too-long", "512", 1),
        ("400 exceeds the available context size", "too-long", "context size", 1),
    ],
)
def test_a_lasting_fault_is_a_failure_of_one_line(
    fault: str, kind: str, says: str, tries: int, connect: Open, server: FaultyServer
) -> None:
    server.faults = [fault] * 10
    done = one(connect(options=replace(FAST, timeout_s=0.2 if fault == "hang" else 10)))
    assert isinstance(done, Failure)
    assert (done.boundary, done.kind) == ("model", kind)
    assert says in done.message
    assert "\n" not in done.message
    assert len(server.seen) == tries


def test_a_server_that_is_not_there(connect: Open) -> None:
    # bound and not listening: the port refuses, and nobody else can take it
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        done = one(connect(f"http://127.0.0.1:{holder.getsockname()[1]}/v1"))
    assert done.kind == "refused"
    assert "cannot be reached" in done.message


@pytest.mark.parametrize(
    "wanted", ["1.5", "Mon, 23 Nov 2026 12:00:01 GMT"], ids=["seconds", "date"]
)
def test_retry_after_is_honoured_in_seconds_and_as_a_date(
    wanted: str, connect: Open, server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    sleep = asyncio.sleep

    async def at_once(seconds: float) -> None:
        waited.append(seconds)
        await sleep(0)

    noon = datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()
    monkeypatch.setattr(client, "time", SimpleNamespace(time=lambda: noon - 0.5))
    monkeypatch.setattr(asyncio, "sleep", at_once)
    server.faults = [f"retry-after {wanted}"]
    assert isinstance(one(connect()), Generated)
    assert [seconds for seconds in waited if seconds] == [1.5]


def test_a_server_that_wants_too_long_a_pause_is_given_up(
    connect: Open, server: FaultyServer
) -> None:
    server.faults = ["retry-after 3600"]
    assert one(connect()).kind == "http-429"
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("fault", "gone", "come"),
    [
        ("400 Unrecognized request argument supplied: min_p", {"min_p"}, set()),
        ("422 seed and top_k are not supported", {"seed", "top_k"}, set()),
        (
            "400 Use 'max_completion_tokens' instead of 'max_tokens'",
            {"max_tokens"},
            {"max_completion_tokens"},
        ),
        (
            "400 Extra inputs",
            {"seed", "logprobs", "top_k", "min_p", "repetition_penalty", "repeat_penalty"},
            set(),
        ),
    ],
)
def test_a_refused_parameter_is_left_out_and_this_is_remembered(
    fault: str, gone: set[str], come: set[str], connect: Open, server: FaultyServer
) -> None:
    backend = connect()
    assert isinstance(one(backend), Generated)
    server.faults = [fault]
    assert isinstance(one(backend), Generated)
    assert isinstance(one(backend), Generated)
    first, second, third = server.seen[1:]
    assert set(first) - set(second) == gone
    assert set(second) - set(first) == come
    assert third == second


def test_a_refused_system_role_is_merged(connect: Open, server: FaultyServer) -> None:
    server.faults = ["400 System role not supported"]
    assert isinstance(one(connect()), Generated)
    assert server.seen[1]["messages"] == [
        {"role": "user", "content": "Be brief.\n\nHow much?\nAnn:"}
    ]


def test_what_leaving_out_does_not_cure_is_not_remembered(
    connect: Open, server: FaultyServer
) -> None:
    backend = connect()
    assert isinstance(one(backend), Generated)
    server.faults = ["400 nonsense"] * 3
    assert one(backend).kind == "http-400"
    assert isinstance(one(backend), Generated)
    _, first, second, third, last = server.seen
    assert last == first
    assert "seed" not in second
    assert "temperature" in second
    assert not {"temperature", "top_p", "stop"} & set(third)


def test_concurrency_is_bounded_and_one_bad_request_fails_alone(
    connect: Open, server: FaultyServer
) -> None:
    backend = connect(options=replace(FAST, concurrency=3))
    server.faults = ["404"]
    server.delay_s = 0.05
    tickets = {backend.submit(ASK) for _ in range(10)}
    done: dict[int, Any] = {}
    while found := backend.poll(10):
        done |= {f.ticket: f.completion for f in found}
    assert set(done) == tickets
    assert sum(isinstance(c, Failure) for c in done.values()) == 1
    assert server.most == 3


@pytest.mark.parametrize(
    "request_",
    [
        Score(prompt=TextPrompt(text="a"), continuations=(" b",)),
        Encode(prompt=TextPrompt(text="a")),
        replace(ASK, prefix=Prefix(position="end", embeddings=np.zeros((1, 8), np.float32))),
    ],
)
def test_likelihoods_states_and_prefixes_are_not_to_be_had(
    request_: Request, connect: Open, server: FaultyServer
) -> None:
    done = one(connect(), request_)
    assert done.kind == "unsupported"
    assert "use a local model" in done.message
    assert not server.seen


def test_poll_keeps_to_its_time(connect: Open, server: FaultyServer) -> None:
    backend = connect(options=replace(FAST, timeout_s=20))
    server.faults = ["hang"]
    backend.submit(ASK)
    assert list(backend.poll(0.05)) == []


def test_close_cancels_and_joins(connect: Open, server: FaultyServer) -> None:
    backend = connect(options=replace(FAST, timeout_s=20, concurrency=1))
    server.faults = ["hang"]
    for _ in range(3):
        backend.submit(ASK)
    while not server.seen:  # one is on its way, two wait
        assert list(backend.poll(0.01)) == []
    backend.close()
    backend.close()
    assert not [t for t in threading.enumerate() if t.name == "simworld-openai"]
    with pytest.raises(RuntimeError, match="closed"):
        backend.submit(ASK)


def test_the_id_hashes_name_and_address(connect: Open, server: FaultyServer) -> None:
    one_, same, other = connect(), connect(server.url + "/"), connect("http://127.0.0.1:1/v1")
    assert one_.info.id == same.info.id != other.info.id
    assert (one_.info.dtype, one_.info.context) == ("", None)


@pytest.mark.filterwarnings("error")
def test_closing_while_connections_are_begun_is_silent(server: FaultyServer) -> None:
    for polled in range(8):
        backend = OpenAIBackend(f"openai:tiny@{server.url}", FAST)
        for _ in range(32):
            backend.submit(ASK)
        for _ in range(polled % 3):
            backend.poll(5)
        backend.close()
        gc.collect()  # what was never awaited is told when it goes
