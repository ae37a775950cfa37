"""Thoughts of local models: never speech, counted, and no stop string ends them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agents.lm import load_backend
from agents.lm.local.chat_template import ChatTemplate
from agents.lm.local.decoding_row import new_row
from agents.lm.local.prompt_tokenizer import PromptTokenizer
from agents.lm.reasoning_marks import Reasoning
from simworld.core.errors import Failure
from simworld.core.requests import ChatPrompt, Generate, Message, Sampling, TextPrompt
from tests.factories.models import CHATML

THINKS = CHATML.replace("<|im_start|>assistant\n{%", "<|im_start|>assistant\n<think>\n{%")
END = 0


def write(
    text: str,
    *,
    stop: tuple[str, ...] = (),
    in_thought: bool = False,
    limit: int = 200,
    reasoning: Any = None,
) -> Any:
    """What a row makes of a text that a model writes letter by letter, and the letters it took."""
    prompt_tokenizer = SimpleNamespace(
        reasoning=reasoning,
        decode_reply=lambda _, tokens: "".join(map(chr, tokens)),
        decode_token=chr,
    )
    local: Any = SimpleNamespace(
        end_token_ids={END}, dtype="float32", prompt_tokenizer=prompt_tokenizer
    )
    request = Generate(
        prompt=TextPrompt(text="x"), sampling=Sampling(max_new_tokens=limit), seed=1, stop=stop
    )
    row = new_row(1, request, [1], 0.0, in_thought=in_thought)
    for letter in [*map(ord, text), END]:
        if (done := row.append_token(letter, -1.0, local)) is not None:
            return done
    raise AssertionError("the row did not end")


def test_a_stop_string_ends_the_answer_and_not_the_thought() -> None:
    done = write("<think>\nBen: no.\nI stay.</think>Seventy.\nBen: Deal.", stop=("\nBen:",))
    assert (done.text, done.finish) == ("Seventy.", "stop")
    assert done.reasoning == "Ben: no.\nI stay."
    assert done.reasoning_tokens == len("<think>\nBen: no.\nI stay.</think>")
    assert done.new_tokens == len("<think>\nBen: no.\nI stay.</think>Seventy.\nBen:")


def test_a_thought_that_the_template_opened() -> None:
    done = write("Ben: no.</think>Seventy.", stop=("Ben:",), in_thought=True)
    assert (done.text, done.reasoning) == ("Seventy.", "Ben: no.")
    assert write("Seventy, Ben: no.", stop=("Ben:",)).text == "Seventy, "


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("<think>I must hide", {}),
        ("I must hide", {"in_thought": True}),
        ("I must hide it</th", {}),
        ("I must", {"reasoning": "on"}),
    ],
)
def test_a_limit_that_was_spent_on_thinking(text: str, settings: dict[str, Any]) -> None:
    done = write(text, limit=len(text), **settings)
    assert isinstance(done, Failure)
    assert (done.boundary, done.kind) == ("model", "thinking")
    assert f"the token limit of {len(text)} was spent on thinking" in done.message


def test_a_reply_without_thoughts_is_as_it_was() -> None:
    done = write(" Seventy. ")
    assert (done.text, done.reasoning, done.reasoning_tokens, done.raw) == (
        " Seventy. ",
        "",
        None,
        " Seventy. ",
    )
    assert write("<think>a</think>b", reasoning="off").text == "<think>a</think>b"


def test_a_model_whose_template_opens_a_thought(
    make_folder: Callable[..., Path], ask: Callable[..., Generate], gather: Callable[..., list[Any]]
) -> None:
    request = ask("How much?", chat=True, temperature=0, max_new_tokens=16)
    plain = load_backend(f"hf:{make_folder('llama')}", dtype="float32", device="cpu")
    (said,) = gather(plain, [request])
    assert said.reasoning == ""
    folder = make_folder("llama", template=THINKS)
    ways: list[tuple[Reasoning | None, type]] = [(None, Failure), ("off", type(said))]
    for reasoning, kind in ways:
        backend = load_backend(f"hf:{folder}", dtype="float32", device="cpu", reasoning=reasoning)
        (done,) = gather(backend, [replace(request, stop=tuple("aeiou"))])
        assert isinstance(done, kind), done
        if isinstance(done, Failure):
            assert done.kind == "thinking"
        backend.close()
    plain.close()


def test_what_is_begun_is_said(make_tokenizer: Callable[..., Any]) -> None:
    prompt = ChatPrompt(messages=(Message(role="user", content="Go on."),), reply_start="Ann:")
    template = ChatTemplate(make_tokenizer(THINKS))
    assert template.render(prompt).endswith("assistant\n<think>\n\n</think>\n\nAnn:")
    assert template.render(replace(prompt, reply_start="")).endswith("assistant\n<think>\n")
    assert ChatTemplate(make_tokenizer(CHATML)).render(prompt).endswith("assistant\nAnn:")
    renderer = PromptTokenizer(make_tokenizer(THINKS))
    assert not renderer.tokenise(prompt).in_thought
    assert renderer.tokenise(replace(prompt, reply_start="")).in_thought


def test_marks_that_are_special_tokens_stay(make_tokenizer: Callable[..., Any]) -> None:
    tokenizer = make_tokenizer()
    tokenizer.add_special_tokens(
        {"additional_special_tokens": ["<|im_start|>", "<|im_end|>", "[THINK]", "[/THINK]"]}
    )
    renderer = PromptTokenizer(tokenizer)
    ids = tokenizer("[THINK]Hide it.[/THINK]Seventy.<|im_end|>", add_special_tokens=False).input_ids
    assert renderer.decode_reply([], ids) == "[THINK]Hide it.[/THINK]Seventy."
    assert (
        PromptTokenizer(make_tokenizer()).decode_reply(
            [], make_tokenizer()("Seventy.<|im_end|>").input_ids
        )
        == "Seventy."
    )
