"""The built-in model over several turns: with threads it says what plain transformers says, and it
can be steered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from agents.lm import load_backend
from agents.lm.local.local_model import LocalModel
from agents.lm.local.transformers_backend import TransformersBackend
from simworld.core.requests import ChatPrompt, Encode, Generate, Message, Prefix, Sampling

pytestmark = pytest.mark.model
NEW = 8


@pytest.fixture(scope="module")
def built_in() -> Any:
    backend = load_backend("builtin:smollm2-135m-instruct", dtype="float32", device="cpu")
    yield backend
    backend.close()


def play(said: list[str]) -> ChatPrompt:
    system = Message(role="system", content="Write the next line of the dialogue, nothing else.")
    user = Message(
        role="user",
        content="Ann sells her spare ticket for tonight's concert; Ben wants it for 60 euros.",
    )
    return ChatPrompt(messages=(system, user), reply_start="\n".join([*said, "Ann:"]))


def plain_line(local: LocalModel, prompt: ChatPrompt) -> str:
    given = torch.tensor([local.prompt_tokenizer.encode(prompt)])
    with torch.inference_mode(), local.with_original_attention() as model:
        found = model.generate(
            given,
            attention_mask=torch.ones_like(given),
            do_sample=False,
            max_new_tokens=NEW,
            eos_token_id=sorted(local.end_token_ids),
            pad_token_id=2,
        )
    reply = found[0, given.shape[1] :].tolist()
    return local.prompt_tokenizer.decode_reply(
        given[0].tolist(), [token for token in reply if token not in local.end_token_ids]
    )


def test_three_turns_on_threads_are_those_of_plain_generate(
    built_in: TransformersBackend, gather: Callable[..., list[Any]]
) -> None:
    local = built_in.local
    talks = [["Ben: Hello."], ["Ben: Do you still have it?", "Ann: I do.", "Ben: How much?"]]
    sampling = Sampling(temperature=0.0, max_new_tokens=NEW)
    read = built_in.meter.prefill_tokens
    for turn in range(3):
        prompts = [play(said) for said in talks]
        requests = [
            Generate(prompt=p, sampling=sampling, seed=0, thread=f"talk/{i}")
            for i, p in enumerate(prompts)
        ]
        for said, prompt, done in zip(talks, prompts, gather(built_in, requests), strict=True):
            assert done.text == plain_line(local, prompt)
            said += [
                f"Ann:{done.text.partition(chr(10))[0]}",
                f"Ben: That is too much, I have only {70 - turn} euros.",
            ]
    last = [len(local.prompt_tokenizer.encode(play(said[:-2]))) for said in talks]
    assert built_in.meter.prefill_tokens - read < 1.5 * sum(last)  # a turn reads what is new


def test_its_width_its_embeddings_and_what_a_prefix_does(
    built_in: TransformersBackend, gather: Callable[..., list[Any]]
) -> None:
    assert built_in.info.width == 576
    assert built_in.info.embedding_norm == pytest.approx(3.2, abs=0.1)
    prompt = play(["Ben: Hello."])
    (encoded,) = gather(built_in, [Encode(prompt=prompt, thread="steered")])
    vectors = np.random.default_rng(3).standard_normal((2, 576)).astype(np.float32)
    vectors *= 3.2 / np.linalg.norm(vectors, axis=1, keepdims=True)
    plain = Generate(prompt=prompt, sampling=Sampling(temperature=0.0, max_new_tokens=NEW), seed=0)
    requests = [
        plain,
        *(
            Generate(
                prompt=prompt,
                sampling=plain.sampling,
                seed=0,
                thread="steered" if position == "end" else "",
                prefix=Prefix(position=position, embeddings=vectors),
            )
            for position in ("start", "mid", "end")
        ),
    ]
    said = gather(built_in, requests)
    assert encoded.state.shape == (576,)
    assert len({round(done.logprob, 3) for done in said}) == 4
    assert {done.prompt_tokens for done in said} == {said[0].prompt_tokens}
