"""Where prefixes go and states are taken: before, between and after, for every kind of template."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from agents.lm.local.prompt_tokenizer import PromptError, PromptTokenizer
from simworld.core.requests import ChatPrompt, Message, Position, TextPrompt
from tests.factories.models import CHATML

STRICT = (  # no system role, no header of the reply
    "<s>{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported')"
    " }}{% endif %}{% for m in messages %}[{{ m['role'] }}] {{ m['content'] | trim }} [/]{%"
    " endfor %}"
)
WANTS_USER = (  # the system text goes in front, but never alone
    "{% if messages[0]['role'] == 'system' %}<<{{ messages[0]['content'] }}>>{% set rest ="
    " messages[1:] %}{% else %}{% set rest = messages %}{% endif %}{% if not rest %}{{"
    " raise_exception('No user message') }}{% endif %}{% for m in rest %}[{{ m['role'] }}] {{"
    " m['content'] }}\n{% endfor %}{% if add_generation_prompt %}[assistant]{% else %}</s>{%"
    " endif %}"
)
CHAT = ChatPrompt(
    messages=(
        Message(role="system", content="Be brief."),
        Message(role="user", content="Hi."),
        Message(role="assistant", content="Yes?"),
        Message(role="user", content="Go on."),
    )
)
SCRIPT = ChatPrompt(
    messages=(Message(role="system", content="Be brief."), Message(role="user", content="A play.")),
    reply_start="Ann: Hi.\nBen: Yes?\nAnn:",
)
FIRST = replace(SCRIPT, reply_start="Ann:")
SYSTEM = "<|im_start|>system\nBe brief.<|im_end|>\n"
HEADER = "<|im_start|>assistant\n"


def parts(
    renderer: PromptTokenizer, tokenizer: Any, prompt: Any, position: Position
) -> tuple[str, str]:
    """What stands before and behind the place."""
    found = renderer.tokenise(prompt, position)
    assert found.ids == renderer.encode(prompt)
    return tokenizer.decode(found.ids[: found.prefix_index]), tokenizer.decode(
        found.ids[found.prefix_index :]
    )


@pytest.mark.parametrize("adds_bos", [False, True])
@pytest.mark.parametrize(
    ("template", "prompt", "mid", "end"),
    [
        (CHATML, CHAT, (SYSTEM, "<|im_start|>user\nHi."), ("Go on.<|im_end|>\n", HEADER)),
        (CHATML, SCRIPT, (HEADER, "Ann: Hi."), ("Ann: Hi.\nBen: Yes?\n", "Ann:")),
        (CHATML, FIRST, (HEADER, "Ann:"), (HEADER, "Ann:")),
        (STRICT, CHAT, ("<s>[user] Be brief.\n\n", "Hi. [/]"), ("Go on. [/]", "")),
        (STRICT, SCRIPT, ("A play. [/]", "Ann: Hi."), ("Ben: Yes?\n", "Ann:")),
        (WANTS_USER, CHAT, ("<<Be brief.", ">>[user] Hi."), ("Go on.\n", "[assistant]")),
        (None, CHAT, ("Be brief.\n\n", "User: Hi."), ("User: Go on.\n\n", "Assistant:")),
        (None, SCRIPT, ("Assistant: ", "Ann: Hi."), ("Ben: Yes?\n", "Ann:")),
        (None, FIRST, ("Assistant: ", "Ann:"), ("Assistant: ", "Ann:")),
    ],
)
def test_mid_and_end(
    template: str | None,
    prompt: ChatPrompt,
    mid: tuple[str, str],
    end: tuple[str, str],
    adds_bos: bool,
    make_tokenizer: Callable[..., Any],
) -> None:
    tokenizer = make_tokenizer(template, adds_bos=adds_bos)
    renderer = PromptTokenizer(tokenizer)
    for position, (before, behind) in (("mid", mid), ("end", end)):
        head, tail = parts(renderer, tokenizer, prompt, position)  # type: ignore[arg-type]
        assert head.endswith(before)
        assert tail.startswith(behind)
        if position == "end":
            assert tail == behind


@pytest.mark.parametrize(
    ("template", "adds_bos", "place"), [(CHATML, False, 0), (CHATML, True, 1), (STRICT, False, 0)]
)
def test_start_is_behind_a_bos_only_where_the_tokenizer_adds_it_by_itself(
    template: str, adds_bos: bool, place: int, make_tokenizer: Callable[..., Any]
) -> None:
    renderer = PromptTokenizer(make_tokenizer(template, adds_bos=adds_bos))
    assert renderer.tokenise(CHAT, "start").prefix_index == place
    assert renderer.tokenise(TextPrompt(text="Ann"), "start").prefix_index == int(adds_bos)


def test_a_text_prompt_has_no_header_and_no_middle(make_tokenizer: Callable[..., Any]) -> None:
    renderer = PromptTokenizer(make_tokenizer())
    found = renderer.tokenise(TextPrompt(text="Ann: Hi.\nBen:"), "end")
    assert found.prefix_index == len(found.ids)
    with pytest.raises(PromptError, match="no place between instructions and dialogue"):
        renderer.tokenise(TextPrompt(text="Ann: Hi.\nBen:"), "mid")


def test_mid_needs_instructions(make_tokenizer: Callable[..., Any]) -> None:
    bare = ChatPrompt(messages=CHAT.messages[1:])
    with pytest.raises(PromptError, match="'mid' needs a system message"):
        PromptTokenizer(make_tokenizer()).tokenise(bare, "mid")
    shouts = "{% for m in messages %}[{{ m['content'] | upper }}]{% endfor %}simworld-system-probe"
    with pytest.raises(PromptError, match="changes the system text"):
        PromptTokenizer(make_tokenizer(shouts)).tokenise(CHAT, "mid")


def test_a_place_inside_a_token_or_a_character_is_moved_to_the_boundary_before_it(
    make_tokenizer: Callable[..., Any],
) -> None:
    tokenizer = make_tokenizer("{% for m in messages %}{{ m['content'] }}{% endfor %}")
    renderer = PromptTokenizer(tokenizer)
    text = "I paid the €uro"
    ids = renderer.encode(TextPrompt(text=text))
    places = [
        renderer.tokenise(
            ChatPrompt(messages=(Message(role="user", content=text[:at]),), reply_start=text[at:])
        ).reply_start
        for at in range(len(text))
    ]
    for at, count in enumerate(places):
        assert text[:at].startswith(tokenizer.decode(ids[:count]))
        assert len(tokenizer.decode(ids[: count + 1], errors="ignore")) >= at
    assert places == sorted(places)
    assert 0 < places[-1] < len(ids)


def test_a_tokenizer_without_offsets_finds_the_same_places(
    make_tokenizer: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for adds_bos in (False, True):
        tokenizer = make_tokenizer(adds_bos=adds_bos)
        renderer = PromptTokenizer(tokenizer)
        places = [
            (p, position) for p in (CHAT, SCRIPT, FIRST) for position in ("start", "mid", "end")
        ]
        fast = [renderer.tokenise(p, position) for p, position in places]  # type: ignore[arg-type]
        with monkeypatch.context() as patch:
            patch.setattr(type(tokenizer), "is_fast", False)
            assert [renderer.tokenise(p, position) for p, position in places] == fast  # type: ignore[arg-type]
