"""A tiny random model, asked without and with a backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from simworld.core.requests import ChatPrompt, Generate, Message, Sampling, TextPrompt
from tests.factories.models import save, tiny_config, trained_tokenizer


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def make_tokenizer() -> Callable[..., Any]:
    """A byte-level tokenizer with the special tokens <s>, </s>, <|im_start|>, <|im_end|>."""
    return trained_tokenizer


@pytest.fixture(scope="session")
def make_folder(
    tmp_path_factory: pytest.TempPathFactory, make_tokenizer: Callable[..., Any]
) -> Callable[..., Path]:
    """A model folder of a family: `make_folder("llama", template=…, adds_bos=…)`."""

    def make(family: str = "llama", **tokenizing: Any) -> Path:
        tokenizer = make_tokenizer(**tokenizing)
        config = tiny_config(family, len(tokenizer))
        return save(tmp_path_factory.mktemp(family), config, tokenizer)

    return make


@pytest.fixture(scope="session")
def llama(make_folder: Callable[..., Path]) -> Path:
    return make_folder("llama")


@pytest.fixture
def backend(llama: Path) -> Iterator[Any]:
    from agents.lm import load_backend

    made = load_backend(f"hf:{llama}", dtype="float32", device="cpu")
    yield made
    made.close()


@pytest.fixture(scope="session")
def ask() -> Callable[..., Generate]:
    """A request: `ask("text", seed=…, stop=…, chat=…, **sampling)`."""

    def make(
        text: str, *, seed: int = 1, stop: tuple[str, ...] = (), chat: bool = False, **sampling: Any
    ) -> Generate:
        prompt = (
            ChatPrompt(messages=(Message(role="user", content=text),))
            if chat
            else TextPrompt(text=text)
        )
        sampling.setdefault("max_new_tokens", 12)
        return Generate(prompt=prompt, sampling=Sampling(**sampling), seed=seed, stop=stop)

    return make


@pytest.fixture(scope="session")
def gather() -> Callable[..., list[Any]]:
    """Submits requests, polls until all are done, and returns their completions in order."""

    def run(backend: Any, requests: list[Any]) -> list[Any]:
        tickets = [backend.submit(request) for request in requests]
        done: dict[int, Any] = {}
        while found := backend.poll():
            for finished in found:
                assert finished.ticket not in done
                done[finished.ticket] = finished.completion
        return [done[ticket] for ticket in tickets]

    return run
