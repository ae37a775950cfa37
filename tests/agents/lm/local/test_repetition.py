"""The repetition penalty falls on the dialogue, not on the instructions before it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from agents.lm import load_backend
from agents.lm.local.local_model import load_local_model
from agents.lm.local.weights import hf_weights
from simworld.core.requests import ChatPrompt, Generate, Generated, Message, Sampling

PENALTY = 5.0
TOKENS = 16


@pytest.mark.parametrize("reply_start", ["", "seat ticket Ann: seat"])
def test_penalised_greedy_decoding_equals_a_plain_loop(
    reply_start: str, llama: Path, gather: Callable[..., list[Any]]
) -> None:
    prompt = ChatPrompt(
        messages=(Message(role="user", content="Sell the ticket for sixty euros."),),
        reply_start=reply_start,
    )
    local = load_local_model(
        hf_weights(str(llama)), dtype="float32", device="cpu", cpu_threads=None
    )
    ids = local.prompt_tokenizer.encode(prompt)
    head = local.prompt_tokenizer.encode(ChatPrompt(messages=prompt.messages))
    plain = AutoModelForCausalLM.from_pretrained(llama, dtype=torch.float32).eval()
    seen = list(ids[len(head) :]) if reply_start else list(ids)
    reply: list[int] = []
    logprob = 0.0
    while len(reply) < TOKENS:
        with torch.inference_mode():
            logits = plain(input_ids=torch.tensor([ids + reply])).logits[0, -1].double()
        penalised = logits.clone()
        for token in set(seen + reply):
            penalised[token] = (
                logits[token] / PENALTY if logits[token] > 0 else logits[token] * PENALTY
            )
        reply.append(int(penalised.argmax()))
        logprob += float(logits.log_softmax(-1)[reply[-1]])
        if reply[-1] in local.end_token_ids:
            break
    request = Generate(
        prompt=prompt,
        sampling=Sampling(temperature=0.0, repetition_penalty=PENALTY, max_new_tokens=TOKENS),
        seed=0,
    )
    (done,) = gather(load_backend(f"hf:{llama}", dtype="float32", device="cpu"), [request])
    assert isinstance(done, Generated)
    assert done.new_tokens == len(reply)
    assert done.logprob == pytest.approx(logprob, abs=1e-3)
