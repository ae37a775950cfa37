"""Cores, memory and time: what a local model may take, and what it took."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from agents.lm import load_backend
from agents.lm.local import memory
from agents.lm.local.cpu_cores import available_cores
from agents.lm.local.kv_block import CacheShape
from agents.lm.local.memory import free_memory
from agents.lm.local.meter import Meter
from agents.lm.local.prefix_cache import PrefixCache
from simworld.core.errors import ModelError
from simworld.core.profile import ProfilePart
from simworld.core.requests import Generate, Sampling, Score, TextPrompt


@pytest.mark.parametrize(
    ("quota", "cores"),
    [
        ("200000 100000", 2),
        ("250000 100000", 2),
        ("50000 100000", 1),
        ("max 100000", 3),
        ("rubbish", 3),
        (None, 3),
    ],
)
def test_cores_are_those_of_the_affinity_and_the_quota(
    quota: str | None, cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 5})
    if quota is not None:
        (tmp_path / "cpu.max").write_text(f"{quota}\n")
    assert available_cores(tmp_path) == cores


@pytest.mark.parametrize(
    ("limit", "used", "free"),
    [("1000", "400", 600), ("1000", "2000", 0), ("max", "400", 5000), ("9000", "1", 5000)],
)
def test_free_memory_is_within_the_groups_limit(
    limit: str, used: str, free: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "free_system_memory", lambda: 5000)
    assert free_memory(tmp_path) == 5000
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    (tmp_path / "memory.current").write_text(f"{used}\n")
    assert free_memory(tmp_path) == free


def test_threads_are_lowered_to_the_available_cores_and_never_raised(
    llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = torch.get_num_threads()
    try:
        for mine, cores, given, expected in ((2, 1, None, 1), (1, 2, None, 1), (2, 1, 2, 2)):
            torch.set_num_threads(mine)
            monkeypatch.setattr(
                "agents.lm.local.local_model.available_cores", lambda cores=cores: cores
            )
            load_backend(f"hf:{llama}", dtype="float32", device="cpu", cpu_threads=given).close()
            assert torch.get_num_threads() == expected
    finally:
        torch.set_num_threads(before)


def test_no_memory_at_all_is_refused(llama: Path) -> None:
    with pytest.raises(ModelError, match="cache_bytes is 0"):
        load_backend(f"hf:{llama}", cache_bytes=0)


def test_the_time_of_a_pass_is_shared_out_by_tokens() -> None:
    meter = Meter()
    meter.add_pass(0.0, 3.0, decoded_tokens=8, prefill_tokens=0)
    meter.add_pass(5.0, 9.0, decoded_tokens=10, prefill_tokens=30)  # 3 of 4 seconds
    meter.add_time("sample", 9.0, 9.5)
    meter.add_time("finish", 9.5, 10.0)
    found = {name: part for name, part in meter.profile_parts().items() if part.seconds}
    assert found == {
        "prefill": ProfilePart(seconds=3.0, tokens=30),
        "decode": ProfilePart(seconds=4.0, tokens=18),
        "sampling": ProfilePart(seconds=0.5, tokens=18),
    }
    assert meter.passes == 2


def test_every_kind_of_work_is_accounted_for(
    backend: Any, gather: Callable[..., list[Any]]
) -> None:
    prompt = TextPrompt(text="Would you sell it for sixty euros? Ann:")
    requests = [
        Generate(prompt=prompt, sampling=Sampling(max_new_tokens=5), seed=seed, thread=str(seed))
        for seed in (1, 2)
    ]
    replies = gather(
        backend, [*requests, Score(prompt=prompt, continuations=(" seat", " sixty euros"))]
    )
    spent = backend.parts_spent()
    length = replies[0].prompt_tokens
    assert spent["decode"].tokens == sum(reply.new_tokens for reply in replies[:2])
    # the last one of each prompt goes with the first step
    assert spent["prefill"].tokens == 2 * (length - 1)
    assert spent["tokenising"].tokens == 3 * length + sum(replies[2].lengths)
    assert spent["judging"].tokens >= length
    assert all(part.seconds > 0 for part in spent.values())


def test_the_share_of_a_thread_covers_what_it_may_be_given_to_grow_into() -> None:
    shape = CacheShape(
        layers=2, kv_heads=2, head_size=8, dtype=torch.float32, device=torch.device("cpu")
    )
    threads = PrefixCache(shape, budget_bytes=100 * 64 * shape.token_bytes, max_threads=50)
    assert (
        threads.memory_share(32) == 1 / 50
    )  # 64 tokens are a hundredth, but there may be 50 threads
    assert threads.memory_share(100) == 4 / 100  # 200 tokens, in blocks of 64
    assert threads.memory_share(1000) == 20 / 100  # 1256 tokens
    assert PrefixCache(shape, budget_bytes=0, max_threads=50).memory_share(1) == float("inf")
    for tokens in (60, 70, 300, 301, 1000):  # as a conversation grows
        threads.open_thread("a", [], tokens)
        assert threads.bytes <= threads.memory_share(tokens) * threads.budget_bytes
