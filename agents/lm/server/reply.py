"""A server's answer as a completion. What comes from a server is checked here once, and trusted
behind.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from agents.lm.reasoning import SplitReply, split_thought, split_whole
from agents.lm.reasoning_marks import Reasoning
from agents.lm.server.message import MessageParts, arguments, why_empty
from agents.lm.server.refusals import failure_of, refusal_of
from simworld.core.errors import Failure
from simworld.core.requests import Generate, Generated
from simworld.core.text import replace_controls

_MOST_CHARACTERS = 400_000  # of a reply
_MOST_TOKENS = 2**31 - 1
_LEAST_LOGPROB = -1e5  # of one token; servers write -9999 for "never"
_CUT = frozenset({"length", "max_tokens", "max_output_tokens", "model_length"})
_FILTERED = frozenset({"content_filter", "safety", "recitation", "prohibited_content", "blocklist"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAnswer:
    """An answer in which everything is as it should be."""

    generated: Generated
    thinks: bool  # the model has thought aloud
    alone: bool  # its text ended a thought that it had not begun
    silent: bool  # it thought and said nothing
    cut: bool  # the server ended it at the token limit


def read_answer(
    body: bytes,
    request: Generate,
    *,
    place: str,
    latency_s: float,
    reasoning: Reasoning | None = None,
    begun: bool = False,
) -> ServerAnswer | Failure:
    """The answer in a body, or why there is none.

    Args:
        body: of an answer with status 200.
        request: what was asked.
        place: the server's address, for messages.
        latency_s: since it was submitted.
        reasoning: how the model marks its thoughts.
        begun: a text that was cut and has no mark is a thought: the model's template opens one.
    """
    data = _parsed(body)
    if isinstance(data, Failure):
        return data
    choices = data.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict) or (choice.get("error") and not choice.get("message")):
        return _without_choice(data, choice, body, place)
    message = choice.get("message")
    if not isinstance(message, dict):
        message = {"content": choice.get("text")}
    if choice.get("error") and not message.get("content"):
        return _without_choice(data, choice, body, place)
    finish = str(choice.get("finish_reason") or "").lower()
    cut = finish in _CUT
    parts = MessageParts.of(message)
    if parts is None:
        return _failure("invalid", f"the server's reply is no text: {_excerpt(body)}")
    if len(parts.text) + len(parts.thought) > _MOST_CHARACTERS:
        return _failure("invalid", f"the reply is longer than {_MOST_CHARACTERS} characters")
    text = parts.text
    if not text.strip() and request.json_schema is not None and not cut:
        # the schema decides whether one of these is the answer
        text = "\n\n".join(arguments(message)) or parts.thought
    if parts.missing and not text and not parts.thought:
        return _failure("empty", why_empty(message))
    if not text.strip() and finish in _FILTERED:
        return _failure("filtered", f"{place}: the server's filter withheld the reply")
    reply = (
        split_whole(text, reasoning, cut=cut)
        if request.json_schema is not None
        else split_thought(text, reasoning, cut=cut)
    )
    if begun and cut and reply.state == "none" and not parts.thought:
        reply = split_thought(text, reasoning, begun=True, cut=True)
    return _answer(
        data,
        choice,
        request,
        reply,
        parts.thought,
        cut=cut or finish in _FILTERED,
        latency_s=latency_s,
    )


def _answer(
    data: dict[str, Any],
    choice: dict[str, Any],
    request: Generate,
    reply: SplitReply,
    thought: str,
    *,
    cut: bool,
    latency_s: float,
) -> ServerAnswer:
    found = data.get("usage")
    usage: dict[str, Any] = found if isinstance(found, dict) else {}
    text = replace_controls(reply.answer)
    at = min((at for stop in request.stop if (at := text.find(stop)) >= 0), default=-1)
    reasoning = "\n".join(filter(None, (thought.strip(), reply.thought)))
    thought_tokens = _thought_tokens(usage)
    return ServerAnswer(
        generated=Generated(
            text=text[:at] if at >= 0 else text,
            prompt_tokens=_count(usage.get("prompt_tokens")),
            new_tokens=_count(usage.get("completion_tokens")),
            finish="length" if cut and at < 0 else "stop",
            latency_s=latency_s,
            logprob=_logprob(choice.get("logprobs")),
            reasoning=replace_controls(reasoning),
            reasoning_tokens=thought_tokens,
        ),
        thinks=bool(reasoning) or reply.state != "none" or bool(thought_tokens),
        alone=reply.alone,
        cut=cut,
        silent=not text.strip()
        and (bool(reasoning) or reply.state != "none" or bool(thought_tokens)),
    )


def _parsed(body: bytes) -> dict[str, Any] | Failure:
    start = body[:200].lstrip()
    if not start:
        return _failure("empty", "the server answered with an empty body")
    if start.startswith((b"data:", b"event:", b": ")):
        message = (
            "the server answered with a stream of events although none was asked for; switch"
            " streaming off there"
        )
        return _failure("stream", message)
    try:
        data: Any = json.loads(body, parse_int=_integer)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError too
        return _failure("invalid", f"the server's answer is not JSON: {_excerpt(body)}")
    return data if isinstance(data, dict) else {}


def _without_choice(data: Any, choice: Any, body: bytes, place: str) -> Failure:
    error = next(
        (d["error"] for d in (choice, data) if isinstance(d, dict) and d.get("error")), None
    )
    if error is None:
        return _failure("invalid", f"the server's answer has no choices: {_excerpt(body)}")
    refusal = refusal_of(200, {"error": error})
    status = (
        int(refusal.code)
        if refusal.code.isascii() and refusal.code.isdigit() and len(refusal.code) == 3
        else 0
    )
    if 400 <= status <= 599:
        return failure_of(refusal_of(status, {"error": error}), place)
    return _failure(
        "invalid",
        f"{place}: an error in place of an answer: {refusal.code} {refusal.message[:300]}",
    )


def _integer(digits: str) -> int | float:
    # longer ones take quadratic time, and count nothing
    return int(digits) if len(digits) < 20 else float(digits)


def _count(value: Any) -> int:
    """A count of tokens, 0 where the server gave none that can be."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return (
        value
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_TOKENS
        else 0
    )


def _thought_tokens(usage: dict[str, Any]) -> int | None:
    details = usage.get("completion_tokens_details") or usage.get("output_tokens_details")
    found = (
        details.get("reasoning_tokens")
        if isinstance(details, dict)
        else usage.get("reasoning_tokens")
    )
    return None if found is None else _count(found)


def _logprob(found: Any) -> float | None:
    """The sum over the answer's tokens, in nats, in either endpoint's form; None where the server
    gave none.
    """
    if not isinstance(found, dict):
        return None
    if isinstance(content := found.get("content"), list):  # chat
        values = [token.get("logprob") if isinstance(token, dict) else None for token in content]
    else:  # text
        listed = found.get("token_logprobs")
        values = listed if isinstance(listed, list) else []
    numbers = [float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    fine = all(_LEAST_LOGPROB <= number <= 1e-3 for number in numbers)  # false for NaN
    total = math.fsum(numbers) if fine else 0.0
    return min(total, 0.0) if fine and numbers and len(numbers) == len(values) else None


def _excerpt(body: bytes) -> str:
    text = " ".join(body[:200].decode(errors="replace").split())
    return text[:100] + ("…" if len(text) > 100 else "")


def _failure(kind: str, message: str) -> Failure:
    return Failure(boundary="model", kind=kind, message=message)
