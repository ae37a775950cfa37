"""Requests as an OpenAI-compatible server takes them, and its answers as completions: pure functions, no network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from simworld.core.errors import Failure
from simworld.core.requests import ChatPrompt, Generate, Generated, Prompt

Endpoint = Literal["chat", "text"]

# What a server may not know: left out from then on once it has refused it.
OPTIONAL = (
    "logprobs",
    "seed",
    "top_k",
    "min_p",
    "repetition_penalty",
    "repeat_penalty",
    "response_format",
    "stop",
    "system",
)
_MAX_STOPS = 4  # the protocol's limit; every stop string is applied again to the answer
_TOO_LONG = (
    "context length",
    "context size",
    "context window",
    "context_length",
    "maximum context",
    "exceed_context",
    "too long",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """The arguments of one call."""

    endpoint: Endpoint
    arguments: Mapping[str, Any]  # of the client's `create`
    sent: frozenset[str]  # which of OPTIONAL are in it


def payload(request: Generate, model: str, refused: frozenset[str]) -> Payload:
    """The call for a request, without what the server has refused before.

    `refused` may hold names of OPTIONAL, and "max_tokens" where the server wants `max_completion_tokens`.
    """
    sampling = request.sampling
    chat = isinstance(request.prompt, ChatPrompt)
    optional: dict[str, Any] = {
        "logprobs": True if chat else 1,
        "seed": request.seed % 2**31,
        "stop": list(request.stop[:_MAX_STOPS]) or None,
        "top_k": sampling.top_k,  # sent also where it is off: servers have defaults of their own
        "min_p": sampling.min_p,
        "repetition_penalty": sampling.repetition_penalty,  # vLLM's name
        "repeat_penalty": sampling.repetition_penalty,  # llama.cpp's name
        "response_format": _response_format(request.json_schema) if chat else None,
    }
    optional = {name: value for name, value in optional.items() if value is not None and name not in refused}
    extra = {
        name: optional.pop(name)
        for name in ("top_k", "min_p", "repetition_penalty", "repeat_penalty")
        if name in optional
    }
    sent = {*optional, *extra}
    limit = "max_completion_tokens" if chat and "max_tokens" in refused else "max_tokens"
    arguments: dict[str, Any] = {
        "model": model,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        limit: sampling.max_new_tokens,
        "extra_body": extra,
        **optional,
    }
    if isinstance(request.prompt, ChatPrompt):
        arguments["messages"] = _messages(request.prompt, merge_system="system" in refused)
        if arguments["messages"][0]["role"] == "system":
            sent.add("system")
    else:
        arguments["prompt"] = request.prompt.text
    return Payload(endpoint="chat" if chat else "text", arguments=arguments, sent=frozenset(sent))


def newly_refused(message: str, call: Payload) -> frozenset[str]:
    """What to leave out after the server answered 400 with this message; empty where leaving out will not help."""
    if "max_completion_tokens" in message and "max_tokens" in call.arguments:
        return frozenset({"max_tokens"})
    named = {name for name in call.sent if name in message and name != "system"}
    if "system" in call.sent and "system" in message.lower() and "role" in message.lower():
        named.add("system")
    return frozenset(named or call.sent - {"stop", "system"})


def is_too_long(message: str) -> bool:
    """Whether the server complains about the prompt's length."""
    return any(words in message.lower() for words in _TOO_LONG)


def completion(body: bytes, request: Generate, latency_s: float) -> Generated | Failure:
    """The answer's text and what it took. A Failure "empty" or "invalid" where the body holds no reply."""
    if not body.strip():
        return _failure("empty", "the server answered with an empty body")
    try:
        data = json.loads(body)
    except ValueError:  # UnicodeDecodeError is one too
        return _failure("invalid", f"the server's answer is not JSON: {_excerpt(body)}")
    choices = data.get("choices") if isinstance(data, dict) else None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return _failure("invalid", f"the server's answer has no choices: {_excerpt(body)}")
    choice = choices[0]
    message = choice.get("message")
    text = message.get("content") if isinstance(message, dict) else choice.get("text")
    if text is None:
        refusal = message.get("refusal") if isinstance(message, dict) else None
        return _failure("empty", f"the server's reply has no text{f': {refusal}' if refusal else ''}")
    if not isinstance(text, str):
        return _failure("invalid", f"the server's reply is no text: {_excerpt(body)}")
    usage = data.get("usage") if isinstance(data.get("usage"), dict) else {}
    cut = min((at for stop in request.stop if (at := text.find(stop)) >= 0), default=-1)
    return Generated(
        text=text[:cut] if cut >= 0 else text,
        prompt_tokens=_count(usage.get("prompt_tokens")),
        new_tokens=_count(usage.get("completion_tokens")),
        finish="length" if choice.get("finish_reason") == "length" and cut < 0 else "stop",
        latency_s=latency_s,
        logprob=_logprob(choice.get("logprobs")),
    )


def _messages(prompt: Prompt, *, merge_system: bool) -> list[dict[str, str]]:
    if not isinstance(prompt, ChatPrompt):
        raise TypeError("only chat prompts have messages")
    messages = [{"role": m.role, "content": m.content} for m in prompt.messages]
    if merge_system and len(messages) > 1 and messages[0]["role"] == "system":
        system = messages.pop(0)["content"]
        messages[0]["content"] = f"{system}\n\n{messages[0]['content']}"
    if prompt.reply_start and messages:
        messages[-1]["content"] = f"{messages[-1]['content']}\n{prompt.reply_start}"
    return messages


def _response_format(schema: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if schema is None:
        return None
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": dict(schema), "strict": True}}


def _logprob(found: Any) -> float | None:
    """The sum over the answer's tokens, in nats, in either endpoint's form; None where the server gave none."""
    if not isinstance(found, dict):
        return None
    if isinstance(content := found.get("content"), list):  # chat
        values = [token.get("logprob") for token in content if isinstance(token, dict)]
    else:  # text
        values = found.get("token_logprobs") or []
    numbers = [float(v) for v in values if isinstance(v, int | float)]
    return sum(numbers) if numbers and len(numbers) == len(values) else None


def _count(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _excerpt(body: bytes) -> str:
    text = " ".join(body[:200].decode(errors="replace").split())
    return text[:100] + ("…" if len(text) > 100 else "")


def _failure(kind: str, message: str) -> Failure:
    return Failure(boundary="model", kind=kind, message=message)
