"""What the throughput bench compares with: plain transformers on the same requests, and the
processor's own limits."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional as F

from agents.lm.local.attention import PackedPass, PrefillSpan
from agents.lm.local.local_model import LocalModel
from agents.lm.local.packed_weights import unpacked
from agents.lm.local.transformers_backend import TransformersBackend
from simworld.core.requests import Prompt, Score, TextPrompt

QUESTIONS = [
    f"Question: how well did {who} do as to {what}? Answer:"
    for who in ("Ann", "Ben")
    for what in "abcdefg"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request as it was answered."""

    episode: str
    turn: int  # the how-manieth request of its episode
    prompt: Prompt
    prompt_tokens: int
    new_tokens: int


def one_by_one(local: LocalModel, calls: Sequence[Call]) -> float:
    """Seconds that plain `generate` takes for the calls, one after the other, each prompt read from
    its start."""
    start = time.perf_counter()
    for call in calls:
        _generate(local, [local.prompt_tokenizer.encode(call.prompt)], max(1, call.new_tokens))
    return time.perf_counter() - start


def batched(local: LocalModel, calls: Sequence[Call]) -> float:
    """Seconds that plain `generate` takes for the calls as one padded batch, run to the end of the
    longest reply."""
    start = time.perf_counter()
    _generate(
        local,
        [local.prompt_tokenizer.encode(call.prompt) for call in calls],
        max(1, *(call.new_tokens for call in calls)),
    )
    return time.perf_counter() - start


def _generate(local: LocalModel, prompts: Sequence[list[int]], length: int) -> None:
    width = max(map(len, prompts))
    ids = torch.tensor([[0] * (width - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    sampling: dict[str, Any] = {
        "do_sample": True,
        "temperature": 0.5,
        "top_k": 40,
        "repetition_penalty": 1.15,
    }
    with (
        torch.inference_mode(),
        unpacked(local.model),
        local.with_original_attention() as model,
    ):
        model.generate(
            ids,
            attention_mask=mask,
            min_new_tokens=length,
            max_new_tokens=length,
            pad_token_id=0,
            **sampling,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the machine can do, measured piece by piece."""

    # one decoding step: products with all weights, vocabulary head, attention over the mean cache
    step_s: float
    # reading one prompt token with the whole model, at the best rate that any way reached
    prompt_token_s: float
    products_s: float  # of that, the products with the weights alone

    def bound_s(self, read: int, passes: int) -> float:
        """Seconds that a run with so many prompt tokens and steps takes at least."""
        return read * self.prompt_token_s + passes * self.step_s


def limits(local: LocalModel, prompt: Sequence[int], *, rows: int, cached: int) -> Limits:
    """Times the pieces of a run, each alone, with the fastest of torch's kernels.

    Args:
        local: the model.
        prompt: token ids to read, 512 or more.
        rows: in a decoding step.
        cached: tokens in the cache of each row.
    """
    layers = [m for m in local.model.modules() if isinstance(m, torch.nn.Linear)]
    inner = [layer for layer in layers if layer is not local.model.get_output_embeddings()]
    return Limits(
        step_s=_products_s(local, layers, rows) + _attention_s(local, rows, cached),
        prompt_token_s=min(_prompt_s(local, prompt[:n]) / n for n in (128, 256, 512)),
        products_s=min(_products_s(local, inner, n) / n for n in (128, 512)),
    )


def _products_s(local: LocalModel, layers: Sequence[Any], rows: int) -> float:
    """The layers' own way, packed weights where the model has them, or plain weights."""
    given = {
        n: torch.ones(rows, n, dtype=local.cache_shape.dtype)
        for n in {layer.in_features for layer in layers}
    }
    own = _best(lambda: [layer(given[layer.in_features]) for layer in layers])
    return min(
        own, _best(lambda: [F.linear(given[layer.in_features], layer.weight) for layer in layers])
    )


def _prompt_s(local: LocalModel, ids: Sequence[int]) -> float:
    """Reading a prompt from its start: transformers' own forward or ours."""
    kv = local.cache_shape.zeros(tokens=len(ids))
    ours = _best(
        lambda: local.forward(
            ids, PackedPass((), [PrefillSpan(kv, 0, len(ids))], local.device), [len(ids) - 1]
        ),
        3,
    )
    with local.with_original_attention() as model:
        plain = _best(
            lambda: model(input_ids=torch.tensor([list(ids)]), logits_to_keep=1, use_cache=False), 3
        )
    return min(ours, plain)


def _attention_s(local: LocalModel, rows: int, cached: int) -> float:
    shape = local.cache_shape
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


def _best(call: Callable[[], object], repeats: int = 5) -> float:
    """Seconds of the median run, after one to warm up."""
    seconds = []
    with torch.inference_mode():
        call()
        for _ in range(repeats):
            start = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - start)
    return sorted(seconds)[repeats // 2]


def judging(
    local: LocalModel, backend: TransformersBackend, text: str, name: str
) -> tuple[float, float]:
    """Seconds for 14 answers after one transcript of 1,000 tokens: on a thread, and by separate
    calls of the plain model."""
    ids = local.prompt_tokenizer.encode(TextPrompt(text=text))[:1000]
    transcript = local.prompt_tokenizer.decode_reply([], ids)
    digits = tuple(f" {digit}" for digit in range(10))
    start = time.perf_counter()
    for question in QUESTIONS:
        backend.submit(
            Score(
                prompt=TextPrompt(text=f"{transcript}\n\n{question}"),
                continuations=digits,
                thread=name,
            )
        )
    while backend.poll():
        pass
    ours = time.perf_counter() - start
    start = time.perf_counter()
    with (
        torch.inference_mode(),
        unpacked(local.model),
        local.with_original_attention() as model,
    ):
        for question in QUESTIONS:
            given = local.prompt_tokenizer.encode(TextPrompt(text=f"{transcript}\n\n{question}"))
            model(
                input_ids=torch.tensor([given]), logits_to_keep=1, use_cache=False
            ).logits.float().log_softmax(-1)
    return ours, time.perf_counter() - start
