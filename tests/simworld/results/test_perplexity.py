"""The perplexity of replies, by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from simworld.core.errors import Failure
from simworld.core.requests import Completion, Request, Score, Scored, TextPrompt
from simworld.results.perplexity import (
    Surprise,
    perplexity_ratio,
    read_surprise,
    reply_requests,
    seats_to_read,
)
from simworld.testing import FakeBackend
from store import Store
from tests.factories import played_episodes
from tests.factories.losing_backend import LosingBackend


def requests(*texts: str) -> list[tuple[str, Score]]:
    return [
        (f"family {number % 2}", Score(prompt=TextPrompt(text="A:"), continuations=(text,)))
        for number, text in enumerate(texts)
    ]


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
    found = read_surprise(requests("one", "long", "two words", "odd"), FakeBackend(answer))
    assert found.sums == {"family 0": (6.0, 3, 2)}
    assert found.perplexity == pytest.approx(math.exp(2.0))


def test_nothing_scored_is_no_perplexity() -> None:
    assert read_surprise([], FakeBackend(answer)).perplexity is None


def test_lost_requests_end_without_a_perplexity() -> None:
    backend = LosingBackend("builtin:m")
    lost = read_surprise(requests(*(f"reply {i}" for i in range(40))), backend)
    assert lost.perplexity is None
    assert len(backend.requests) == 40


def test_a_ratio_and_how_sure_it_is() -> None:
    """Two nats a token against one in every family: e, whatever families are drawn. Where families
    differ, the ends are those of drawing one family alone.
    """
    one = Surprise(sums={f"f{n}": (10.0, 10, 2) for n in range(30)})
    two = Surprise(sums={f"f{n}": (8.0, 4, 1) for n in range(30)})
    ratio = perplexity_ratio(two, one)
    assert ratio is not None
    assert ratio.mean == pytest.approx(math.e)
    assert [ratio.low, ratio.high] == pytest.approx([math.e, math.e])
    assert (ratio.n, ratio.families) == (30, 30)
    mixed = Surprise(sums={"f0": (10.0, 10, 2), "f1": (30.0, 10, 2)})
    flat = Surprise(sums={"f0": (10.0, 10, 2), "f1": (10.0, 10, 2)})
    ratio = perplexity_ratio(mixed, flat)
    assert ratio is not None
    assert ratio.mean == pytest.approx(math.e)  # (2 - 1) nats
    assert [ratio.low, ratio.high] == pytest.approx([1.0, math.exp(2)])
    assert perplexity_ratio(mixed, Surprise(sums={})) is None


def test_an_instruction_that_was_added_is_not_read(store: Store) -> None:
    """So the language of an agent that was told more is measured as that of the others."""
    lines = (" Hello, it is 5.", " No, Ann. I pay 3.", " Then 4.", " Fine, four it is")
    scenario = played_episodes.scene("chair")
    plain, record = played_episodes.agent("m1")
    template = plain.template.model_copy(update={"addition": "Be kind."})
    told = replace(plain, template=template)
    told_record = replace(record, spec={**record.spec, "prompt": template.model_dump(mode="json")})
    expected = played_episodes.play_lines(plain, scenario, lines).prompts
    played = played_episodes.play_lines(told, scenario, lines)
    assert all(one.messages[-1].content.endswith("\nBe kind.") for one in played.prompts)
    played_episodes.add(store, played, scenario, told_record)
    (stored,) = store.episodes()
    found = [
        request
        for seat in ("seller", "buyer")
        for _, request in reply_requests(store, [(stored, seat)], "m1")
    ]
    assert [request.prompt for request in found] == [*expected[::2], *expected[1::2]]
    assert [request.continuations for request in found] == [
        (line,) for line in (*lines[::2], *lines[1::2])
    ]
    assert len({request.thread for request in found}) == 2  # one for each seat


def test_whole_seats_are_read_as_few_as_hold_the_replies(store: Store) -> None:
    """Two replies a seat: for three, two seats of the four, the first and the third."""
    agent, record = played_episodes.agent("m1")
    lines = (" Hello, it is 5.", " No, Ann. I pay 3.", " Then 4.", " Fine, four it is")
    for family in ("chair", "table"):
        scenario = played_episodes.scene(family)
        played = played_episodes.play_lines(agent, scenario, lines)
        played_episodes.add(store, played, scenario, record)
    seats = [(stored, seat) for stored in store.episodes() for seat in ("seller", "buyer")]
    assert seats_to_read(seats, "m1", 3) == [seats[0], seats[2]]
    assert seats_to_read(seats, "m1", 2) == [seats[0]]
    assert list(seats_to_read(seats, "m1", 100)) == seats
    assert list(seats_to_read(seats, "another model", 3)) == seats  # none of its replies
    assert seats_to_read([], "m1", 3) == []
