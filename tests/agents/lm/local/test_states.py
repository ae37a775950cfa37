"""Encode: the state is what transformers' own last hidden layer says, alone and beside anything
else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from agents.lm import load_backend
from agents.lm.local.chat_template import ChatTemplate
from agents.lm.local.local_model import LocalModel
from agents.lm.local.transformers_backend import TransformersBackend
from simworld.core.errors import Failure
from simworld.core.requests import (
    ChatPrompt,
    Encode,
    Encoded,
    Generate,
    Generated,
    Message,
    Prompt,
    TextPrompt,
)
from simworld.testing import check_backend
from tests.agents.lm.local.test_prefix_cache import engine

PROMPTS: tuple[Prompt, ...] = (
    ChatPrompt(messages=(Message(role="user", content="Would you sell it for sixty euros?"),)),
    ChatPrompt(
        messages=(Message(role="user", content="A play."),),
        reply_start="Ann: Hi.\nBen: I paid more.\nAnn:",
    ),
    ChatPrompt(
        messages=(
            Message(role="system", content="Be brief."),
            Message(role="user", content="Go on."),
        )
    ),
    TextPrompt(text="The box office has closed. Outside, one person holds"),
)


def plain_state(local: LocalModel, prompt: Prompt) -> NDArray[np.float32]:
    """The last of transformers' own hidden states, at the last token before the header."""
    tokens = local.prompt_tokenizer.tokenise(prompt, "end")
    with torch.inference_mode(), local.with_original_attention() as model:
        found = model(torch.tensor([tokens.ids[: tokens.prefix_index]]), output_hidden_states=True)
    state: NDArray[np.float32] = found.hidden_states[-1][0, -1].numpy()
    return state


@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3", "gemma", "gemma2", "mistral"])
@pytest.mark.parametrize("adds_bos", [False, True])
def test_a_state_is_the_last_layers_output_before_the_header(
    family: str, adds_bos: bool, make_folder: Callable[..., Path], gather: Callable[..., list[Any]]
) -> None:
    backend = engine(make_folder(family, adds_bos=adds_bos))
    local = backend.local
    found = gather(backend, [Encode(prompt=prompt) for prompt in PROMPTS])
    for prompt, encoded in zip(PROMPTS, found, strict=True):
        assert isinstance(encoded, Encoded)
        assert encoded.state.shape == (32,)
        assert encoded.state.dtype == np.float32
        assert encoded.prompt_tokens == local.prompt_tokenizer.tokenise(prompt, "end").prefix_index
        np.testing.assert_allclose(encoded.state, plain_state(local, prompt), rtol=1e-4, atol=1e-4)
    assert len({encoded.state.tobytes() for encoded in found}) == len(PROMPTS)


def test_states_and_replies_in_one_batch_equal_those_alone(
    llama: Path, ask: Callable[..., Generate], gather: Callable[..., list[Any]]
) -> None:
    requests: list[Any] = []
    for i in range(6):
        requests.append(
            ask("seat " * i + "Ann:", seed=i, max_new_tokens=3 + i, repetition_penalty=1.1)
        )
        requests.append(Encode(prompt=TextPrompt(text="ticket " * (2 * i + 1)), thread=f"t{i % 2}"))
    together = gather(engine(llama, batch_size=5), requests)
    for request, mixed in zip(requests, together, strict=True):
        (alone,) = gather(engine(llama), [request])
        if isinstance(alone, Encoded):
            np.testing.assert_allclose(mixed.state, alone.state, rtol=1e-4, atol=1e-4)
        else:
            assert isinstance(alone, Generated)
            assert (mixed.text, mixed.new_tokens) == (alone.text, alone.new_tokens)


def test_a_thread_reads_only_what_is_new_for_a_state(
    llama: Path, gather: Callable[..., list[Any]]
) -> None:
    backend = engine(llama)
    short, long = "seat " * 20, "seat " * 20 + "?" * 6
    gather(backend, [Encode(prompt=TextPrompt(text=short), thread="t")])
    before = backend.meter.prefill_tokens
    (found,) = gather(backend, [Encode(prompt=TextPrompt(text=long), thread="t")])
    assert backend.meter.prefill_tokens - before == 6
    (again,) = gather(backend, [Encode(prompt=TextPrompt(text=long), thread="t")])
    assert backend.meter.prefill_tokens - before == 7  # the last token is read again, for its state
    fresh = plain_state(backend.local, TextPrompt(text=long))
    np.testing.assert_allclose(found.state, fresh, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(again.state, fresh, rtol=1e-4, atol=1e-4)


def test_what_has_no_state_fails_alone(
    llama: Path, gather: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = engine(llama)
    long, good = TextPrompt(text="?" * 257), PROMPTS[0]
    empty, too_long, found = gather(
        backend, [Encode(prompt=TextPrompt(text="")), Encode(prompt=long), Encode(prompt=good)]
    )
    assert empty.kind == "prompt"
    assert (too_long.kind, too_long.message) == (
        "too-long",
        "257 tokens do not fit the model's context of 256",
    )
    assert isinstance(found, Encoded)
    monkeypatch.setattr(ChatTemplate, "prefix_char", lambda *_: 0)
    (nothing,) = gather(backend, [Encode(prompt=good)])
    assert isinstance(nothing, Failure)
    assert "has no state" in nothing.message


def test_a_state_that_is_not_finite_is_a_failure_and_leaves_no_cache(
    llama: Path, gather: Callable[..., list[Any]]
) -> None:
    backend = engine(llama)
    weight = backend.local.model.model.layers[0].self_attn.v_proj.weight
    kept = weight.detach().clone()
    weight.data.fill_(torch.nan)
    (bad,) = gather(backend, [Encode(prompt=PROMPTS[0], thread="t")])
    weight.data.copy_(kept)
    assert bad == Failure(
        boundary="model", kind="not-finite", message="the model gave no finite state"
    )
    (good,) = gather(backend, [Encode(prompt=PROMPTS[0], thread="t")])
    np.testing.assert_allclose(
        good.state, plain_state(backend.local, PROMPTS[0]), rtol=1e-4, atol=1e-4
    )


def test_the_backend_keeps_the_promises(make_folder: Callable[..., Path]) -> None:
    config = make_folder("qwen3") / "config.json"
    config.write_text(
        config.read_text().replace(
            '"max_position_embeddings": 256', '"max_position_embeddings": 512'
        )
    )
    check_backend(lambda: load_backend(f"hf:{config.parent}", dtype="float32", device="cpu"))


@pytest.mark.parametrize(("family", "scale"), [("llama", 1.0), ("gemma", 32**0.5)])
def test_width_and_embedding_norm_are_told(
    family: str, scale: float, make_folder: Callable[..., Path]
) -> None:
    backend = load_backend(f"hf:{make_folder(family)}", dtype="float32", device="cpu")
    assert isinstance(backend, TransformersBackend)
    weight = backend.local.model.get_input_embeddings().weight.detach()
    assert backend.info.width == 32
    assert backend.info.embedding_norm == pytest.approx(
        scale * float(weight.norm(dim=-1).mean()), rel=1e-5
    )
