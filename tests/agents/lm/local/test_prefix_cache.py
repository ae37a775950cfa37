"""Caches that live across turns: the same words with and without them, with eviction, and in any
order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agents.lm import load_backend
from agents.lm.local.kv_block import CacheShape
from agents.lm.local.prefix_cache import PrefixCache
from agents.lm.local.transformers_backend import TransformersBackend
from simworld.core.requests import Finished, Generate, Generated, Sampling, Score, TextPrompt

SHAPE = CacheShape(
    layers=1, kv_heads=1, head_size=1, dtype=torch.float32, device=torch.device("cpu")
)
TOKEN = 8  # bytes: a key and a value of one number each


def cache(*values: float) -> torch.Tensor:
    return torch.tensor(values).expand(1, 2, 1, len(values)).unsqueeze(-1)


def test_a_thread_shares_its_longest_common_prefix_but_never_the_last_token() -> None:
    threads = PrefixCache(SHAPE, budget_bytes=10**6, max_threads=9)
    threads.store("a", [5, 6, 7], cache(1, 2, 3))
    found = threads.get("a")
    assert found is not None
    assert found.shared_tokens([5, 6, 7, 8]) == 3
    assert found.shared_tokens([5, 6, 9]) == 2
    assert found.shared_tokens([5, 6, 7]) == 2
    assert found.shared_tokens([9]) == 0
    assert threads.get("b") is None


def test_parking_again_cuts_back_to_what_is_shared() -> None:
    threads = PrefixCache(SHAPE, budget_bytes=10**6, max_threads=9)
    threads.store("a", [5, 6, 7], cache(1, 2, 3))
    threads.store("a", [5, 6, 8, 9], cache(0, 0, 4, 5))
    found = threads.get("a")
    assert found is not None
    assert found.ids == [5, 6, 8, 9]
    assert found.kv[0, 0, 0, :4, 0].tolist() == [1, 2, 4, 5]


def test_a_new_thread_begins_with_what_another_has_read() -> None:
    threads = PrefixCache(SHAPE, budget_bytes=10**6, max_threads=9)
    long, longer = list(range(40)), [*range(36), 99, *range(36, 60)]
    threads.store("a", long, cache(*range(40)))
    threads.store("b", longer, cache(*range(61)))
    assert threads.longest_match(long[:31]) is None  # too little to be worth it
    found = threads.open_thread("c", [*range(36), 99, 98], 64)
    assert found.ids == [*range(36), 99]
    assert found.kv[0, 0, 0, :37, 0].tolist() == [*range(37)]
    # The copy is its own: what is written into it changes no other.
    found.kv[:] = -1
    other = threads.get("b")
    assert other is not None
    assert other.kv[0, 0, 0, :60, 0].tolist() == [*range(60)]
    assert threads.open_thread("", [*range(36), 99, 98], 64).ids == []


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.integers(1, 300)), max_size=30))
def test_the_budget_holds_and_the_oldest_go_first(uses: list[tuple[str, int]]) -> None:
    budget, last = 512 * TOKEN, list[str]()
    threads = PrefixCache(SHAPE, budget_bytes=budget, max_threads=3)
    for name, length in uses:
        threads.store(name, list(range(length)), cache(*range(length)))
        last = [*(n for n in last if n != name), name]
        kept = [n for n in last if n in threads]
        assert threads.bytes == sum(t.capacity for n in kept if (t := threads.get(n))) * TOKEN
        assert len(kept) == 1 or threads.bytes <= budget
        assert 1 <= len(kept) <= 3
        assert kept == last[-len(kept) :]
    for name in last:
        threads.forget(name)
    assert threads.bytes == 0


class Talk:
    """Conversations of several turns, each turn's prompt with the reply before and somebody else's
    words."""

    def __init__(self, count: int, turns: int, **sampling: Any) -> None:
        self.turns = turns
        self.sampling = Sampling(max_new_tokens=6, **sampling)
        self.texts = [f"{'seat ' * (i % 5)}Ann {i}:" for i in range(count)]

    def play(
        self, backend: TransformersBackend, *, threads: bool = True, backwards: bool = False
    ) -> list[str]:
        texts, turn = list(self.texts), [0] * len(self.texts)
        open_: dict[int, int] = {}

        def ask(i: int) -> None:
            request = Generate(
                prompt=TextPrompt(text=texts[i]), sampling=self.sampling, seed=100 * i + turn[i]
            )
            open_[backend.submit(replace(request, thread=f"talk/{i}" if threads else ""))] = i

        def take(finished: Finished) -> None:
            i = open_.pop(finished.ticket)
            assert isinstance(finished.completion, Generated)
            texts[i] += (
                f"{finished.completion.text}\nBen: {'I paid more, ' * (i % 3)}{turn[i]}.\nAnn:"
            )
            turn[i] += 1
            if turn[i] < self.turns:
                ask(i)

        for i in range(len(texts))[:: -1 if backwards else 1]:
            ask(i)
        while open_:
            for finished in backend.poll():
                take(finished)
        return texts


def engine(folder: Path, **settings: Any) -> TransformersBackend:
    backend = load_backend(f"hf:{folder}", dtype="float32", device="cpu")
    assert isinstance(backend, TransformersBackend)
    return TransformersBackend(backend.local, spec="hf:tiny", model_id="tiny", **settings)


@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3", "gemma", "gemma2", "mistral"])
def test_threads_over_several_turns_say_what_plain_rereading_says(
    family: str, make_folder: Callable[..., Path]
) -> None:
    folder = make_folder(family)
    talk = Talk(5, 4, temperature=0.0)
    plain = talk.play(engine(folder, batch_size=1), threads=False)
    backend = engine(folder, batch_size=3)
    assert talk.play(backend) == plain
    reread = engine(folder, batch_size=3)
    assert talk.play(reread, threads=False) == plain
    assert backend.meter.prefill_tokens < reread.meter.prefill_tokens / 2


@pytest.mark.parametrize(
    ("batch_size", "cache_bytes", "backwards"),
    [(1, None, False), (3, None, True), (16, None, True), (16, 0, False), (3, 2 * 100 * 256, True)],
)
def test_batch_order_refill_and_eviction_change_no_word(
    llama: Path, batch_size: int, cache_bytes: int | None, backwards: bool
) -> None:
    talk = Talk(12, 4, temperature=0.9, top_k=30, repetition_penalty=1.1)
    expected = talk.play(engine(llama, batch_size=1), threads=False)
    backend = engine(llama, batch_size=batch_size, cache_bytes=cache_bytes)
    assert talk.play(backend, backwards=backwards) == expected
    assert len({text[-60:] for text in expected}) == 12


def test_the_batch_is_filled_up_as_rows_leave(llama: Path, ask: Callable[..., Generate]) -> None:
    backend = engine(llama, batch_size=4)
    for i in range(12):
        backend.submit(ask("Ann:", seed=i, max_new_tokens=2 + 10 * (i % 4 == 3)))
    done = 0
    while found := backend.poll():
        done += len(found)
    assert done == 12
    # 9 rows of at most 2 tokens and 3 of at most 12: no more than two of the long ones follow each
    # other.
    assert backend.meter.passes <= 26


def test_a_turn_reads_only_what_is_new(llama: Path, gather: Callable[..., list[Any]]) -> None:
    backend = engine(llama)
    first = Generate(
        prompt=TextPrompt(text="seat " * 20),
        sampling=Sampling(max_new_tokens=4),
        seed=1,
        thread="t",
    )
    (one,) = gather(backend, [first])
    before = backend.meter.prefill_tokens
    # All of the first prompt is cached, its last token is read again, and of the six more the last
    # goes with the reply.
    longer = replace(first, prompt=TextPrompt(text="seat " * 20 + "?" * 6))
    (two,) = gather(backend, [longer])
    assert backend.meter.prefill_tokens - before <= two.prompt_tokens - one.prompt_tokens
    assert two.prompt_tokens == one.prompt_tokens + 6


def test_conversations_that_begin_alike_read_the_beginning_once(
    llama: Path, gather: Callable[..., list[Any]]
) -> None:
    begin = "seat " * 40
    requests = [
        Generate(
            prompt=TextPrompt(text=begin + "?!,."[i] * 5),
            sampling=Sampling(max_new_tokens=4),
            seed=i,
            thread=f"t/{i}",
        )
        for i in range(4)
    ]
    alone = [gather(engine(llama), [replace(request, thread="")])[0] for request in requests]
    backend = engine(llama)
    (first,) = gather(backend, requests[:1])  # parked when the others come
    others = gather(backend, requests[1:])
    assert [found.text for found in (first, *others)] == [found.text for found in alone]
    # what follows the beginning, and some of it
    own = min(found.prompt_tokens for found in alone) - 40
    assert backend.meter.prefill_tokens <= alone[0].prompt_tokens + 3 * own
    # Under way together: the long prompt of the first is too much for one step, so the others see
    # it read.
    backend = engine(llama)
    wide = [
        replace(request, prompt=TextPrompt(text="seat " * 900 + "?!,."[i]))
        for i, request in enumerate(requests)
    ]
    gather(backend, wide)
    assert backend.meter.prefill_tokens < 2 * 900


def test_scores_are_the_same_from_a_cached_prompt(
    llama: Path, gather: Callable[..., list[Any]]
) -> None:
    backend = engine(llama)
    texts = (" sixty euros", " sixty seats", " a", " the seat is sold", " sixty euros")
    request = Score(prompt=TextPrompt(text="Would you sell it for"), continuations=texts)
    (plain,) = gather(backend, [request])
    threaded = replace(request, thread="judge")
    longer = replace(threaded, prompt=TextPrompt(text="Would you sell it for, I ask, for"))
    (first,) = gather(backend, [threaded])
    (other,) = gather(backend, [longer])
    (fresh,) = gather(backend, [replace(longer, thread="")])
    read = backend.meter.scored_tokens
    (again,) = gather(backend, [threaded])
    assert first.logprobs == plain.logprobs
    assert again.logprobs == pytest.approx(plain.logprobs, abs=1e-5)
    assert other.logprobs == pytest.approx(fresh.logprobs, abs=1e-5)
    assert plain.logprobs[0] == plain.logprobs[4]
    # The shared prompt is read but for its last token, and words that begin alike are read once.
    assert backend.meter.scored_tokens - read <= 1 + sum(plain.lengths[:4]) - 4
