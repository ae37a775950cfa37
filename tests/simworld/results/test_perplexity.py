"""The perplexity of replies, by hand."""

from __future__ import annotations

import math

import pytest

from simworld.core.errors import Failure
from simworld.core.requests import Completion, Request, Score, Scored, TextPrompt
from simworld.results.perplexity import perplexity
from simworld.testing import FakeBackend
from tests.factories.losing_backend import LosingBackend


def requests(*texts: str) -> list[Score]:
    return [Score(prompt=TextPrompt(text="A:"), continuations=(text,)) for text in texts]


def answer(request: Request) -> Completion:
    """Each word costs two nats, but for what cannot be scored."""
    assert isinstance(request, Score)
    (text,) = request.continuations
    if text == "long":
        return Failure(boundary="model", kind="too-long", message="9,000 tokens")
    words = len(text.split())
    logprob = -math.inf if text == "odd" else -2.0 * words
    return Scored(logprobs=(logprob,), lengths=(words,), prompt_tokens=1, latency_s=0.0)


def test_the_mean_is_over_all_tokens_and_bad_replies_fail_alone() -> None:
    found = perplexity(requests("one", "long", "two words", "odd"), FakeBackend(answer))
    assert found == pytest.approx(math.exp(2.0))


def test_nothing_scored_is_no_perplexity() -> None:
    assert perplexity([], FakeBackend(answer)) is None


def test_lost_requests_end_without_a_perplexity() -> None:
    backend = LosingBackend("builtin:m")
    assert perplexity(requests(*(f"reply {i}" for i in range(40))), backend) is None
    assert len(backend.requests) == 40
