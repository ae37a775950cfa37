"""What the throughput bench compares with: plain transformers on the same requests, and the processor's own limits."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from agents.models.local_model import LocalModel
from agents.models.transformers_backend import TransformersBackend
from simworld.core.requests import Prompt, Score, TextPrompt

QUESTIONS = [f"Question: how well did {who} do as to {what}? Answer:" for who in ("Ann", "Ben") for what in "abcdefg"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request as it was answered."""

    episode: str
    turn: int  # the how-manieth request of its episode
    prompt: Prompt
    prompt_tokens: int
    new_tokens: int


def one_by_one(local: LocalModel, calls: Sequence[Call]) -> float:
    """Seconds that plain `generate` takes for the calls, one after the other, each prompt read from its start."""
    start = time.perf_counter()
    for call in calls:
        _generate(local, [local.renderer.ids(call.prompt)], max(1, call.new_tokens))
    return time.perf_counter() - start


def batched(local: LocalModel, calls: Sequence[Call]) -> float:
    """Seconds that plain `generate` takes for the calls as one padded batch, run to the end of the longest reply."""
    start = time.perf_counter()
    _generate(local, [local.renderer.ids(call.prompt) for call in calls], max(1, *(call.new_tokens for call in calls)))
    return time.perf_counter() - start


def _generate(local: LocalModel, prompts: Sequence[list[int]], length: int) -> None:
    width = max(map(len, prompts))
    ids = torch.tensor([[0] * (width - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    sampling: dict[str, Any] = {"do_sample": True, "temperature": 0.5, "top_k": 40, "repetition_penalty": 1.15}
    with torch.inference_mode(), local.plain() as model:
        model.generate(
            ids, attention_mask=mask, min_new_tokens=length, max_new_tokens=length, pad_token_id=0, **sampling
        )


def bound_s(local: LocalModel, *, read: int, decoded: int, passes: int, cached: float) -> float:
    """Seconds that the arithmetic alone would take: prompt tokens at the best rate, and decoding steps of the mean batch.

    Args:
        local: the model whose weights are multiplied.
        read: prompt tokens that went through the model.
        decoded: tokens decoded, one per row and step.
        passes: steps.
        cached: mean tokens in a row's cache.
    """
    rows = max(1, round(decoded / passes))
    layers = [m for m in local.model.modules() if isinstance(m, torch.nn.Linear)]
    head = local.model.get_output_embeddings()
    inner = [layer for layer in layers if layer is not head]
    step = _best(lambda: _products(local, [*inner, head], rows)) + _attention_s(local, rows, max(1, round(cached)))
    rate = min(_best(lambda n=n: _products(local, inner, n)) / n for n in (128, 512, 1024))  # type: ignore[misc]
    return read * rate + passes * step


def _products(local: LocalModel, layers: Sequence[Any], rows: int) -> None:
    given: dict[int, Tensor] = {}
    for layer in layers:
        if layer.in_features not in given:
            given[layer.in_features] = torch.ones(rows, layer.in_features, dtype=local.shape.dtype)
        F.linear(given[layer.in_features], layer.weight)


def _attention_s(local: LocalModel, rows: int, cached: int) -> float:
    shape = local.shape
    groups = local.model.config.get_text_config().num_attention_heads // shape.kv_heads
    layers = min(shape.layers, 8)  # more than a processor's own caches hold
    kv = torch.randn(layers, 2, rows * shape.kv_heads, cached, shape.head_size).to(shape.dtype)
    query = torch.randn(rows * shape.kv_heads, groups, shape.head_size).to(shape.dtype)

    def fused() -> None:
        for k, v in kv:
            F.scaled_dot_product_attention(query[None], k[None], v[None])

    def products() -> None:
        for k, v in kv:
            torch.bmm(torch.bmm(query, k.transpose(1, 2)).softmax(-1), v)

    def keys_first() -> None:
        for k, v in kv:
            torch.bmm(torch.bmm(k, query.transpose(1, 2)).transpose(1, 2).softmax(-1), v)

    return min(_best(fused), _best(products), _best(keys_first)) * shape.layers / layers


def _best(work: Callable[[], None], times: int = 5) -> float:
    """Seconds of the median run, after one to warm up."""
    found = []
    with torch.inference_mode():
        work()
        for _ in range(times):
            start = time.perf_counter()
            work()
            found.append(time.perf_counter() - start)
    return sorted(found)[times // 2]


def judging(local: LocalModel, backend: TransformersBackend, text: str, name: str) -> tuple[float, float]:
    """Seconds for 14 answers after one transcript of 1,000 tokens: on a thread, and by separate calls of the plain model."""
    ids = local.renderer.ids(TextPrompt(text=text))[:1000]
    transcript = local.renderer.reply_text([], ids)
    digits = tuple(f" {digit}" for digit in range(10))
    start = time.perf_counter()
    for question in QUESTIONS:
        backend.submit(Score(prompt=TextPrompt(text=f"{transcript}\n\n{question}"), continuations=digits, thread=name))
    while backend.poll():
        pass
    ours = time.perf_counter() - start
    start = time.perf_counter()
    with torch.inference_mode(), local.plain() as model:
        for question in QUESTIONS:
            given = local.renderer.ids(TextPrompt(text=f"{transcript}\n\n{question}"))
            model(input_ids=torch.tensor([given]), logits_to_keep=1, use_cache=False).logits.float().log_softmax(-1)
    return ours, time.perf_counter() - start
