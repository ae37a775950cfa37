"""Many pieces of work at once over some backends."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import pytest

from simworld.core.errors import Failure
from simworld.core.judgement import Verdict
from simworld.core.protocols import Backend, JudgementGenerator
from simworld.core.requests import Completion, Finished, Request, Score, Scored, TextPrompt
from simworld.driver import Piece, RoutedRequest, drive, drive_on_backend
from simworld.testing import FakeBackend
from tests.factories.judging import AnsweringBackend, scored_reply
from tests.factories.losing_backend import LosingBackend


def judging(*prompts: str) -> JudgementGenerator:
    """Asks each prompt and returns the sum of what it got."""
    total = 0.0
    for prompt in prompts:
        completion = yield Score(prompt=TextPrompt(text=prompt), continuations=("x",))
        if isinstance(completion, Failure):
            return completion
        assert isinstance(completion, Scored)
        total += completion.logprobs[0]
    return (Verdict(seat="a", dimension="d", score=total),)


def length(request: Request) -> Completion:
    assert isinstance(request, Score)
    assert isinstance(request.prompt, TextPrompt)
    if request.prompt.text == "bad":
        return Failure(boundary="model", kind="too-long", message="")
    return scored_reply(request, lambda prompt, c: float(len(prompt)))


def test_each_judgement_gets_its_own_answers_and_a_bad_one_fails_alone() -> None:
    backend = AnsweringBackend(length)
    prompts: list[tuple[str, ...]] = [("a", "bb"), ("bad", "a"), ("ccc",), ()]
    ended = {
        j.key: j.outcome for j in drive_on_backend(((p, judging(*p)) for p in prompts), backend)
    }
    assert isinstance(ended.pop(("bad", "a")), Failure)
    scores = {
        key: outcome[0].score for key, outcome in ended.items() if not isinstance(outcome, Failure)
    }
    assert scores == {("a", "bb"): 3.0, ("ccc",): 3.0, (): 0.0}


def test_at_most_live_judgements_are_begun() -> None:
    backend = AnsweringBackend(length)
    begun = ended = most = 0

    def many() -> Iterator[tuple[int, JudgementGenerator]]:
        nonlocal begun, most
        for i in range(50):
            begun += 1
            most = max(most, begun - ended)
            yield i, judging("a" * (i + 1), "b" * (i + 1))

    for _ in drive_on_backend(many(), backend, max_live=4):
        ended += 1
    assert ended == 50
    assert backend.most_open <= 4
    assert most <= 5


def test_equal_scores_are_asked_once_and_cost_once() -> None:
    backend = AnsweringBackend(length)
    ended = list(
        drive_on_backend(((i, judging("same", "same too")) for i in range(10)), backend, max_live=4)
    )
    assert [
        r.prompt.text
        for r in backend.asked
        if isinstance(r, Score) and isinstance(r.prompt, TextPrompt)
    ] == [
        "same",
        "same too",
    ]
    assert sum(j.usage.prompt_tokens for j in ended) == 20
    assert all(not isinstance(j.outcome, Failure) and j.outcome[0].score == 12.0 for j in ended)


def test_a_failure_is_not_kept() -> None:
    backend = AnsweringBackend(length)
    list(drive_on_backend(((i, judging("bad")) for i in range(3)), backend, max_live=1))
    assert len(backend.asked) == 3


def score_of(text: str) -> Score:
    return Score(prompt=TextPrompt(text=text), continuations=("x",))


def asks(*models: str, rounds: int = 1) -> Piece[list[str]]:
    """Asks all models at the same time, so many times; returns who answered, or what failed."""
    heard: list[str] = []
    for i in range(rounds):
        requests = [
            RoutedRequest(model=model, request=score_of(f"{model} {i}"), label=f"{model}/{i}")
            for model in models
        ]
        for _ in models:
            answer = yield requests
            completion, requests = answer.completion, []
            text = str(completion) if isinstance(completion, Exception) else answer.routed.label
            heard.append(completion.message if isinstance(completion, Failure) else text)
    return heard


def test_requests_go_to_their_backends_and_answers_say_which() -> None:
    backends = {"a": FakeBackend(), "b": FakeBackend()}
    ended = {
        e.key: e.outcome for e in drive([(1, asks("a", "b", rounds=2)), (2, asks("b"))], backends)
    }
    assert sorted(ended[1][:2]) == ["a/0", "b/0"]
    assert sorted(ended[1][2:]) == ["a/1", "b/1"]
    assert ended[2] == ["b/0"]
    assert (len(backends["a"].requests), len(backends["b"].requests)) == (2, 3)


def test_a_lost_request_ends_with_a_failure_that_names_the_backend() -> None:
    backends: dict[str, Backend] = {"lost": LosingBackend(), "good": FakeBackend()}
    pieces = [(1, asks("lost", "good")), (2, asks("lost")), (3, asks("good", rounds=3))]
    ended = {e.key: e.outcome for e in drive(pieces, backends)}
    lost = "lost never answered the request"
    assert sorted(ended[1]) == ["good/0", lost]
    assert ended[2] == [lost]
    assert ended[3] == ["good/0", "good/1", "good/2"]


def test_two_backends_that_lose_requests_do_not_wait_for_each_other() -> None:
    backends = {"one": LosingBackend(), "two": LosingBackend()}
    (ended,) = drive([(1, asks("one", "two", rounds=2))], backends)
    assert sorted(ended.outcome) == [
        *["one never answered the request"] * 2,
        *["two never answered the request"] * 2,
    ]


def test_a_lost_request_fails_a_judgement() -> None:
    (ended,) = drive_on_backend([("j", judging("a", "b"))], LosingBackend("openai:m@u"))
    assert ended.outcome == Failure(
        boundary="model", kind="lost", message="openai:m@u never answered the request"
    )


class Refuses(FakeBackend):
    """Takes no request whose prompt is `bad`."""

    def submit(self, request: Request) -> int:
        if isinstance(request, Score) and request.prompt == TextPrompt(text="bad 0"):
            raise ValueError("not this one")
        return super().submit(request)


def test_what_a_backend_does_not_take_is_told_to_the_piece_that_asked() -> None:
    backends = {"good": Refuses(), "bad": Refuses()}
    (ended,) = drive([(1, asks("good", "bad"))], backends)
    assert sorted(ended.outcome) == ["good/0", "not this one"]
    with pytest.raises(ValueError, match="not this one"):
        list(drive_on_backend([(1, judging("good")), (2, judging("bad 0"))], Refuses()))


class Clock:
    """Time that passes where somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Busy(FakeBackend):
    """Needs its time: each poll takes as long as it may, or a second."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(delay=lambda request: 3)
        self.clock = clock

    def poll(self, wait_s: float | None = None) -> Sequence[Finished]:
        self.clock.now += 1.0 if wait_s is None else wait_s
        return super().poll(wait_s)


def test_backends_take_turns_and_the_time_of_each_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, waited = Clock(), dict[str, float]()
    monkeypatch.setattr(time, "perf_counter", clock)
    pieces = [("slow", asks("slow", rounds=2)), ("quick", asks("quick", rounds=2))]
    backends = {"slow": Busy(clock), "quick": FakeBackend()}
    ended = [e.key for e in drive(pieces, backends, backend_seconds=waited)]
    # Two short waits while the quick one has work; then one that ends with the first answer, and
    # one for the second.
    assert ended == ["quick", "slow"]
    assert waited == {"slow": pytest.approx(2 * 0.02 + 2 * 1.0), "quick": 0.0}


def test_a_piece_begins_only_where_it_fits() -> None:
    under_way: list[int] = []
    most = 0

    def piece(i: int) -> Piece[int]:
        nonlocal most
        under_way.append(i)
        most = max(most, len(under_way))
        yield [RoutedRequest(model="m", request=score_of(str(i)))]
        under_way.remove(i)
        return i

    pieces = ((i, piece(i)) for i in range(6))
    ended = drive(pieces, {"m": FakeBackend()}, can_begin=lambda key: len(under_way) < 2)
    assert sorted(e.outcome for e in ended) == [0, 1, 2, 3, 4, 5]
    assert most == 2


def test_scores_are_kept_only_where_that_is_asked_for() -> None:
    def asked(kept: int) -> int:
        backend = FakeBackend()
        list(
            drive(
                [(i, asks("m")) for i in range(5)],
                {"m": backend},
                max_live=2,
                score_cache_size=kept,
            )
        )
        return len(backend.requests)

    assert (asked(0), asked(4)) == (5, 1)


def test_a_piece_may_end_without_all_of_its_answers() -> None:
    def first() -> Piece[str]:
        answer = yield [
            RoutedRequest(model="m", request=score_of(name), label=name) for name in "ab"
        ]
        return answer.routed.label

    pieces = [("first", first()), ("later", asks("m", rounds=3))]
    ended = [(e.key, e.outcome) for e in drive(pieces, {"m": FakeBackend()})]
    assert ended == [("first", "a"), ("later", ["m/0", "m/1", "m/2"])]


def test_a_piece_that_waits_for_nothing_is_a_mistake() -> None:
    def waits() -> Piece[None]:
        yield []

    with pytest.raises(RuntimeError, match="has asked nothing"):
        list(drive([(1, waits())], {}))
    with pytest.raises(ValueError, match="live is 0; at least one"):
        list(drive([(1, waits())], {}, max_live=0))
