"""A message of a server's answer: what is said in it, what is thought, and what else might hold a
structured answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_THOUGHT_FIELDS = ("reasoning_content", "reasoning", "thinking", "thoughts", "reasoning_details")
_MAX_DEPTH = 6  # parts within parts


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageParts:
    """A message's text and thought, from its fields."""

    text: str
    thought: str
    missing: bool  # there is no content at all

    @classmethod
    def of(cls, message: dict[str, Any]) -> MessageParts | None:
        """None where the content is no text and no list of parts."""
        content = message.get("content")
        thoughts = [
            _joined_texts(message[field]) for field in _THOUGHT_FIELDS if message.get(field)
        ]
        said: list[str] = []
        if isinstance(content, str | list | dict):
            _collect_parts(content, said, thoughts, depth=0)
        elif content is not None:
            return None
        # some servers give the same thought in two fields
        whole = dict.fromkeys(thought.strip() for thought in thoughts)
        return cls(
            text="".join(said), thought="\n".join(filter(None, whole)), missing=content is None
        )


def tool_call_arguments(message: dict[str, Any]) -> list[str]:
    """The arguments of tool calls, and what a server has parsed itself, as JSON texts."""
    calls = message.get("tool_calls")
    functions = (
        [call.get("function") for call in calls if isinstance(call, dict)]
        if isinstance(calls, list)
        else []
    )
    texts = [
        f.get("arguments")
        for f in (*functions, message.get("function_call"))
        if isinstance(f, dict)
    ]
    return [
        value if isinstance(value, str) else json.dumps(value)
        for value in (*texts, message.get("parsed"))
        if value
    ]


def why_empty(message: dict[str, Any]) -> str:
    """Why a message has no text, in one line."""
    if refusal := message.get("refusal"):
        return f"the server's reply has no text: {str(refusal)[:200]}"
    if message.get("tool_calls") or message.get("function_call"):
        return "the server's reply has no text: it calls a tool, and none was offered"
    return "the server's reply has no text"


def _collect_parts(part: Any, texts: list[str], thoughts: list[str], depth: int) -> None:
    """Adds what is said and what is thought in a text, a part or a list of parts to the two lists,
    parts within parts too.
    """
    if isinstance(part, str):
        texts.append(part)
    elif isinstance(part, list) and depth < _MAX_DEPTH:
        for entry in part:
            _collect_parts(entry, texts, thoughts, depth + 1)
    elif isinstance(part, dict) and depth < _MAX_DEPTH:
        kind = part.get("type")
        thought = part.get("thought") is True  # Gemini
        if thought or (isinstance(kind, str) and ("think" in kind or "reason" in kind)):
            thoughts.append(_joined_texts(part))
        elif kind in ("text", "output_text", None):
            thoughts += [_joined_texts(part[field]) for field in _THOUGHT_FIELDS if part.get(field)]
            for field in ("text", "content"):
                _collect_parts(part.get(field), texts, thoughts, depth + 1)


def _joined_texts(value: Any) -> str:
    return "".join(_iterate_texts(value, depth=0))


def _iterate_texts(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth < _MAX_DEPTH and isinstance(value, list):
        for entry in value:
            yield from _iterate_texts(entry, depth + 1)
    elif depth < _MAX_DEPTH and isinstance(value, dict):
        for field in ("thinking", "text", "summary", "content", "reasoning"):
            yield from _iterate_texts(value.get(field), depth + 1)
