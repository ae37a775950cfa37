"""Every family and every rule of chat templates: three turns on threads say what transformers' own
`generate` says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from agents.lm import load_backend
from agents.lm.local.local_model import LocalModel
from agents.lm.local.transformers_backend import TransformersBackend
from simworld.core.requests import ChatPrompt, Generate, Generated, Message, Sampling

PLAIN = "{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }} {% endfor %}[assistant]"
NO_SYSTEM = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    + PLAIN
)
STRICT = (
    "{% for m in messages %}{% if m['role'] != 'system' and (m['role'] == 'user') != ((loop.index0"
    " - offset) % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}{% endfor %}"
)
ALTERNATES = "{% set offset = 1 if messages[0]['role'] == 'system' else 0 %}" + STRICT + PLAIN
# rule → template, whether the tokenizer adds <s> (id 0), how many <s> a prompt must have, all of
# them at its start
RULES = {
    "no system role": (NO_SYSTEM, False, 0),
    "strict alternation": (ALTERNATES, False, 0),
    "no beginning of sequence": (PLAIN, False, 0),
    "beginning added by the tokenizer": (PLAIN, True, 1),
    "beginning written by the template": ("<s>" + PLAIN, False, 1),
    "beginning by both, once": ("<s>" + NO_SYSTEM, True, 1),
}
FAMILIES = ["llama", "qwen2", "qwen3", "gemma", "gemma2", "gemma3", "mistral"]
LINES = [
    "Would you sell it for sixty euros?",
    "I paid more than that.",
    "Let us meet in the middle.",
]


def generate(local: LocalModel, ids: list[int], length: int) -> tuple[list[int], float]:
    """The tokens, and their log-probability."""
    given = torch.tensor([ids])
    with local.with_original_attention() as model:
        found = model.generate(
            given,
            attention_mask=torch.ones_like(given),
            do_sample=False,
            max_new_tokens=length,
            eos_token_id=sorted(local.end_token_ids),
            pad_token_id=1,
        )
        with torch.inference_mode():
            logprobs = model(found).logits[0, len(ids) - 1 : -1].log_softmax(-1)
    reply = [int(token) for token in found[0, len(ids) :]]
    return reply, sum(float(logprobs[i, token]) for i, token in enumerate(reply))


def talk(backend: TransformersBackend) -> list[tuple[list[int], Generated]]:
    """Two conversations of three turns, side by side, each on a thread: the prompt's ids and the
    reply of each turn."""
    ids = backend.local.prompt_tokenizer.encode
    history = [
        [Message(role="system", content=f"You are {who}. Be brief.")] for who in ("Ann", "Ben")
    ]
    turns = []
    for line in LINES:
        asked = {}
        for i, messages in enumerate(history):
            messages.append(Message(role="user", content=f"{line} {i}"))
            prompt = ChatPrompt(messages=tuple(messages))
            sampling = Sampling(temperature=0.0, max_new_tokens=8 + i)
            ticket = backend.submit(
                Generate(prompt=prompt, sampling=sampling, seed=1, thread=f"talk/{i}")
            )
            asked[ticket] = (i, ids(prompt))
        while found := backend.poll():
            for done in found:
                i, given = asked.pop(done.ticket)
                assert isinstance(done.completion, Generated)
                turns.append((given, done.completion))
                history[i].append(Message(role="assistant", content=done.completion.text or "…"))
        assert not asked
    return turns


def check(folder: Path, begins: int) -> None:
    backend = load_backend(f"hf:{folder}", dtype="float32", device="cpu")
    assert isinstance(backend, TransformersBackend)
    local = backend.local
    turns = talk(backend)
    for given, reply in turns:
        assert given[:begins] == [0] * begins
        assert given.count(0) == begins
        expected, logprob = generate(local, given, 9 if reply.new_tokens == 9 else 8)
        ended = expected[-1] in local.end_token_ids
        assert reply.new_tokens == len(expected)
        assert reply.text == local.prompt_tokenizer.decode_reply(
            given, expected[:-1] if ended else expected
        ).rstrip("\ufffd")
        assert reply.logprob == pytest.approx(logprob, abs=1e-3)
        assert reply.prompt_tokens == len(given)
    # the threads were of use
    assert backend.meter.prefill_tokens < sum(len(given) for given, _ in turns) * 0.7
    # Gemmas without training repeat one token
    assert len({round(reply.logprob or 0.0, 2) for _, reply in turns}) == 6
    backend.close()


@pytest.mark.parametrize("family", FAMILIES)
def test_three_turns_of_each_family(family: str, make_folder: Callable[..., Path]) -> None:
    check(make_folder(family, template=PLAIN), 0)


@pytest.mark.parametrize("rule", RULES)
def test_three_turns_under_each_rule(rule: str, make_folder: Callable[..., Any]) -> None:
    template, adds_bos, begins = RULES[rule]
    check(make_folder("llama", template=template, adds_bos=adds_bos), begins)
