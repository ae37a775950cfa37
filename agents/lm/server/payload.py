"""Requests as an OpenAI-compatible server takes them: pure functions, no network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from simworld.core.requests import ChatPrompt, Generate

Endpoint = Literal["chat/completions", "completions"]

_MAX_STOPS = 4  # the protocol's limit; every stop string is applied again to the answer
_NO_EXTRAS: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """The body of one call."""

    endpoint: Endpoint
    body: bytes  # JSON in ASCII
    # what may be left out should the server refuse it; "system" for a system message
    sent_names: frozenset[str]


def build_payload(
    request: Generate,
    model: str,
    refused: frozenset[str] = frozenset(),
    extra_body: Mapping[str, Any] = _NO_EXTRAS,
) -> Payload:
    """The call for a request, without what is in `refused`; what `extra_body` sets goes before
    everything else.

    `refused` may hold names of parameters, "system" where the server takes no system message, and
    "max_tokens" where it wants `max_completion_tokens`.
    """
    sampling = request.sampling
    chat = isinstance(request.prompt, ChatPrompt)
    limit = "max_completion_tokens" if chat and "max_tokens" in refused else "max_tokens"
    parameters: dict[str, Any] = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        limit: sampling.max_new_tokens,
        "logprobs": True if chat else 1,
        "seed": request.seed % 2**31,
        "stop": list(request.stop[:_MAX_STOPS]) or None,
        "top_k": sampling.top_k,  # sent also where it is off: servers have defaults of their own
        "min_p": sampling.min_p,
        "repetition_penalty": sampling.repetition_penalty,  # vLLM's name
        "repeat_penalty": sampling.repetition_penalty,  # llama.cpp's name
        "response_format": _response_format(request.json_schema) if chat else None,
    }
    if "max_completion_tokens" in extra_body:
        del parameters[limit]
    parameters = {
        name: value
        for name, value in parameters.items()
        if value is not None and name not in extra_body and (name not in refused or name == limit)
    }
    sent = set(parameters)
    message_fields: dict[str, Any] = {"model": model}
    if isinstance(request.prompt, ChatPrompt):
        message_fields["messages"] = messages = _messages(
            request.prompt, merge_system="system" in refused
        )
        if messages[0]["role"] == "system":
            sent.add("system")
    else:
        message_fields["prompt"] = request.prompt.text if request.prompt else ""
    body = json.dumps(message_fields | parameters | dict(extra_body), allow_nan=False).encode(
        "ascii"
    )
    return Payload(
        endpoint="chat/completions" if chat else "completions",
        body=body,
        sent_names=frozenset(sent),
    )


def _messages(prompt: ChatPrompt, *, merge_system: bool) -> list[dict[str, str]]:
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
    return {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": dict(schema), "strict": True},
    }
