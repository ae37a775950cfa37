"""Likelihoods of continuations whose prompts differ, in one go."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents.lm import load_backend
from agents.lm.local import transformers_backend
from agents.lm.local.meter import Meter
from agents.lm.local.prefix_cache import PrefixCache
from agents.lm.local.scoring import score_continuations
from agents.lm.local.transformers_backend import TransformersBackend
from simworld.core.errors import Failure
from simworld.core.requests import Score, Scored, TextPrompt

TALK = "Ann: Let us meet in the middle. Ben: Only if you tell me where the seat is. "
ASKED = {
    "Ann won:": (" yes", " no"),
    "Ben was polite:": (" yes", " never", " no"),
    "": ("The", "seat is sold"),
}


def test_prompts_that_begin_alike_are_scored_as_each_by_itself(llama: Path) -> None:
    backend = load_backend(f"hf:{llama}", dtype="float32", device="cpu")
    assert isinstance(backend, TransformersBackend)
    local = backend.local
    parts = [
        local.prompt_tokenizer.tokenise_continuations(TextPrompt(text=TALK + end), texts)
        for end, texts in ASKED.items()
    ]
    threads, alone, together = (
        PrefixCache(local.cache_shape, budget_bytes=10**8, max_threads=9),
        Meter(),
        Meter(),
    )
    expected = [
        value for each in parts for value in score_continuations(local, threads, alone, "", each)
    ]
    found = score_continuations(
        local, threads, together, "t", [part for each in parts for part in each]
    )
    assert found == pytest.approx(expected, abs=1e-4)
    assert len({round(value, 3) for value in found}) == 7
    thread = threads.get("t")
    assert thread is not None
    assert thread.ids == local.prompt_tokenizer.encode(TextPrompt(text=TALK))[: len(thread.ids)]
    # the talk is read once and not three times
    assert together.scored_tokens <= alone.scored_tokens - 2 * (len(thread.ids) - 1)
    again = Meter()
    assert score_continuations(local, threads, again, "t", parts[0]) == pytest.approx(
        expected[:2], abs=1e-4
    )
    assert again.scored_tokens < 16  # the talk itself is not read again
    backend.close()


def test_scorings_of_a_thread_share_a_pass_and_fail_alone(llama: Path) -> None:
    backend = load_backend(f"hf:{llama}", dtype="float32", device="cpu")
    assert isinstance(backend, TransformersBackend)
    asked = [
        Score(prompt=TextPrompt(text=TALK + end), continuations=texts)
        for end, texts in ASKED.items()
    ]
    alone = []
    for request in asked:
        backend.submit(request)
        (done,) = backend.poll()
        assert isinstance(done.completion, Scored)
        alone.append(done.completion)
    read = backend.meter.scored_tokens
    wrong = Score(prompt=TextPrompt(text=TALK), continuations=("",), thread="t")
    tickets = [backend.submit(replace(request, thread="t")) for request in asked[:2]]
    tickets += [backend.submit(wrong), backend.submit(replace(asked[2], thread="t"))]
    found = {done.ticket: done.completion for done in backend.poll()}
    assert sorted(found) == sorted(tickets)
    refused = found.pop(tickets[2])
    assert isinstance(refused, Failure)
    assert refused.kind == "prompt"
    for ticket, expected in zip([tickets[0], tickets[1], tickets[3]], alone, strict=True):
        got = found[ticket]
        assert isinstance(got, Scored)
        assert got.logprobs == pytest.approx(expected.logprobs, abs=1e-4)
        assert (got.lengths, got.prompt_tokens) == (expected.lengths, expected.prompt_tokens)
    talk = len(backend.local.prompt_tokenizer.encode(TextPrompt(text=TALK)))
    assert backend.meter.scored_tokens - read < read - talk
    backend.close()


def test_a_pass_that_breaks_is_tried_one_by_one(
    llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = load_backend(f"hf:{llama}", dtype="float32", device="cpu")
    assert isinstance(backend, TransformersBackend)

    def breaks(*given: Any) -> list[float]:
        if len(given[-1]) > 2:
            raise MemoryError("too much at once")
        return score_continuations(*given)

    monkeypatch.setattr(transformers_backend, "score_continuations", breaks)
    for end, texts in ASKED.items():
        backend.submit(Score(prompt=TextPrompt(text=TALK + end), continuations=texts, thread="t"))
    kinds = [
        type(done.completion).__name__
        for done in sorted(backend.poll(), key=lambda done: done.ticket)
    ]
    assert kinds == ["Scored", "Failure", "Scored"]  # the second alone has three continuations
    backend.close()
