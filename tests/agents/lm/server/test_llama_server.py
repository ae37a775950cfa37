"""The openai: backend against a real server, llama.cpp's own on loopback, also through a proxy that
injects faults."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from agents.lm.local.weights import BUILTIN_MODELS, packaged_file
from agents.lm.server.openai_backend import OpenAIBackend, RetryDelays
from agents.lm.server.options import ServerOptions
from simworld.core.errors import Failure
from simworld.core.requests import ChatPrompt, Generate, Generated, Message, Sampling, TextPrompt
from tests.agents.lm.server.faults import serving

pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(
        importlib.util.find_spec("xllamacpp") is None,
        reason="pip install xllamacpp for a real server",
    ),
    pytest.mark.skipif(
        packaged_file(BUILTIN_MODELS["smollm2-135m-instruct"]) is None,
        reason="run `simworld model fetch`",
    ),
]
KEY = "k1"
ASK = Generate(
    prompt=ChatPrompt(messages=(Message(role="user", content="What is the capital of France?"),)),
    sampling=Sampling(temperature=0.0, max_new_tokens=12),
    seed=7,
)


@dataclass(frozen=True)
class Server:
    url: str


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    gguf = packaged_file(BUILTIN_MODELS["smollm2-135m-instruct"])
    script = Path(__file__).with_name("llama_server.py")
    process = subprocess.Popen(
        [sys.executable, str(script), str(gguf), KEY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("ready "):
                yield Server(url=line.split()[1] + "/v1")
                break
        else:
            pytest.fail(f"the server ended with {process.wait()}")
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def backend(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAIBackend]:
    monkeypatch.setenv("LLAMA_KEY", KEY)
    made = connect(server.url)
    yield made
    made.close()


def connect(url: str) -> OpenAIBackend:
    options = ServerOptions(api_key_env="LLAMA_KEY", timeout_s=60.0, concurrency=4)
    return OpenAIBackend(f"openai:smollm2@{url}", options, delays=RetryDelays(first_wait_s=0.05))


def gather(backend: OpenAIBackend, *requests: Generate) -> list[Any]:
    tickets = [backend.submit(request) for request in requests]
    done: dict[int, Any] = {}
    while found := backend.poll(120):
        done |= {f.ticket: f.completion for f in found}
    return [done[ticket] for ticket in tickets]


def test_chat_and_text_with_counts_and_likelihoods(backend: OpenAIBackend) -> None:
    chat, text = gather(
        backend, ASK, replace(ASK, prompt=TextPrompt(text="The capital of France is"), stop=(".",))
    )
    assert isinstance(chat, Generated), chat
    assert chat.text
    assert chat.finish == "length"
    # the template with its own system text, as transformers tokenises it
    assert chat.prompt_tokens == 37
    assert chat.new_tokens == 12
    assert chat.logprob is not None
    assert -60 < chat.logprob < 0
    assert text.text == " Paris"
    assert text.finish == "stop"
    assert text.prompt_tokens == 5


def test_equal_seeds_give_equal_text_and_others_differ(backend: OpenAIBackend) -> None:
    wild = replace(ASK, sampling=Sampling(temperature=1.0, top_k=40, max_new_tokens=12))
    first = gather(backend, *(replace(wild, seed=s) for s in (1, 2, 3)))
    again = gather(backend, *(replace(wild, seed=s) for s in (1, 2, 3)))
    assert [c.text for c in first] == [c.text for c in again]
    assert len({c.text for c in first}) == 3


def test_structured_output_keeps_to_its_schema(backend: OpenAIBackend) -> None:
    schema = {
        "type": "object",
        "properties": {"score": {"type": "integer", "minimum": 0, "maximum": 9}},
        "required": ["score"],
        "additionalProperties": False,
    }
    (done,) = gather(
        backend,
        replace(ASK, json_schema=schema, sampling=Sampling(temperature=0.0, max_new_tokens=30)),
    )
    assert set(json.loads(done.text)) == {"score"}


def test_a_wrong_key_and_a_prompt_that_is_too_long(
    server: Server, backend: OpenAIBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    (long,) = gather(backend, replace(ASK, prompt=TextPrompt(text="long " * 2000)))
    assert isinstance(long, Failure)
    assert long.kind == "too-long", long
    monkeypatch.setenv("LLAMA_KEY", "wrong")
    stranger = connect(server.url)
    (done,) = gather(stranger, ASK)
    stranger.close()
    assert done.kind == "http-401"


def test_through_a_proxy_that_injects_faults_every_request_is_answered(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMA_KEY", KEY)
    with serving(upstream=server.url.removesuffix("/v1")) as proxy:
        backend = connect(proxy.url)
        proxy.faults = ["500", "drop", "retry-after 0.1", "cut", "body", "body {", "503"]
        request = replace(ASK, prompt=TextPrompt(text="The capital of France is"), stop=(".",))
        done = gather(backend, *(replace(request, seed=s) for s in range(8)))
        backend.close()
    assert [c.text for c in done] == [" Paris"] * 8
    assert len(proxy.seen) == 8 + 7
