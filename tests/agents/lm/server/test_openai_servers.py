"""Servers of today: thinking models, refused parameters, odd bodies, the words of many makers, keys
that stay at home."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from agents.lm.reasoning_marks import ReasoningMarks
from agents.lm.server.openai_backend import OpenAIBackend, RetryDelays
from agents.lm.server.options import ServerOptions
from simworld.core.errors import Failure
from simworld.core.requests import ChatPrompt, Generate, Generated, Message, Sampling
from tests.agents.lm.server.faults import FaultyServer, serving

FAST = ServerOptions(timeout_s=20, retries=2)
PACE = RetryDelays(first_wait_s=0.01, longest_wait_s=0.02)
ASK = Generate(
    prompt=ChatPrompt(
        messages=(
            Message(role="system", content="Be brief."),
            Message(role="user", content="How much?"),
        ),
    ),
    sampling=Sampling(temperature=0.7, top_k=40, top_p=0.9, max_new_tokens=20),
    seed=5,
    stop=("\nBen:",),
)
SCHEMA = {"type": "object", "properties": {"score": {"type": "integer"}}}
LINE = "I could go to 70."
SECRET = "My floor is 60."
Rule = Callable[[dict[str, Any]], tuple[int, Any]]
Open = Callable[..., OpenAIBackend]


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with serving() as made:
        yield made


@pytest.fixture
def connect(server: FaultyServer) -> Iterator[Open]:
    made: list[OpenAIBackend] = []

    def run(
        options: ServerOptions = FAST, *, model: str = "tiny", url: str = "", **settings: Any
    ) -> OpenAIBackend:
        made.append(
            OpenAIBackend(f"openai:{model}@{url or server.url}", options, delays=PACE, **settings)
        )
        return made[-1]

    yield run
    for backend in made:
        backend.close()


def one(backend: OpenAIBackend, request: Generate = ASK) -> Any:
    backend.submit(request)
    (done,) = backend.poll(20)
    return done.completion


def chat(content: Any, finish: str = "stop", usage: Any = None, **fields: Any) -> tuple[int, Any]:
    message = {"role": "assistant", "content": content, **fields}
    counts = usage or {"prompt_tokens": 10, "completion_tokens": 5}
    return 200, {"choices": [{"message": message, "finish_reason": finish}], "usage": counts}


def refused(message: str, status: int = 400, **fields: Any) -> tuple[int, Any]:
    return status, {"error": {"message": message, "type": "invalid_request_error", **fields}}


# Thoughts


@pytest.mark.parametrize(
    "answer",
    [
        chat(f"<think>\n{SECRET}\n</think>\n\n{LINE}"),
        chat(f"{SECRET}\n</think>\n\n{LINE}"),
        chat(f"<thinking>{SECRET}</thinking>{LINE}"),
        chat(LINE, reasoning_content=SECRET),
        chat(LINE, reasoning=SECRET),
        chat(
            LINE, reasoning=SECRET, reasoning_details=[{"type": "reasoning.text", "text": SECRET}]
        ),
        chat(
            [
                {"type": "thinking", "thinking": [{"type": "text", "text": SECRET}]},
                {"type": "text", "text": LINE},
            ]
        ),
        chat([{"type": "reasoning", "text": SECRET}, {"type": "output_text", "text": LINE}]),
        chat([{"text": SECRET, "thought": True}, {"text": LINE}]),
    ],
)
def test_thoughts_are_kept_apart_from_speech(
    answer: tuple[int, Any], connect: Open, server: FaultyServer
) -> None:
    server.rule = lambda _: answer
    done = one(connect())
    assert (done.text, done.reasoning) == (LINE, SECRET)
    assert done.raw == f"<think>\n{SECRET}\n</think>\n\n{LINE}"


def test_content_as_a_list_of_parts(connect: Open, server: FaultyServer) -> None:
    server.rule = lambda _: chat(
        [{"type": "text", "text": "I could "}, {"type": "text", "text": "go to 70."}]
    )
    assert one(connect()).text == LINE
    server.rule = lambda _: chat([{"type": "image_url", "image_url": {"url": "http://x"}}])
    assert one(connect()).text == ""


@pytest.mark.parametrize(
    "content",
    [
        [
            {
                "type": "text",
                "text": [{"type": "thinking", "thinking": SECRET}, {"type": "text", "text": LINE}],
            }
        ],
        [{"type": "text", "content": [{"type": "reasoning", "summary": [{"text": SECRET}]}, LINE]}],
        {"type": "text", "text": LINE, "thinking": SECRET},
        [[{"text": SECRET, "thought": True}], {"text": {"type": "text", "text": LINE}}],
    ],
)
def test_a_thought_in_a_part_of_a_part_is_no_speech(
    content: Any, connect: Open, server: FaultyServer
) -> None:
    server.rule = lambda _: chat(content)
    done = one(connect())
    assert (done.text, done.reasoning) == (LINE, SECRET)


def test_a_word_that_is_no_key_is_not_blanked(
    connect: Open, server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # what people set for a server of their own that asks for any key
    monkeypatch.setenv("ONE", "a")
    server.rule = lambda _: chat("It is a deal.")
    assert one(connect(replace(FAST, api_key_env="ONE"))).text == "It is a deal."


@pytest.mark.parametrize(
    "answer",
    [
        chat(f"<think>\n{SECRET} He may not", "length"),
        chat(None, "length", reasoning_content=SECRET),
        chat("", "length", reasoning=SECRET),
        chat(
            "",
            "length",
            usage={"completion_tokens": 20, "completion_tokens_details": {"reasoning_tokens": 20}},
        ),
    ],
)
def test_a_limit_that_was_spent_on_thinking_is_a_failure_of_its_own(
    answer: tuple[int, Any], connect: Open, server: FaultyServer
) -> None:
    server.rule = lambda _: answer
    done = one(connect())
    assert isinstance(done, Failure)
    assert (done.boundary, done.kind) == ("model", "thinking")
    assert "the token limit of 20 was spent on thinking" in done.message
    assert "max_new_tokens" in done.message
    assert SECRET not in done.message
    assert len(server.seen) == 1


@pytest.mark.parametrize("opening", ["<think>", ""])
def test_a_thinking_model_is_not_stopped_inside_its_thought(
    opening: str, connect: Open, server: FaultyServer
) -> None:
    thought = "What was said so far:\nBen: no.\nI stay firm."
    whole = f"{opening}{thought}</think>{LINE}\nBen: Deal."

    def rule(body: dict[str, Any]) -> tuple[int, Any]:
        ends = [at for stop in body.get("stop", []) if (at := whole.find(stop)) >= 0]
        return chat(whole[: min(ends)] if ends else whole)

    server.rule = rule
    backend = connect()
    first, second = one(backend), one(backend)
    assert first.text == second.text == LINE
    assert first.reasoning == second.reasoning == thought
    assert not any("stop" in body for body in server.seen)


def test_a_thought_that_a_stop_string_has_ended_is_asked_for_again_without(
    connect: Open, server: FaultyServer
) -> None:
    backend = connect()
    server.rule = lambda _: chat(LINE)
    one(backend)  # until now it did not think
    server.rule = lambda body: chat(
        "<think>So far:" if "stop" in body else f"<think>So far:\nBen: no.</think>{LINE}"
    )
    assert [one(backend).text for _ in range(2)] == [LINE, LINE]
    assert ["stop" in body for body in server.seen] == [False, True, False, False]


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ("DeepSeek-R1-Distill-Qwen-7B", {}),
        ("tiny", {"reasoning": "on"}),
        ("tiny", {"reasoning": ReasoningMarks(open="((", close="))")}),
    ],
)
def test_a_model_that_is_known_to_think_is_sent_no_stop_strings(
    model: str, settings: dict[str, Any], connect: Open, server: FaultyServer
) -> None:
    server.rule = lambda _: chat(f"(({SECRET}))<think></think>{LINE}\nBen: no.")
    done = one(connect(model=model, **settings))
    assert "stop" not in server.seen[0]
    assert done.text.endswith(LINE)


def test_a_reply_cut_short_inside_a_thought_that_the_template_began(
    connect: Open, server: FaultyServer
) -> None:
    server.rule = lambda _: chat(f"Okay. {SECRET} So I", "length")
    assert one(connect(model="qwq-32b")).kind == "thinking"
    assert one(connect(reasoning="on")).kind == "thinking"
    assert one(connect(model="qwq-32b", reasoning="off")).text.startswith("Okay.")
    backend = connect()
    server.rule = lambda _: chat(f"{SECRET}</think>{LINE}")
    assert one(backend).text == LINE
    server.rule = lambda _: chat(f"Okay. {SECRET} So I", "length")
    assert one(backend).kind == "thinking"  # learnt from the reply before
    server.rule = lambda _: chat(LINE)
    assert one(backend).text == LINE


def test_thought_tokens_are_counted_where_the_server_counts_them(
    connect: Open, server: FaultyServer
) -> None:
    usage = {
        "prompt_tokens": 9,
        "completion_tokens": 30,
        "completion_tokens_details": {"reasoning_tokens": 21},
    }
    server.rule = lambda _: chat(LINE, usage=usage, reasoning_content=SECRET)
    assert one(connect()).reasoning_tokens == 21
    server.rule = lambda _: chat(LINE)
    assert one(connect()).reasoning_tokens is None


# Structured output in other places


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (chat(None, reasoning_content='{"score": 3}'), '{"score": 3}'),
        (
            chat(
                None,
                "tool_calls",
                tool_calls=[{"function": {"name": "answer", "arguments": '{"score": 3}'}}],
            ),
            '{"score": 3}',
        ),
        (
            chat(
                "",
                "tool_calls",
                tool_calls=[{"function": {"name": "answer", "arguments": {"score": 3}}}],
            ),
            '{"score": 3}',
        ),
        (chat(None, function_call={"name": "answer", "arguments": '{"score": 3}'}), '{"score": 3}'),
        (chat(None, parsed={"score": 3}), '{"score": 3}'),
        (
            chat('{"reason": "it wrote </think>", "score": 3}'),
            '{"reason": "it wrote </think>", "score": 3}',
        ),
        (chat('maybe {"score": 1}\n</think>{"score": 3}'), '{"score": 3}'),
        (chat('{"score": 3}', reasoning_content='{"score": 1}'), '{"score": 3}'),
    ],
)
def test_json_where_a_schema_was_asked_for(
    answer: tuple[int, Any], text: str, connect: Open, server: FaultyServer
) -> None:
    server.rule = lambda _: answer
    assert one(connect(), replace(ASK, json_schema=SCHEMA, stop=())).text == text


def test_an_agents_reply_is_never_taken_from_tools_or_thoughts(
    connect: Open, server: FaultyServer
) -> None:
    calls = [{"function": {"name": "say", "arguments": f'{{"text": "{SECRET}"}}'}}]
    server.rule = lambda _: chat(None, "tool_calls", tool_calls=calls)
    done = one(connect())
    assert (done.kind, SECRET in done.message) == ("empty", False)
    assert "it calls a tool" in done.message
    server.rule = lambda _: chat(None, reasoning_content=SECRET)
    assert one(connect()).text == ""  # which the agent asks again, with other random numbers


# Parameters that are refused


def gpt5(body: dict[str, Any]) -> tuple[int, Any]:
    if "max_tokens" in body:
        message = (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use"
            " 'max_completion_tokens' instead."
        )
        return refused(message, param="max_tokens", code="unsupported_parameter")
    if body.get("temperature", 1) != 1:
        message = (
            f"Unsupported value: 'temperature' does not support {body['temperature']} with this"
            " model."
        )
        return refused(message, param="temperature", code="unsupported_value")
    for name in ("top_k", "min_p", "repetition_penalty", "repeat_penalty"):
        if name in body:
            return refused(f"Unrecognized request argument supplied: {name}")
    for name in ("stop", "logprobs", "top_p"):
        if name in body:
            return refused(
                f"Unsupported parameter: '{name}' is not supported with this model.", param=name
            )
    return chat(f"{LINE}\nBen: no.")


def both(body: dict[str, Any]) -> tuple[int, Any]:
    if "temperature" in body and "top_p" in body:
        return refused(
            "`temperature` and `top_p` cannot both be specified for this model. Please use only"
            " one."
        )
    return chat(LINE)


def roles(body: dict[str, Any]) -> tuple[int, Any]:
    found = [message["role"] for message in body["messages"]]
    if found[0] == "system":
        return refused("Conversation roles must alternate user/assistant/user/assistant/...")
    return chat(LINE)


def jinja(body: dict[str, Any]) -> tuple[int, Any]:
    if body["messages"][0]["role"] == "system":
        return refused("Jinja Exception: System role not supported", status=500)
    return chat(LINE)


def pydantic(body: dict[str, Any]) -> tuple[int, Any]:
    extra = [name for name in ("top_k", "min_p", "repeat_penalty") if name in body]
    if extra:
        return 422, {
            "detail": [
                {"loc": ["body", name], "msg": "Extra inputs are not permitted"} for name in extra
            ]
        }
    return chat(LINE)


def schema(body: dict[str, Any]) -> tuple[int, Any]:
    if "response_format" in body:
        return refused("'json_schema' is not supported with this model")
    return chat('{"score": 3}')


def enum(body: dict[str, Any]) -> tuple[int, Any]:
    if "response_format" in body:
        return refused(
            "Invalid schema for response_format 'answer': enum value 0 does not validate against"
            " {'type': 'integer'}"
        )
    return chat('{"score": 3}')


def silent(body: dict[str, Any]) -> tuple[int, Any]:
    return refused("Bad request") if "temperature" in body else chat(LINE)


@pytest.mark.parametrize(
    ("rule", "gone", "kept"),
    [
        (
            gpt5,
            {
                "max_tokens",
                "temperature",
                "top_k",
                "min_p",
                "repetition_penalty",
                "stop",
                "logprobs",
                "top_p",
            },
            {"seed"},
        ),
        (both, {"top_p"}, {"temperature", "top_k", "seed", "stop"}),
        (roles, set(), {"temperature", "seed"}),
        (jinja, set(), {"temperature", "seed"}),
        (
            pydantic,
            {"top_k", "min_p", "repeat_penalty"},
            {"repetition_penalty", "seed", "temperature"},
        ),
        (schema, {"response_format"}, {"temperature", "seed", "logprobs", "top_k"}),
        (enum, {"response_format"}, {"temperature", "seed", "logprobs", "top_k"}),
        (silent, {"temperature", "top_k", "seed"}, {"max_tokens"}),
    ],
)
def test_what_a_server_refuses_is_left_out_and_this_is_remembered(
    rule: Rule, gone: set[str], kept: set[str], connect: Open, server: FaultyServer
) -> None:
    server.rule = rule
    backend = connect()
    request = replace(ASK, json_schema=SCHEMA) if rule in (schema, enum) else ASK
    server.rule = lambda _: chat(LINE)
    one(backend, request)
    server.rule = rule
    first = one(backend, request)
    assert isinstance(first, Generated), first
    asked = len(server.seen)
    assert isinstance(one(backend, request), Generated)
    assert len(server.seen) == asked + 1
    assert not gone & set(server.seen[-1])
    assert kept <= set(server.seen[-1])
    assert "Ben:" not in first.text


def test_a_server_that_refuses_everything_is_not_asked_for_ever(
    connect: Open, server: FaultyServer
) -> None:
    names = [
        "logprobs",
        "seed",
        "top_k",
        "min_p",
        "repetition_penalty",
        "repeat_penalty",
        "stop",
        "temperature",
        "top_p",
    ]
    server.rule = lambda _: refused(f"{names[0]} is bad. " + " ".join(names))
    assert one(connect()).kind == "http-400"
    server.rule = lambda body: refused(
        f"unsupported: {next(iter(sorted(set(names) & set(body))), 'max_tokens')}"
    )
    assert one(connect()).kind == "http-400"
    assert len(server.seen) < 30


def test_what_the_file_adds_is_sent_and_never_left_out(connect: Open, server: FaultyServer) -> None:
    extra = {
        "chat_template_kwargs": {"enable_thinking": False},
        "temperature": 1,
        "max_completion_tokens": 99,
    }
    backend = connect(replace(FAST, extra_body=extra, headers={"x-title": "lab"}))
    one(backend)
    assert server.seen[0]["chat_template_kwargs"] == {"enable_thinking": False}
    assert (server.seen[0]["temperature"], server.seen[0]["max_completion_tokens"]) == (1, 99)
    assert "max_tokens" not in server.seen[0]
    assert server.headers[0]["x-title"] == "lab"
    server.rule = lambda body: (
        refused("'temperature' is not supported") if "temperature" in body else chat(LINE)
    )
    assert one(backend).kind == "http-400"


# What servers say


@pytest.mark.parametrize(
    ("answer", "kind", "tries"),
    [
        (
            refused(
                "This model's maximum context length is 512 tokens. However, you requested 600"
                " tokens."
            ),
            "too-long",
            1,
        ),
        (
            refused(
                "This model's maximum context length is 512 tokens.", code="context_length_exceeded"
            ),
            "too-long",
            1,
        ),
        (
            (
                400,
                {
                    "error": {
                        "code": 400,
                        "message": "the request exceeds the available context size",
                        "n_ctx": 512,
                    }
                },
            ),
            "too-long",
            1,
        ),
        (
            refused(
                "The decoder prompt (length 600) is longer than the maximum model length of 512."
            ),
            "too-long",
            1,
        ),
        (
            refused(
                "'max_tokens' or 'max_completion_tokens' is too large: 48. This model's maximum"
                " context length is 512 tokens"
            ),
            "too-long",
            1,
        ),
        (refused("max_tokens must be at least 1, got -88.", param="max_tokens"), "too-long", 1),
        (
            refused(
                "The input (600 tokens) is longer than the model's context length (512 tokens)."
            ),
            "too-long",
            1,
        ),
        (refused("prompt is too long: 600 tokens > 512 maximum"), "too-long", 1),
        (
            refused(
                "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given:"
                " 5000",
                422,
            ),
            "too-long",
            1,
        ),
        (
            refused(
                "The input token count (40000) exceeds the maximum number of tokens allowed"
                " (32768)."
            ),
            "too-long",
            1,
        ),
        (refused("Please reduce the length of the messages or completion."), "too-long", 1),
        (refused("input length exceeds the context length", 500), "too-long", 1),
        (
            refused("Requested token count exceeds the model's maximum context length"),
            "too-long",
            1,
        ),
        ((413, {"error": {"message": "Request too large"}}), "too-long", 1),
        ((413, "<html>Payload Too Large</html>"), "too-long", 1),
        (
            refused(
                "max_tokens is too large: 8192. This model supports at most 4096 completion tokens."
            ),
            "http-400",
            1,
        ),
        (
            refused(
                "You exceeded your current quota, please check your plan.",
                429,
                code="insufficient_quota",
            ),
            "quota",
            1,
        ),
        (refused("Your credit balance is too low to access the API."), "quota", 1),
        ((402, {"error": {"message": "Insufficient credits"}}), "quota", 1),
        (
            refused("Rate limit reached: 8000 tokens per minute", 429, code="rate_limit_exceeded"),
            "http-429",
            3,
        ),
        (
            refused(
                "The response was filtered due to Azure OpenAI's content management policy.",
                code="content_filter",
            ),
            "filtered",
            1,
        ),
        (chat("", "content_filter"), "filtered", 1),
        ((200, {"error": {"message": "Provider returned error", "code": 502}}), "http-502", 3),
        (
            (
                200,
                {
                    "id": "x",
                    "choices": None,
                    "error": {"message": "Upstream idle timeout", "code": 524},
                },
            ),
            "http-524",
            3,
        ),
        (
            (
                200,
                {
                    "choices": [
                        {
                            "error": {"message": "overloaded", "code": 503},
                            "message": {"content": ""},
                        }
                    ]
                },
            ),
            "http-503",
            3,
        ),
        ((200, {"error": {"message": "no such model", "code": "404"}}), "http-404", 1),
        ((200, {"error": "bad thing"}), "invalid", 3),
        ((404, {"error": {"message": "The model `x` does not exist"}}), "http-404", 1),
        ((404, {"detail": "Not Found"}), "http-404", 1),
    ],
)
def test_the_words_of_servers(
    answer: tuple[int, Any], kind: str, tries: int, connect: Open, server: FaultyServer
) -> None:
    server.rule = lambda _: answer
    done = one(connect())
    assert isinstance(done, Failure), done
    assert done.kind == kind, done
    assert len(server.seen) == tries


@pytest.mark.parametrize(
    ("models", "size", "kind"),
    [
        # 2,000 letters are some 500 tokens
        ({"data": [{"id": "tiny", "max_model_len": 512}]}, 2000, "too-long"),
        (
            {
                "data": [
                    {"id": "other", "n_ctx": 9},
                    {"id": "tiny", "meta": {"n_ctx": 512, "n_ctx_train": 9}},
                ]
            },
            2000,
            "too-long",
        ),
        ({"data": [{"id": "whatever.gguf", "context_length": 512}]}, 2000, "too-long"),
        ({"data": [{"id": "tiny", "max_model_len": 512}]}, 400, "http-400"),
        ({"data": [{"id": "a", "n_ctx": 9}, {"id": "b", "n_ctx": 9}]}, 2000, "http-400"),
        ({"data": [{"id": "tiny", "max_model_len": True}]}, 2000, "http-400"),
        ({"data": [{"id": "tiny", "max_model_len": "512"}, 7]}, 2000, "http-400"),
        (["tiny"], 2000, "http-400"),
        (None, 2000, "http-400"),
    ],
)
def test_a_refusal_in_unknown_words_is_held_against_the_list_of_models(
    models: Any, size: int, kind: str, connect: Open, server: FaultyServer
) -> None:
    server.models = models
    server.rule = lambda _: refused("das war zu viel")
    long = replace(ASK, prompt=ChatPrompt(messages=(Message(role="user", content="a" * size),)))
    backend = connect()
    assert [one(backend, long).kind for _ in range(2)] == [kind] * 2
    assert server.asked == ["/v1/models"]


def test_a_stream_of_events_is_named(connect: Open, server: FaultyServer) -> None:
    server.faults = [
        'body data: {"choices": [{"delta": {"content": "Hello"}}]}\n\ndata: [DONE]\n\n'
    ]
    done = one(connect())
    assert (done.kind, len(server.seen)) == ("stream", 1)
    assert "stream of events" in done.message


# Odd numbers and hostile bodies


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        ('{"prompt_tokens": 1e30, "completion_tokens": 7}', (0, 7)),
        (f'{{"prompt_tokens": {10**30}, "completion_tokens": {10**25}}}', (0, 0)),
        (f'{{"prompt_tokens": {"9" * 9000}, "completion_tokens": 7}}', (0, 7)),
        ('{"prompt_tokens": true, "completion_tokens": -5}', (0, 0)),
        ('{"prompt_tokens": 1.5, "completion_tokens": null}', (0, 0)),
        ('{"prompt_tokens": 9.0, "completion_tokens": 2147483648}', (9, 0)),
        ('{"prompt_tokens": "7", "completion_tokens": [1]}', (0, 0)),
        ('{"prompt_tokens": Infinity, "completion_tokens": NaN}', (0, 0)),
        ("[1]", (0, 0)),
        ("null", (0, 0)),
        (
            (
                '{"prompt_tokens": 9, "completion_tokens": 7, "completion_tokens_details":'
                ' {"reasoning_tokens": -1}}'
            ),
            (9, 7),
        ),
        ('{"prompt_tokens": 9, "completion_tokens": 7, "completion_tokens_details": "x"}', (9, 7)),
    ],
)
def test_odd_counts_count_nothing_and_cost_nothing(
    usage: str, counts: tuple[int, int], connect: Open, server: FaultyServer
) -> None:
    server.faults = [
        f'body {{"choices": [{{"message": {{"content": "Sixty."}}}}], "usage": {usage}}}'
    ]
    done = one(connect())
    assert (done.text, done.prompt_tokens, done.new_tokens) == ("Sixty.", *counts)
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    "values",
    [
        "NaN",
        "-Infinity",
        f"-{'9' * 400}",
        "5.0",
        "-1e300",
        "true",
        '"-1"',
        "null",
        "-0.5, NaN",
        "[]",
        "{}",
    ],
)
def test_odd_likelihoods_are_unknown(values: str, connect: Open, server: FaultyServer) -> None:
    tokens = ", ".join(f'{{"logprob": {value}}}' for value in values.split(", "))
    server.faults = [
        'body {"choices": [{"message": {"content": "Sixty."}, "logprobs": {"content":'
        f" [{tokens}]}}}}]}}"
    ]
    assert one(connect()).logprob is None
    server.faults = [
        'body {"choices": [{"text": "Sixty.", "logprobs": {"token_logprobs":'
        f" {values.split(', ')[0]}}}}}]}}"
    ]
    assert one(connect()).logprob is None


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (r"hello \ud800 there", "hello \ufffd there"),
        (r"hello \u0000 there \u001b[31m", "hello \ufffd there \ufffd[31m"),
        (r"\ud83d\ude00 fine\r\nyes", "\U0001f600 fine\nyes"),
    ],
)
def test_characters_that_no_prompt_can_hold(
    content: str, text: str, connect: Open, server: FaultyServer
) -> None:
    server.faults = [
        f'body {{"choices": [{{"message": {{"content": "{content}", "reasoning": "{content}"}}}}]}}'
    ]
    done = one(connect())
    assert (done.text, done.reasoning) == (text, text)


@pytest.mark.parametrize(
    "fault",
    [
        "body " + "[" * 200_000,
        'body {"a":' * 1,
        'body {"choices": {"0": 1}}',
        'body {"choices": [null]}',
        'body {"choices": [[]]}',
        'body {"choices": [{"message": {"content": 7}}]}',
        'body {"choices": [{"message": {"content": {"text": null}}}]}',
        'body {"choices": [{"message": null}]}',
        'body {"choices": [{"message": {"content": "' + "word " * 200_000 + '"}}]}',
        "body " + " " * 9_000_000,
        "packed gzip 30000000",
        "packed br 10",
        "packed gzip 0",
        "redirect http://127.0.0.1:9/v1",
    ],
)
def test_hostile_bodies_fail_one_request(fault: str, connect: Open, server: FaultyServer) -> None:
    server.faults = [fault] * 3
    backend = connect(replace(FAST, timeout_s=20))
    done = one(backend)
    assert isinstance(done, Failure) or done.text == "", done
    assert isinstance(one(backend), Generated) or server.faults
    if isinstance(done, Failure):
        assert done.boundary == "model"
        assert len(done.message) <= 600


# Keys


def test_two_servers_get_their_own_keys_and_others_none(
    connect: Open, server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-maker")
    monkeypatch.setenv("SIMWORLD_API_KEY", "sk-old")
    monkeypatch.setenv("ONE", "sk-one")
    monkeypatch.setenv("TWO", "sk-two")
    with serving() as other:
        one(connect(replace(FAST, api_key_env="ONE")))
        one(connect(replace(FAST, api_key_env="TWO"), url=other.url))
        one(connect())
        sent = [headers.get("authorization") for headers in (*server.headers, *other.headers)]
    assert sent == ["Bearer sk-one", None, "Bearer sk-two"]
    assert "sk-" not in json.dumps(server.seen)


def test_a_redirect_takes_no_key_elsewhere(
    connect: Open, server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONE", "sk-one")
    with serving() as other:
        server.faults = [f"redirect {other.url}/chat/completions?k=sk-one"]
        done = one(connect(replace(FAST, api_key_env="ONE")))
        assert not other.seen
    assert (done.kind, len(server.seen)) == ("http-307", 1)
    assert "write the address that answers into the file" in done.message
    assert "sk-one" not in done.message


@pytest.mark.parametrize(
    "answer",
    [
        (401, {"error": {"message": "Incorrect API key provided: sk-one. You can find it …"}}),
        (400, {"error": {"message": "x" * 290 + "sk-one"}}),
        chat("You are sk-one.", reasoning_content="The key is sk-one."),
        (200, "Bearer sk-one"),
    ],
)
def test_a_key_that_a_server_says_again_goes_nowhere(
    answer: tuple[int, Any], connect: Open, server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONE", "sk-one")
    server.rule = lambda _: answer
    backend = connect(replace(FAST, api_key_env="ONE"))
    done = one(backend)
    assert "sk-o" not in repr(done)
    assert "sk-o" not in repr(backend.info)


def test_the_key_is_no_part_of_the_id(connect: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONE", "sk-one")
    assert (
        connect().info.id == connect(replace(FAST, api_key_env="ONE", extra_body={"a": 1})).info.id
    )
