"""How many tokens a server's model reads, by its list of models: for those that refuse long prompts
in words of their own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

# The names that makers of servers have for it, the one in use before the one that the model was
# trained with.
_NAMES = (
    "max_model_len",  # vLLM, SGLang
    "loaded_context_length",  # LM Studio
    "n_ctx",  # llama.cpp
    "context_length",  # OpenRouter, Together
    "context_window",  # Groq
    "max_context_length",  # Mistral, LM Studio
    "max_input_tokens",
    "n_ctx_train",
)
_MOST = 10**9
_BYTES_PER_TOKEN = 4.0  # until the server has counted some of ours
_NEAR = 0.75  # of the context: what is known of tokens is a guess


class Context:
    """What is known of a model's context: its length, and how many bytes of ours make a token."""

    def __init__(self) -> None:
        self.length: int | None = None
        self.asked = False  # for the list of models, once
        self._bytes_per_token = _BYTES_PER_TOKEN

    def learn(self, body: bytes, model: str) -> None:
        """Takes the length from a list of models."""
        self.length = context_of(body, model)

    def counted(self, size: int, tokens: int) -> None:
        """A prompt of so many bytes had so many tokens."""
        if tokens > 0:
            self._bytes_per_token = size / tokens

    def is_full(self, size: int, new_tokens: int) -> bool:
        """Whether a prompt of so many bytes and its reply may well be too long."""
        return (
            self.length is not None
            and size / self._bytes_per_token + new_tokens >= _NEAR * self.length
        )


def context_of(body: bytes, model: str) -> int | None:
    """The context length of a model in a list of models; None where the list does not tell."""
    try:
        data: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    listed = [entry for entry in _entries(data) if isinstance(entry, dict)]
    ours = [
        entry
        for entry in listed
        if model in (entry.get("id"), entry.get("name"), entry.get("model"))
    ]
    if not ours and len(listed) == 1:
        ours = listed  # a server of one model answers to any name
    for name in _NAMES:
        for place in (inner for entry in ours for inner in _places(entry)):
            length = place.get(name)
            if isinstance(length, int) and not isinstance(length, bool) and 0 < length < _MOST:
                return length
    return None


def _entries(data: Any) -> list[Any]:
    if isinstance(data, dict):
        data = data.get("data") or data.get("models")
    return data if isinstance(data, list) else []


def _places(entry: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield entry
    for name in ("meta", "top_provider", "capabilities", "limits"):
        if isinstance(inner := entry.get(name), dict):
            yield inner
