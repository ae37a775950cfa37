"""What a conversation costs as it grows: tokens through the model in proportion to new tokens, not
to the square of the history."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from agents.lm import load_backend
from agents.lm.local.transformers_backend import TransformersBackend
from simworld.core.requests import Generate, Sampling, TextPrompt

NEW = 12  # tokens of somebody else's words per turn: each sign is one
REPLY = 5


def read(folder: Path, gather: Callable[..., list[Any]], turns: int, *, thread: str) -> int:
    """Prompt tokens that went through the model in a conversation of so many turns."""
    backend = load_backend(f"hf:{folder}", dtype="float32", device="cpu")
    assert isinstance(backend, TransformersBackend)
    text = ""
    for turn in range(turns):
        text += "?" * NEW
        request = Generate(
            prompt=TextPrompt(text=text),
            sampling=Sampling(max_new_tokens=REPLY),
            seed=turn,
            thread=thread,
        )
        gather(backend, [request])
        text += "!" * REPLY  # as many tokens as the reply had, but others, so that they are read
    backend.close()
    return backend.meter.prefill_tokens


def test_tokens_read_grow_linearly_with_threads(
    llama: Path, gather: Callable[..., list[Any]]
) -> None:
    four, eight, twelve = (read(llama, gather, turns, thread="t") for turns in (4, 8, 12))
    # Every turn after the first reads the signs for the reply and the new ones; the last of a
    # prompt counts as decoded.
    assert four == (NEW - 1) + 3 * (REPLY + NEW - 1)
    assert eight - four == twelve - eight == 4 * (REPLY + NEW - 1)


def test_without_threads_they_grow_with_the_square(
    llama: Path, gather: Callable[..., list[Any]]
) -> None:
    four, eight, twelve = (read(llama, gather, turns, thread="") for turns in (4, 8, 12))
    assert (twelve - eight) - (eight - four) == 16 * (NEW + REPLY)
