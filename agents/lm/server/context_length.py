"""How many tokens a server's model reads, by its list of models: for those that refuse long prompts
in words of their own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

# The names that makers of servers have for it, the one in use before the one that the model was
# trained with.
_LENGTH_FIELDS = (
    "max_model_len",  # vLLM, SGLang
    "loaded_context_length",  # LM Studio
    "n_ctx",  # llama.cpp
    "context_length",  # OpenRouter, Together
    "context_window",  # Groq
    "max_context_length",  # Mistral, LM Studio
    "max_input_tokens",
    "n_ctx_train",
)
_MAX_LENGTH = 10**9
_BYTES_PER_TOKEN = 4.0  # until the server has counted some of ours
_FULL_SHARE = 0.75  # of the context: what is known of tokens is a guess


class ContextLength:
    """What is known of a model's context: its length, and how many bytes of ours make a token."""

    def __init__(self) -> None:
        self.tokens: int | None = None
        self.was_requested = False  # for the list of models, once
        self._bytes_per_token = _BYTES_PER_TOKEN

    def calibrate(self, size: int, tokens: int) -> None:
        """A prompt of so many bytes had so many tokens."""
        if tokens > 0:
            self._bytes_per_token = size / tokens

    def may_exceed(self, size: int, new_tokens: int) -> bool:
        """Whether a prompt of so many bytes and its reply may well be too long."""
        return (
            self.tokens is not None
            and size / self._bytes_per_token + new_tokens >= _FULL_SHARE * self.tokens
        )


def read_context_length(body: bytes, model: str) -> int | None:
    """The context length of a model in a list of models; None where the list does not tell."""
    try:
        data: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    entries = [entry for entry in _listed_models(data) if isinstance(entry, dict)]
    our_entries = [
        entry
        for entry in entries
        if model in (entry.get("id"), entry.get("name"), entry.get("model"))
    ]
    if not our_entries and len(entries) == 1:
        our_entries = entries  # a server of one model answers to any name
    for name in _LENGTH_FIELDS:
        for fields in (inner for entry in our_entries for inner in _nested_entries(entry)):
            length = fields.get(name)
            if (
                isinstance(length, int)
                and not isinstance(length, bool)
                and 0 < length < _MAX_LENGTH
            ):
                return length
    return None


def _listed_models(data: Any) -> list[Any]:
    if isinstance(data, dict):
        data = data.get("data") or data.get("models")
    return data if isinstance(data, list) else []


def _nested_entries(entry: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield entry
    for name in ("meta", "top_provider", "capabilities", "limits"):
        if isinstance(inner := entry.get(name), dict):
            yield inner
