from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from agents.lm import load_backend
from agents.lm.local.decoding_batch import DecodingBatch
from agents.lm.local.decoding_row import DecodingRow, new_row
from agents.lm.local.local_model import LocalModel
from agents.lm.local.meter import Meter
from agents.lm.local.prefix_cache import PrefixCache
from agents.lm.local.transformers_backend import TransformersBackend
from simworld.core.errors import Failure
from simworld.core.requests import (
    ChatPrompt,
    Generate,
    Generated,
    Message,
    Sampling,
    Score,
    Scored,
    TextPrompt,
)
from simworld.core.seeding import derive_seed

TEXTS = [
    "Ann",
    "The box office has closed.",
    "Would you sell it for sixty euros? I paid more than that, and",
    "seat " * 20,
]


def replies(local: LocalModel, requests: list[Generate]) -> list[DecodingRow]:
    """The rows of a batch that all requests join at once, at their ends."""
    rows = [
        new_row(i, r, local.prompt_tokenizer.encode(r.prompt), 0.0) for i, r in enumerate(requests)
    ]
    batch = DecodingBatch(
        local, PrefixCache(local.cache_shape, budget_bytes=0, max_threads=0), Meter()
    )
    for row in rows:
        batch.join(row)
    while batch.rows:
        batch.step()
    return rows


def plain_reply(local: LocalModel, ids: list[int], length: int) -> list[int]:
    """What transformers' own greedy `generate` says."""
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
    return [int(token) for token in found[0, len(ids) :]]


@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3", "gemma", "gemma2", "mistral"])
def test_greedy_decoding_equals_plain_generate_token_for_token(
    family: str, make_folder: Callable[..., Path], ask: Callable[..., Generate]
) -> None:
    backend = load_backend(f"hf:{make_folder(family)}", dtype="float32", device="cpu")
    assert isinstance(backend, TransformersBackend)
    local = backend.local
    requests = [
        ask(text, temperature=0.0, max_new_tokens=n)
        for text, n in zip(TEXTS, (24, 3, 17, 24), strict=True)
    ]
    rows = replies(local, requests)
    for row in rows:
        assert row.reply_ids == plain_reply(local, row.input_ids, len(row.uniforms))
    assert len({tuple(row.reply_ids[:3]) for row in rows}) > 1  # the rows do differ


@pytest.mark.parametrize("batch_size", [3, 16])
def test_the_batch_changes_no_row(
    batch_size: int, llama: Path, ask: Callable[..., Generate], gather: Callable[..., list[Any]]
) -> None:
    requests = [
        ask(
            "seat " * (i % 7) + "Ben:",
            seed=i,
            top_k=20 * (i % 2),
            max_new_tokens=5 + i,
            repetition_penalty=1 + i % 3 / 10,
        )
        for i in range(20)
    ]
    alone = gather(
        load_backend(f"hf:{llama}", dtype="float32", device="cpu", batch_size=1), requests
    )
    together = gather(
        load_backend(f"hf:{llama}", dtype="float32", device="cpu", batch_size=batch_size),
        list(reversed(requests)),
    )[::-1]
    for a, b in zip(alone, together, strict=True):
        assert isinstance(a, Generated)
        assert isinstance(b, Generated)
        assert (a.text, a.new_tokens, a.finish) == (b.text, b.new_tokens, b.finish)
        assert a.logprob == pytest.approx(b.logprob, abs=1e-3)
    assert len({c.text for c in alone}) == 20


def test_the_log_probability_is_that_of_the_reply_under_the_model(
    backend: TransformersBackend, ask: Callable[..., Generate], gather: Callable[..., list[Any]]
) -> None:
    local = backend.local
    request = ask("Ann: Let us", temperature=0.7, top_k=5, max_new_tokens=8)
    (row,) = replies(local, [request])
    with torch.inference_mode(), local.with_original_attention() as model:
        logits = model(torch.tensor([row.input_ids + row.reply_ids])).logits[0].log_softmax(-1)
    at = len(row.input_ids) - 1
    expected = sum(float(logits[at + i, token]) for i, token in enumerate(row.reply_ids))
    (done,) = gather(backend, [request])
    assert done.logprob == pytest.approx(expected, abs=1e-3)
    assert done.prompt_tokens == len(row.input_ids)
    assert done.new_tokens == len(row.reply_ids)
    assert done.dtype == "float32"
    assert 0 < done.latency_s < 60


def test_a_reply_ends_before_its_first_stop_string(
    backend: TransformersBackend, ask: Callable[..., Generate], gather: Callable[..., list[Any]]
) -> None:
    (whole,) = gather(backend, [ask("Ann:", seed=5, max_new_tokens=40)])
    stop = whole.text[6:9]
    (cut,) = gather(backend, [ask("Ann:", seed=5, max_new_tokens=40, stop=("never said", stop))])
    assert cut.text == whole.text[: whole.text.find(stop)]
    assert cut.finish == "stop"
    assert cut.new_tokens < whole.new_tokens


def test_a_reply_that_reaches_its_limit_says_length(
    backend: TransformersBackend, ask: Callable[..., Generate], gather: Callable[..., list[Any]]
) -> None:
    done = gather(backend, [ask("Ann:", seed=s, max_new_tokens=3) for s in range(8)])
    assert {c.new_tokens for c in done if c.finish == "length"} == {3}


def test_a_prompt_that_is_too_long_fails_alone(
    backend: TransformersBackend, ask: Callable[..., Generate], gather: Callable[..., list[Any]]
) -> None:
    long = ask("?" * 250, max_new_tokens=7)  # the context is 256, and each sign is a token
    good, bad, edge = gather(backend, [ask("Ann"), long, ask("?" * 249, max_new_tokens=7)])
    assert isinstance(good, Generated)
    assert isinstance(edge, Generated)
    assert bad == Failure(
        boundary="model",
        kind="too-long",
        message="250 prompt tokens and up to 7 new ones do not fit the model's context of 256",
    )


def test_what_a_local_model_cannot_do_fails_alone(
    backend: TransformersBackend, ask: Callable[..., Generate], gather: Callable[..., list[Any]]
) -> None:
    wrong_order = ChatPrompt(messages=(Message(role="assistant", content="Hello."),))
    requests = [
        ask("Ann"),
        Generate(prompt=TextPrompt(text=""), sampling=Sampling(), seed=1),
        Generate(prompt=wrong_order, sampling=Sampling(), seed=1),
        Generate(
            prompt=TextPrompt(text="Ann"),
            sampling=Sampling(),
            seed=1,
            json_schema={"type": "object"},
        ),
        Generate(prompt=TextPrompt(text="Ann"), sampling=Sampling(max_new_tokens=0), seed=1),
        Generate(prompt=TextPrompt(text="half a character: \ud83d"), sampling=Sampling(), seed=1),
    ]
    done = gather(backend, requests)
    assert isinstance(done[0], Generated)
    assert [c.kind for c in done[1:]] == ["prompt", "prompt", "unsupported", "invalid", "error"]


def test_a_batch_that_runs_out_of_memory_is_halved_and_changes_nothing(
    llama: Path,
    ask: Callable[..., Generate],
    gather: Callable[..., list[Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    requests = [ask("seat " * i, seed=i, max_new_tokens=9) for i in range(1, 11)]
    expected = [
        c.text for c in gather(load_backend(f"hf:{llama}", dtype="float32", device="cpu"), requests)
    ]
    backend = load_backend(f"hf:{llama}", dtype="float32", device="cpu")
    assert isinstance(backend, TransformersBackend)
    local = backend.local
    run, sizes = local.model.forward, []

    def small_memory(*args: Any, **kwargs: Any) -> Any:
        sizes.append(len(kwargs["logits_to_keep"]))
        if sizes[-1] > 3 and len(sizes) > 4:  # in the middle of a reply
            raise torch.OutOfMemoryError("out of memory")
        return run(*args, **kwargs)

    monkeypatch.setattr(local.model, "forward", small_memory)
    assert [c.text for c in gather(backend, requests)] == expected
    assert sizes[0] == 10
    assert sizes[-1] <= 3


def test_a_row_for_which_there_is_no_room_fails_alone(
    backend: TransformersBackend,
    ask: Callable[..., Generate],
    gather: Callable[..., list[Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    join = DecodingBatch.join

    def small_room(batch: DecodingBatch, row: DecodingRow) -> None:
        if isinstance(row.request, Generate) and row.request.seed == 3:
            raise torch.OutOfMemoryError("out of memory")
        join(batch, row)

    monkeypatch.setattr(DecodingBatch, "join", small_room)
    done = gather(backend, [ask("seat " * i, seed=i) for i in range(1, 6)])
    assert done[2] == Failure(
        boundary="model", kind="out-of-memory", message="OutOfMemoryError: out of memory"
    )
    assert all(isinstance(c, Generated) for i, c in enumerate(done) if i != 2)


def test_a_row_that_breaks_the_model_fails_alone(
    backend: TransformersBackend,
    ask: Callable[..., Generate],
    gather: Callable[..., list[Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    local = backend.local
    run, poison = local.model.forward, local.prompt_tokenizer.encode(TextPrompt(text="€"))[0]

    def choke(*args: Any, **kwargs: Any) -> Any:
        if bool((kwargs["input_ids"] == poison).any()) and kwargs["input_ids"].shape[1] > 1:
            raise ValueError("bad row\nsecond line")
        return run(*args, **kwargs)

    monkeypatch.setattr(local.model, "forward", choke)
    done = gather(backend, [ask("Ann"), ask("€"), *(ask("seat " * i) for i in range(5, 9))])
    assert [isinstance(c, Failure) for c in done] == [False, True, False, False, False, False]
    assert done[1] == Failure(boundary="model", kind="error", message="ValueError: bad row")


# the last two with a window of 16 tokens
@pytest.mark.parametrize("family", ["llama", "gemma2", "mistral"])
def test_scores_are_the_models_log_probabilities(
    family: str, make_folder: Callable[..., Path], gather: Callable[..., list[Any]]
) -> None:
    backend = load_backend(f"hf:{make_folder(family)}", dtype="float32", device="cpu")
    assert isinstance(backend, TransformersBackend)
    local = backend.local
    texts = (" sixty euros", " a", " the seat is sold, I paid more than that")
    prompt = TextPrompt(
        text=f"{TEXTS[2]} two other people asked before you came. Would you sell it for"
    )
    (scored,) = gather(backend, [Score(prompt=prompt, continuations=texts)])
    assert isinstance(scored, Scored)
    for text, logprob, length in zip(texts, scored.logprobs, scored.lengths, strict=True):
        before = local.prompt_tokenizer.encode(prompt)
        ids = local.prompt_tokenizer.encode(TextPrompt(text=prompt.text + text))
        assert ids[: len(before)] == before  # this tokenizer splits at spaces
        with torch.inference_mode(), local.with_original_attention() as model:
            logits = model(torch.tensor([ids])).logits[0].log_softmax(-1)
        expected = sum(float(logits[i - 1, ids[i]]) for i in range(len(before), len(ids)))
        assert logprob == pytest.approx(expected, abs=1e-4)
        assert length == len(ids) - len(before)
    assert scored.prompt_tokens == len(local.prompt_tokenizer.encode(prompt))


def test_scoring_in_small_chunks_gives_the_same(
    backend: TransformersBackend, gather: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    request = Score(
        prompt=TextPrompt(text="Ann: Let us"),
        continuations=(" meet", " in the middle", " seat" * 9, "x", " a b"),
    )
    (whole,) = gather(backend, [request])
    monkeypatch.setattr("agents.lm.local.scoring.MAX_TREE_TOKENS", 1)
    (parts,) = gather(backend, [request])
    assert whole.logprobs == pytest.approx(parts.logprobs, abs=1e-4)


def test_a_continuation_that_merges_with_the_prompt_scores_the_merged_tokens(
    backend: TransformersBackend, gather: Callable[..., list[Any]]
) -> None:
    renderer = backend.local.prompt_tokenizer
    one, two = renderer.encode(TextPrompt(text="x the")), renderer.encode(TextPrompt(text="x t"))
    assert one[: len(two)] != two  # " the" is one token, so " t" is no prefix of it
    (scored,) = gather(backend, [Score(prompt=TextPrompt(text="x t"), continuations=("he",))])
    shared = 1
    assert scored.lengths == (len(one) - shared,)


def test_scoring_without_continuations_and_with_empty_ones(
    backend: TransformersBackend, gather: Callable[..., list[Any]]
) -> None:
    none, empty = gather(
        backend,
        [
            Score(prompt=TextPrompt(text="Ann"), continuations=()),
            Score(prompt=TextPrompt(text="Ann"), continuations=("",)),
        ],
    )
    assert none.logprobs == ()
    assert empty.kind == "prompt"


def test_poll_returns_when_the_first_rows_are_done_and_takes_new_ones_meanwhile(
    backend: TransformersBackend, ask: Callable[..., Generate]
) -> None:
    long = backend.submit(ask("Ann", temperature=0.0, max_new_tokens=60))
    short = backend.submit(ask("Ann", temperature=0.0, max_new_tokens=2))
    assert [f.ticket for f in backend.poll()] == [short]
    late = backend.submit(ask("Ben", temperature=0.0, max_new_tokens=2))
    rest = [f.ticket for _ in range(2) for f in backend.poll()]
    assert rest == [late, long]
    assert list(backend.poll()) == []


def test_poll_keeps_to_its_time(backend: TransformersBackend, ask: Callable[..., Generate]) -> None:
    backend.submit(ask("Ann", temperature=0.0, max_new_tokens=200))
    assert list(backend.poll(0.0)) == []
    assert len(backend.poll()) == 1


def test_after_close_nothing_is_taken(
    backend: TransformersBackend, ask: Callable[..., Generate]
) -> None:
    backend.submit(ask("Ann"))
    backend.close()
    backend.close()
    with pytest.raises(RuntimeError, match="closed"):
        backend.submit(ask("Ann"))


def test_bfloat16_is_reported(
    llama: Path, ask: Callable[..., Generate], gather: Callable[..., list[Any]]
) -> None:
    backend = load_backend(f"hf:{llama}", dtype="bfloat16", device="cpu")
    (done,) = gather(backend, [ask("Ann")])
    assert (backend.info.dtype, done.dtype) == ("bfloat16", "bfloat16")


WORDS = (
    "winter",
    "ticket",
    "music",
    "river",
    "promise",
    "secret",
    "friend",
    "money",
    "house",
    "garden",
    "letter",
    "bread",
)


@pytest.mark.model
def test_the_built_in_model_says_the_same_alone_and_in_any_batch(
    gather: Callable[..., list[Any]],
) -> None:
    backend = load_backend("builtin:smollm2-135m-instruct", dtype="float32", device="cpu")
    assert isinstance(backend, TransformersBackend)
    assert backend.info.id == "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
    requests = []
    for i in range(16):
        text = " ".join(
            WORDS[derive_seed("word", i, k) % len(WORDS)] for k in range(3 + 5 * (i % 6))
        )
        prompt = ChatPrompt(messages=(Message(role="user", content=text),), reply_start="Ann:")
        requests.append(
            Generate(
                prompt=prompt, sampling=Sampling(top_k=40, max_new_tokens=10), seed=i, stop=("\n",)
            )
        )
    said = {}
    for size in (1, 3, 16):
        sized = TransformersBackend(backend.local, spec="", model_id="", batch_size=size)
        said[size] = [c.text for c in gather(sized, requests)]
    # Rounding at a sampling boundary may change a row; 300 rows outside this test had none
    # (docs/how-to/own-model.md).
    assert sum(a != b for a, b in zip(said[1], said[3], strict=True)) <= 1
    assert sum(a != b for a, b in zip(said[1], said[16], strict=True)) <= 1
    backend.close()


@pytest.mark.model
def test_the_built_in_model_knows_paris(gather: Callable[..., list[Any]]) -> None:
    backend = load_backend("builtin:smollm2-135m-instruct", dtype="float32", device="cpu")
    question = ChatPrompt(
        messages=(Message(role="user", content="What is the capital of France?"),)
    )
    asked, scored = gather(
        backend,
        [
            Generate(
                prompt=question, sampling=Sampling(temperature=0.0, max_new_tokens=12), seed=0
            ),
            Score(
                prompt=TextPrompt(text="The capital of France is"),
                continuations=(" London", " Paris", " Rome"),
            ),
        ],
    )
    assert asked.text == "The capital of France is Paris."
    assert asked.finish == "stop"
    assert max(scored.logprobs) == scored.logprobs[1]
    assert scored.lengths == (1, 1, 1)
    backend.close()
