"""Prefix embeddings: what plain transformers says from the same embeddings, over turns, with caches
and without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

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
    Position,
    Prefix,
    Sampling,
    TextPrompt,
)
from tests.agents.lm.local.test_prefix_cache import engine

POSITIONS: tuple[Position, ...] = ("start", "mid", "end")
INSTRUCTIONS = (
    Message(role="system", content="Be Ann."),
    Message(role="user", content="Sell it for sixty."),
)
CHAT = ChatPrompt(messages=INSTRUCTIONS)
SCRIPT = ChatPrompt(messages=INSTRUCTIONS, reply_start="Ann: I paid more.\nBen: No.\nAnn:")
LENGTH = 8


def prefix(position: Position, *, seed: int = 0, length: int = 2, width: int = 32) -> Prefix:
    vectors = np.random.default_rng(seed).standard_normal((length, width)).astype(np.float32)
    return Prefix(position=position, embeddings=vectors)


def plain_reply(
    local: LocalModel,
    prompt: ChatPrompt,
    given: Prefix | None,
    *,
    scale: float = 1.0,
    penalty: float = 1.0,
) -> tuple[list[int], float]:
    """A plain greedy loop over transformers' own model, all embeddings read again for every token;
    with its log-probability."""
    tokens = local.prompt_tokenizer.tokenise(prompt, given.position if given else "start")
    with torch.inference_mode(), local.with_original_attention() as model:
        embed = model.get_input_embeddings()
        vectors = torch.from_numpy(given.embeddings) if given else torch.zeros(0, local.width)
        before, behind = tokens.ids[: tokens.prefix_index], tokens.ids[tokens.prefix_index :]
        read = torch.cat(
            [
                embed(torch.tensor(before).long()),
                vectors / scale,
                embed(torch.tensor(behind).long()),
            ]
        )
        reply, logprob = list[int](), 0.0
        while len(reply) < LENGTH and not (reply and reply[-1] in local.end_token_ids):
            logits = model(inputs_embeds=read[None]).logits[0, -1]
            penalised, seen = logits.clone(), torch.tensor(sorted({*tokens.ids, *reply}))
            penalised[seen] = torch.where(
                logits[seen] > 0, logits[seen] / penalty, logits[seen] * penalty
            )
            reply.append(int(penalised.argmax()))
            logprob += float(logits.log_softmax(-1)[reply[-1]])
            read = torch.cat([read, embed(torch.tensor(reply[-1:]))])
    return reply, logprob


def greedy(prompt: Any, given: Prefix | None, thread: str = "", **sampling: Any) -> Generate:
    settings = Sampling(temperature=0.0, max_new_tokens=LENGTH, **sampling)
    return Generate(prompt=prompt, sampling=settings, seed=0, prefix=given, thread=thread)


def text_of(local: LocalModel, reply: list[int]) -> str:
    ids = reply[:-1] if reply[-1] in local.end_token_ids else reply
    return local.prompt_tokenizer.decode_reply([], ids).rstrip("\ufffd")


@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3", "gemma", "gemma2", "mistral"])
def test_a_steered_reply_is_what_transformers_says_from_the_same_embeddings(
    family: str, make_folder: Callable[..., Path], gather: Callable[..., list[Any]]
) -> None:
    backend = engine(make_folder(family, adds_bos=family in ("llama", "gemma")))
    local = backend.local
    cases = [
        (p, prefix(at, seed=i, length=1 + i))
        for p in (CHAT, SCRIPT)
        for i, at in enumerate(POSITIONS)
    ]
    found = gather(backend, [greedy(p, given) for p, given in cases])
    for (p, given), done in zip(cases, found, strict=True):
        reply, logprob = plain_reply(local, p, given)
        assert isinstance(done, Generated)
        assert (done.text, done.new_tokens) == (text_of(local, reply), len(reply))
        assert done.logprob == pytest.approx(logprob, abs=1e-3)
        assert done.prompt_tokens == len(local.prompt_tokenizer.encode(p))
    plain = [plain_reply(local, p, None)[1] for p, _ in cases]
    # They do steer, but those behind a window of 16 tokens and two layers.
    assert (
        sum(abs(done.logprob - logprob) > 0.01 for done, logprob in zip(found, plain, strict=True))
        >= 2
    )


def granite(folder: Path, make_tokenizer: Callable[..., Any], *, gpt2: bool = False) -> Path:
    import transformers as t

    tokenizer = make_tokenizer()
    sizes = {
        "vocab_size": len(tokenizer),
        "bos_token_id": 0,
        "eos_token_id": 1,
        "initializer_range": 0.4,
    }
    layers = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 256}
    torch.manual_seed(7)
    config: Any = (
        t.GPT2Config(**sizes, n_embd=32, n_layer=2, n_head=4, n_positions=256)
        if gpt2
        else t.GraniteConfig(
            **sizes, **layers, **heads, embedding_multiplier=5.0, pad_token_id=None
        )
    )
    t.AutoModelForCausalLM.from_config(config).save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
    return folder


def test_a_model_that_scales_its_inputs_gets_the_prefix_as_its_first_layer_should(
    tmp_path: Path, make_tokenizer: Callable[..., Any], gather: Callable[..., list[Any]]
) -> None:
    backend = engine(granite(tmp_path, make_tokenizer))
    local = backend.local
    weight = local.model.get_input_embeddings().weight.detach()
    assert local.input_scale == pytest.approx(5.0, rel=1e-5)
    assert backend.info.embedding_norm == pytest.approx(
        5 * float(weight.norm(dim=-1).mean()), rel=1e-5
    )
    (done,) = gather(backend, [greedy(SCRIPT, prefix("end"))])
    reply, logprob = plain_reply(local, SCRIPT, prefix("end"), scale=5.0)
    assert done.text == text_of(local, reply)
    assert done.logprob == pytest.approx(logprob, abs=1e-3)


def test_a_model_that_adds_to_its_inputs_takes_no_prefix(
    tmp_path: Path, make_tokenizer: Callable[..., Any], gather: Callable[..., list[Any]]
) -> None:
    backend = engine(granite(tmp_path, make_tokenizer, gpt2=True))
    plain, steered = gather(backend, [greedy(CHAT, None), greedy(CHAT, prefix("end"))])
    assert isinstance(plain, Generated)
    assert steered.kind == "unsupported"
    assert backend.info.embedding_norm is None


class Steered:
    """A dialogue over turns: each reply is steered by a prefix made from the state before it."""

    def __init__(self, position: Position, *, script: bool, every: int = 1) -> None:
        self.position, self.script, self.every = position, script, every

    def play(
        self,
        backend: TransformersBackend,
        gather: Callable[..., list[Any]],
        *,
        threads: bool,
        seats: int = 3,
    ) -> tuple[list[list[str]], Any]:
        """What was said, and the states and log-probabilities of all turns, one after the other."""
        lines: list[list[str]] = [[f"Ben: Hello, {'seat ' * i}."] for i in range(seats)]
        numbers: list[Any] = []
        for turn in range(3):
            prompts = [self.prompt(said) for said in lines]
            names = [f"{i}" if threads else "" for i in range(seats)]
            apart = "" if self.position == "end" else "/state"
            found = gather(
                backend,
                [
                    Encode(prompt=p, thread=n and n + apart)
                    for p, n in zip(prompts, names, strict=True)
                ],
            )
            assert all(isinstance(e, Encoded) for e in found)
            numbers.extend(e.state for e in found)
            requests = [
                greedy(p, self.prefix(e.state) if turn % self.every == 0 else None, n)
                for p, n, e in zip(prompts, names, found, strict=True)
            ]
            for said, reply in zip(lines, gather(backend, requests), strict=True):
                assert isinstance(reply, Generated)
                numbers.append([reply.logprob])
                said += [
                    f"Ann:{reply.text.splitlines()[0] if reply.text.strip() else ' ...'}",
                    f"Ben: No, {turn}.",
                ]
        return lines, np.concatenate(numbers)

    def prompt(self, lines: list[str]) -> ChatPrompt:
        if self.script:
            return ChatPrompt(messages=INSTRUCTIONS, reply_start="\n".join([*lines, "Ann:"]))
        roles = ("user", "assistant")
        talk = (Message(role=roles[i % 2], content=line) for i, line in enumerate(lines))  # type: ignore[arg-type]
        return ChatPrompt(messages=(INSTRUCTIONS[0], *talk))

    def prefix(self, state: Any) -> Prefix:
        vectors = np.stack([state, state[::-1]])
        return Prefix(position=self.position, embeddings=vectors)


@pytest.mark.parametrize("family", ["llama", "gemma2"])
@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("script", [True, False])
def test_steered_dialogues_are_the_same_with_threads_without_them_and_with_eviction(
    position: Position,
    script: bool,
    family: str,
    make_folder: Callable[..., Path],
    gather: Callable[..., list[Any]],
) -> None:
    folder = make_folder(family)
    for talk in (Steered(position, script=script), Steered(position, script=script, every=2)):
        reread = engine(folder, batch_size=1)
        expected, plain = talk.play(reread, gather, threads=False)
        for cache_bytes in (None, 0):
            backend = engine(folder, cache_bytes=cache_bytes)
            lines, numbers = talk.play(backend, gather, threads=True)
            assert lines == expected
            np.testing.assert_allclose(numbers, plain, rtol=1e-3, atol=1e-3)
            if cache_bytes is None:
                assert backend.meter.prefill_tokens < reread.meter.prefill_tokens


def test_end_costs_the_prefix_and_the_header_once_the_state_is_known(
    llama: Path, gather: Callable[..., list[Any]]
) -> None:
    backend = engine(llama)
    tokens = backend.local.prompt_tokenizer.tokenise(SCRIPT, "end")
    header = len(tokens.ids) - tokens.prefix_index
    gather(backend, [Encode(prompt=SCRIPT, thread="t")])
    assert backend.meter.prefill_tokens == tokens.prefix_index
    gather(backend, [greedy(SCRIPT, prefix("end", length=3), "t")])
    # the last one goes with the first token of the reply
    assert backend.meter.prefill_tokens == tokens.prefix_index + 3 + header - 1
    # The next turn starts from the dialogue before the prefix: what came after it is of no use
    # unsteered.
    longer = replace(SCRIPT, reply_start=SCRIPT.reply_start + " Sixty.\nBen: No.\nAnn:")
    place = backend.local.prompt_tokenizer.tokenise(longer, "end").prefix_index
    before = backend.meter.prefill_tokens
    gather(backend, [Encode(prompt=longer, thread="t")])
    assert backend.meter.prefill_tokens - before == place - tokens.prefix_index


def test_the_same_prefix_at_the_start_keeps_its_cache(
    llama: Path, gather: Callable[..., list[Any]]
) -> None:
    backend = engine(llama)
    longer = replace(SCRIPT, reply_start=SCRIPT.reply_start + " Sixty.\nBen: No.\nAnn:")
    ids, more = (backend.local.prompt_tokenizer.encode(p) for p in (SCRIPT, longer))
    gather(backend, [greedy(SCRIPT, prefix("start"), "t")])
    before = backend.meter.prefill_tokens
    gather(backend, [greedy(longer, prefix("start"), "t")])
    assert backend.meter.prefill_tokens - before <= len(more) - len(ids)
    before = backend.meter.prefill_tokens
    gather(backend, [greedy(longer, prefix("start", seed=1), "t")])
    assert backend.meter.prefill_tokens - before == len(more) + 2 - 1


def test_steered_plain_and_encoded_rows_share_a_batch(
    llama: Path, gather: Callable[..., list[Any]]
) -> None:
    requests: list[Any] = []
    for i in range(12):
        p = replace(SCRIPT, reply_start="Ben: seat.\n" * (i % 5) + SCRIPT.reply_start)
        given = None if i % 3 == 0 else prefix(POSITIONS[i % 3], seed=i, length=1 + i % 4)
        settings = Sampling(temperature=0.9, top_k=30, repetition_penalty=1.2, max_new_tokens=3 + i)
        requests.append(Generate(prompt=p, sampling=settings, seed=i, prefix=given, stop=("\n",)))
        if i % 4 == 0:
            requests.append(Encode(prompt=p))
    together = gather(engine(llama, batch_size=5), requests[::-1])[::-1]
    for request, mixed in zip(requests, together, strict=True):
        (alone,) = gather(engine(llama), [request])
        if isinstance(request, Encode):
            np.testing.assert_allclose(mixed.state, alone.state, rtol=1e-4, atol=1e-4)
        else:
            assert (mixed.text, mixed.new_tokens, mixed.prompt_tokens) == (
                alone.text,
                alone.new_tokens,
                alone.prompt_tokens,
            )


def test_the_repetition_penalty_counts_tokens_not_vectors(
    llama: Path, gather: Callable[..., list[Any]]
) -> None:
    backend = engine(llama)
    local = backend.local
    given = prefix("mid")
    (done,) = gather(backend, [greedy(CHAT, given, repetition_penalty=5.0)])
    reply, logprob = plain_reply(local, CHAT, given, penalty=5.0)
    assert done.logprob == pytest.approx(logprob, abs=1e-3)
    assert (done.text, done.new_tokens) == (text_of(local, reply), len(reply))


def test_a_prefix_that_does_not_fit_fails_alone(
    llama: Path, gather: Callable[..., list[Any]]
) -> None:
    broken = prefix("end").embeddings.copy()
    broken[1, 3] = np.nan
    bad = [
        (
            prefix("end", width=31),
            "the prefix has the shape (2, 31); it must be (L, 32) with L at least 1",
        ),
        (
            prefix("end", length=0),
            "the prefix has the shape (0, 32); it must be (L, 32) with L at least 1",
        ),
        (
            Prefix(position="end", embeddings=np.zeros(32, np.float32)),
            "the prefix has the shape (32,); it must be",
        ),
        (Prefix(position="end", embeddings=broken), "the prefix has numbers that are not finite"),
    ]
    found = gather(engine(llama), [greedy(CHAT, None), *(greedy(CHAT, given) for given, _ in bad)])
    assert isinstance(found[0], Generated)
    for failure, (_, message) in zip(found[1:], bad, strict=True):
        assert isinstance(failure, Failure)
        assert failure.kind == "invalid"
        assert failure.message.startswith(message)
    (nowhere,) = gather(engine(llama), [greedy(TextPrompt(text="Ann"), prefix("mid"))])
    assert nowhere.kind == "prompt"


def test_a_prefix_counts_for_the_context(llama: Path, gather: Callable[..., list[Any]]) -> None:
    text = TextPrompt(text="?" * (256 - LENGTH - 2))  # each sign is a token
    fits, over = gather(
        engine(llama), [greedy(text, prefix("end")), greedy(text, prefix("end", length=3))]
    )
    assert isinstance(fits, Generated)
    assert fits.prompt_tokens == 256 - LENGTH - 2
    assert over.kind == "too-long"


def test_a_prefix_may_be_changed_by_its_owner_after_it_was_submitted(
    llama: Path, gather: Callable[..., list[Any]]
) -> None:
    backend, given = engine(llama), prefix("end")
    (expected,) = gather(backend, [greedy(SCRIPT, prefix("end"))])
    ticket = backend.submit(greedy(SCRIPT, given))
    given.embeddings[:] = 9.0
    (finished,) = backend.poll()
    assert finished.ticket == ticket
    assert isinstance(finished.completion, Generated)
    assert finished.completion.text == expected.text
