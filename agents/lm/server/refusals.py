"""A server's refusals: what it says, what kind of failure that is, and what to leave out so that it
answers. Pure functions.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from agents.lm.server.payload import Payload
from simworld.core.errors import Failure, model_failure

_TOO_LONG = re.compile(
    "(?i)"
    + "|".join(
        (
            r"context[ _-]?(?:length|size|window|limit|budget)|maximum[ _]context|exceed_context",
            (
                r"max_model_len|maximum model length|string_above_max_length|token limit|tokens? >"
                r" \d+ maximum"
            ),
            (
                r"(?:prompt|input|message|request|conversation)s?\b[^.]{0,60}?\btoo"
                r" (?:long|large|many tokens)"
            ),
            r"too many (?:input |prompt )?tokens|reduce (?:the length|your prompt)",
            r"(?=.*(?:token|length|context|long))(?:prompt|inputs?|tokens?)\b[^.]{0,80}?"
            r"\b(?:exceed\w*|longer than|greater than|larger than|over the)\b",
            r"exceeds? the (?:maximum|max|model|available|limit|allowed)[^.]{0,40}tokens?",
            r"max(?:imum)? (?:number of )?(?:input|prompt) (?:tokens|length)",
            # what is left for the reply
            r"max_(?:new_)?tokens.{0,40}must be (?:at least|<=|greater|positive).{0,60}-\d",
            # text-generation-inference
            r"inputs.? tokens? \+|must be (?:<=|less than or equal to) \d+ .*`?inputs",
        )
    )
)
_REPLY_LIMIT = re.compile(
    r"(?i)at most \d+ completion tokens|max(?:imum)? (?:output|completion) tokens|rate limit|per"
    r" minute|\bTPM\b"
)
_FILTERED = re.compile(
    r"(?i)content_filter|content[_ ](?:management )?policy|responsible ?ai ?policy|safety"
    r" system|moderation"
)
_QUOTA = re.compile(
    r"(?i)insufficient[_ ](?:quota|credits?|balance|funds)|exceeded your current quota|billing[_"
    r" ](?:hard[_ ]limit|not[_ ]active)|"
    r"credit balance is too low|out of credits|payment required"
)
_NO_OMISSION_HELPS = re.compile(
    r"(?i)max_(?:completion_|new_)?tokens|model_not_found|\bmodel\b.{0,80}(?:not exist|not"
    r" found)|api[ _]key"
)
_UNKNOWN_PARAMETER = re.compile(
    r"(?i)unsupported|not supported|unrecognized|unknown|extra inputs|unexpected"
)
# Words by which servers name what they were sent.
_SYNONYMS = {
    "response_format": r"response_format|json_schema|structured[ _]outputs?|guided|grammar",
    "logprobs": r"(?:top_)?log_?probs|log[ -]probabilities",
}
# The rest is left out in this order where a server refuses without a name: first what is not
# everybody's.
_OMISSION_ORDER = (
    ("top_k", "min_p", "repetition_penalty", "repeat_penalty", "logprobs", "seed"),
    ("response_format",),
    ("top_p", "temperature", "stop"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What a server said no with."""

    status: int
    message: str  # one line
    code: str = ""
    param: str = ""


def read_refusal(status: int, body: bytes) -> Refusal:
    """The refusal in a body of any form: the protocol's `error`, a bare message, pydantic's
    `detail`, or plain text.
    """
    text = body[:20_000].decode(errors="replace")
    try:
        data: Any = json.loads(text)
    except (ValueError, RecursionError):
        return Refusal(status=status, message=_one_line(text))
    return parse_refusal(status, data)


def parse_refusal(status: int, data: Any) -> Refusal:
    """The refusal in parsed JSON."""
    if isinstance(data, list) and data:
        data = data[0]
    if not isinstance(data, dict):
        return Refusal(status=status, message=_one_line(str(data)))
    error = data.get("error") or data
    if not isinstance(error, dict):
        return Refusal(status=status, message=_one_line(str(error)))
    message, param = error.get("message"), error.get("param")
    if message is None and isinstance(detail := error.get("detail"), list):
        details = [entry for entry in detail if isinstance(entry, dict)]
        locations = [
            ".".join(map(str, loc))
            for entry in details
            if isinstance(loc := entry.get("loc"), list)
        ]
        message = "; ".join(
            f"{at}: {entry.get('msg')}" for at, entry in zip(locations, details, strict=False)
        )
    if message is None:
        message = error.get("detail") or error.get("error") or json.dumps(error)[:500]
    metadata = error.get("metadata")
    # OpenRouter: the provider's own words
    if isinstance(metadata, dict) and (raw := metadata.get("raw")):
        message = f"{message}: {raw}"
    code = next(
        (str(c) for c in (error.get("code"), error.get("type"), error.get("status")) if c), ""
    )
    return Refusal(
        status=status,
        message=_one_line(str(message)),
        code=_one_line(code),
        param=_one_line(str(param or "")),
    )


def refusal_failure(refusal: Refusal, server_url: str) -> Failure:
    """The failure that a refusal is; `server_url` is the server's address."""
    said = f"{refusal.code} {refusal.message}"
    kind = f"http-{refusal.status}"
    if refusal.status in (400, 402, 403, 429) and (refusal.status == 402 or _QUOTA.search(said)):
        kind = "quota"
    elif refusal.status in (400, 403, 422) and _FILTERED.search(said):
        kind = "filtered"
    elif is_too_long(refusal):
        kind = "too-long"
    code = f" ({refusal.code})" if refusal.code and not refusal.code.isdigit() else ""
    message = f"{server_url}: HTTP {refusal.status}{code}: {refusal.message[:300] or 'no message'}"
    return model_failure(kind, message)


def is_too_long(refusal: Refusal) -> bool:
    """Whether the server complains of the prompt's length."""
    if refusal.status == 413:
        return True
    if refusal.status not in (400, 422, 500) or refusal.param in ("temperature", "top_p", "stop"):
        return False
    said = f"{refusal.code} {refusal.message}"
    return bool(_TOO_LONG.search(said)) and not _REPLY_LIMIT.search(refusal.message)


def parameters_to_omit(refusal: Refusal, payload: Payload) -> frozenset[str]:
    """What to leave out next; empty where leaving out will not help."""
    if refusal.status not in (400, 422, 500, 501):
        return frozenset()
    said = refusal.message
    if "max_tokens" in payload.sent_names and _wants_max_completion_tokens(refusal):
        return frozenset({"max_tokens"})
    if (
        "system" in payload.sent_names
        and re.search(r"(?i)\broles?\b", said)
        and re.search(r"(?i)system|developer|alternat", said)
    ):
        return frozenset({"system"})
    named = {name for name in payload.sent_names if _names_parameter(name, refusal.param)} or {
        name
        for name in payload.sent_names
        if re.search(rf"(?i)\b(?:{_SYNONYMS.get(name, name)})\b", said)
    }
    named -= {"system", "max_tokens"}
    if {"temperature", "top_p"} <= named:
        return frozenset({"top_p"})  # servers that refuse both together
    if named:
        return frozenset(named)
    if refusal.status >= 500 or _NO_OMISSION_HELPS.search(f"{refusal.code} {refusal.param} {said}"):
        return frozenset()
    return next(
        (
            frozenset(sent_group)
            for group in _OMISSION_ORDER
            if (sent_group := payload.sent_names & set(group))
        ),
        frozenset(),
    )


def _wants_max_completion_tokens(refusal: Refusal) -> bool:
    if "max_completion_tokens" in refusal.message and "too large" not in refusal.message:
        return True
    of_it = refusal.param == "max_tokens" or "max_tokens" in refusal.message
    return of_it and bool(_UNKNOWN_PARAMETER.search(f"{refusal.code} {refusal.message}"))


def _names_parameter(name: str, param: str) -> bool:
    return bool(re.match(rf"{re.escape(name)}(?:$|[.\[])", param))


def _one_line(text: str) -> str:
    return " ".join(text.split())[:2000]
