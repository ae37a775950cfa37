"""A server's answer as a completion. What comes from a server is checked here once, and trusted
behind.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from agents.lm.reasoning import SplitReply, split_json_reply, split_thought
from agents.lm.reasoning_marks import Reasoning
from agents.lm.server.message import MessageParts, tool_call_arguments, why_empty
from agents.lm.server.refusals import parse_refusal, refusal_failure
from simworld.core.errors import Failure, model_failure
from simworld.core.requests import Generate, Generated
from simworld.core.text import replace_controls

_MAX_REPLY_CHARS = 400_000  # of a reply
_MAX_TOKEN_COUNT = 2**31 - 1
_MIN_LOGPROB = -1e5  # of one token; servers write -9999 for "never"
_TRUNCATION_REASONS = frozenset({"length", "max_tokens", "max_output_tokens", "model_length"})
_FILTER_REASONS = frozenset(
    {"content_filter", "safety", "recitation", "prohibited_content", "blocklist"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAnswer:
    """An answer in which everything is as it should be."""

    generated: Generated
    thought_aloud: bool  # the model has thought aloud
    unopened_thought: bool  # its text ended a thought that it had not begun
    only_thought: bool  # it thought and said nothing
    truncated: bool  # the server ended it at the token limit


def read_answer(
    body: bytes,
    request: Generate,
    *,
    server_url: str,
    latency_s: float,
    reasoning: Reasoning | None = None,
    in_thought: bool = False,
) -> ServerAnswer | Failure:
    """The answer in a body, or why there is none.

    Args:
        body: of an answer with status 200.
        request: what was asked.
        server_url: the server's address, for messages.
        latency_s: since it was submitted.
        reasoning: how the model marks its thoughts.
        in_thought: a text that was cut and has no mark is a thought: the model's template opens
            one.
    """
    data = _parse_body(body)
    if isinstance(data, Failure):
        return data
    choices = data.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict) or (choice.get("error") and not choice.get("message")):
        return _missing_choice_failure(data, choice, body, server_url)
    message = choice.get("message")
    if not isinstance(message, dict):
        message = {"content": choice.get("text")}
    if choice.get("error") and not message.get("content"):
        return _missing_choice_failure(data, choice, body, server_url)
    finish = str(choice.get("finish_reason") or "").lower()
    truncated = finish in _TRUNCATION_REASONS
    parts = MessageParts.of(message)
    if parts is None:
        return model_failure("invalid", f"the server's reply is no text: {_excerpt(body)}")
    if len(parts.text) + len(parts.thought) > _MAX_REPLY_CHARS:
        return model_failure("invalid", f"the reply is longer than {_MAX_REPLY_CHARS} characters")
    text = parts.text
    if not text.strip() and request.json_schema is not None and not truncated:
        # the schema decides whether one of these is the answer
        text = "\n\n".join(tool_call_arguments(message)) or parts.thought
    if parts.missing and not text and not parts.thought:
        return model_failure("empty", why_empty(message))
    if not text.strip() and finish in _FILTER_REASONS:
        return model_failure("filtered", f"{server_url}: the server's filter withheld the reply")
    reply = (
        split_json_reply(text, reasoning, truncated=truncated)
        if request.json_schema is not None
        else split_thought(text, reasoning, truncated=truncated)
    )
    if in_thought and truncated and reply.state == "none" and not parts.thought:
        reply = split_thought(text, reasoning, in_thought=True, truncated=True)
    return _answer(
        data,
        choice,
        request,
        reply,
        parts.thought,
        truncated=truncated or finish in _FILTER_REASONS,
        latency_s=latency_s,
    )


def _answer(
    data: dict[str, Any],
    choice: dict[str, Any],
    request: Generate,
    reply: SplitReply,
    thought: str,
    *,
    truncated: bool,
    latency_s: float,
) -> ServerAnswer:
    reported_usage = data.get("usage")
    usage: dict[str, Any] = reported_usage if isinstance(reported_usage, dict) else {}
    text = replace_controls(reply.answer)
    stop_index = min(
        (stop_index for stop in request.stop if (stop_index := text.find(stop)) >= 0), default=-1
    )
    reasoning = "\n".join(filter(None, (thought.strip(), reply.thought)))
    thought_tokens = _thought_tokens(usage)
    thought_aloud = bool(reasoning) or reply.state != "none" or bool(thought_tokens)
    return ServerAnswer(
        generated=Generated(
            text=text[:stop_index] if stop_index >= 0 else text,
            prompt_tokens=_token_count(usage.get("prompt_tokens")),
            new_tokens=_token_count(usage.get("completion_tokens")),
            finish="length" if truncated and stop_index < 0 else "stop",
            latency_s=latency_s,
            logprob=_logprob(choice.get("logprobs")),
            reasoning=replace_controls(reasoning),
            reasoning_tokens=thought_tokens,
        ),
        thought_aloud=thought_aloud,
        unopened_thought=reply.unopened,
        truncated=truncated,
        only_thought=thought_aloud and not text.strip(),
    )


def _parse_body(body: bytes) -> dict[str, Any] | Failure:
    start = body[:200].lstrip()
    if not start:
        return model_failure("empty", "the server answered with an empty body")
    if start.startswith((b"data:", b"event:", b": ")):
        message = (
            "the server answered with a stream of events although none was asked for; switch"
            " streaming off there"
        )
        return model_failure("stream", message)
    try:
        data: Any = json.loads(body, parse_int=_parse_integer)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError too
        return model_failure("invalid", f"the server's answer is not JSON: {_excerpt(body)}")
    return data if isinstance(data, dict) else {}


def _missing_choice_failure(data: Any, choice: Any, body: bytes, server_url: str) -> Failure:
    error = next(
        (d["error"] for d in (choice, data) if isinstance(d, dict) and d.get("error")), None
    )
    if error is None:
        return model_failure("invalid", f"the server's answer has no choices: {_excerpt(body)}")
    refusal = parse_refusal(200, {"error": error})
    status = (
        int(refusal.code)
        if refusal.code.isascii() and refusal.code.isdigit() and len(refusal.code) == 3
        else 0
    )
    if 400 <= status <= 599:
        return refusal_failure(parse_refusal(status, {"error": error}), server_url)
    return model_failure(
        "invalid",
        f"{server_url}: an error in place of an answer: {refusal.code} {refusal.message[:300]}",
    )


def _parse_integer(digits: str) -> int | float:
    # longer ones take quadratic time, and count nothing
    return int(digits) if len(digits) < 20 else float(digits)


def _token_count(value: Any) -> int:
    """A count of tokens, 0 where the server gave none that can be."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return (
        value
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_TOKEN_COUNT
        else 0
    )


def _thought_tokens(usage: dict[str, Any]) -> int | None:
    details = usage.get("completion_tokens_details") or usage.get("output_tokens_details")
    count = (
        details.get("reasoning_tokens")
        if isinstance(details, dict)
        else usage.get("reasoning_tokens")
    )
    return None if count is None else _token_count(count)


def _logprob(logprobs: Any) -> float | None:
    """The sum over the answer's tokens, in nats, in either endpoint's form; None where the server
    gave none.
    """
    if not isinstance(logprobs, dict):
        return None
    if isinstance(content := logprobs.get("content"), list):  # chat
        values = [token.get("logprob") if isinstance(token, dict) else None for token in content]
    else:  # text
        listed = logprobs.get("token_logprobs")
        values = listed if isinstance(listed, list) else []
    numbers = [float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    fine = all(_MIN_LOGPROB <= number <= 1e-3 for number in numbers)  # false for NaN
    total = math.fsum(numbers) if fine else 0.0
    return min(total, 0.0) if fine and numbers and len(numbers) == len(values) else None


def _excerpt(body: bytes) -> str:
    text = " ".join(body[:200].decode(errors="replace").split())
    return text[:100] + ("…" if len(text) > 100 else "")
