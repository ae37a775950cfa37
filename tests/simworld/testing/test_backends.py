"""The check of a backend notices what breaks a promise."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from simworld.core.errors import Failure
from simworld.core.requests import (
    Completion,
    Encode,
    Encoded,
    Finished,
    Generate,
    Request,
    Score,
)
from simworld.testing import (
    FakeBackend,
    NotConforming,
    check_backend,
    fake_answer,
    generated,
)


class Stops(FakeBackend):
    """Writes on past stop strings."""

    def __init__(self) -> None:
        super().__init__(lambda request: generated("one.\ntwo"))


class Longer(FakeBackend):
    """Never stops."""

    def __init__(self) -> None:
        super().__init__(lambda request: generated("word " * 200))


class Twice(FakeBackend):
    """Hands tickets out twice."""

    def poll(self, wait_s: float | None = None) -> Sequence[Finished]:
        done = super().poll(wait_s)
        return (*done, *done)


class Lost(FakeBackend):
    """Loses the third ticket."""

    def poll(self, wait_s: float | None = None) -> Sequence[Finished]:
        return tuple(each for each in super().poll(wait_s) if each.ticket != 3)


class Idle(FakeBackend):
    """Does not wait."""

    def poll(self, wait_s: float | None = None) -> Sequence[Finished]:
        return super().poll(0.0)


class SameTicket(FakeBackend):
    """Gives the same ticket to everybody."""

    def submit(self, request: Request) -> int:
        super().submit(request)
        return 1


class Batchwise(FakeBackend):
    """What it says depends on what else it was asked."""

    def __init__(self) -> None:
        super().__init__(lambda request: generated(f"number {len(self.requests)}"))


class AllOrNothing(FakeBackend):
    """Fails everything when one request is too long."""

    def poll(self, wait_s: float | None = None) -> Sequence[Finished]:
        done = super().poll(wait_s)
        failures = [each.completion for each in done if isinstance(each.completion, Failure)]
        return (
            tuple(Finished(ticket=each.ticket, completion=failures[0]) for each in done)
            if failures
            else done
        )


class NoWidth(FakeBackend):
    """Says that it has no states and takes no prefixes, and does all the same, or not."""

    def __init__(self, *refused: str) -> None:
        super().__init__(self.answer)
        self._unable = refused

    @property
    def info(self) -> Any:
        return replace(super().info, width=None)

    def answer(self, request: Request) -> str | Completion:
        what = (
            "prefix" if isinstance(request, Generate) and request.prefix else type(request).__name__
        )
        return (
            Failure(boundary="model", kind="unsupported", message=what)
            if what in self._unable
            else fake_answer(request)
        )


class AnyPrefix(FakeBackend):
    """Looks at no prefix."""

    def submit(self, request: Request) -> int:
        return super().submit(
            replace(request, prefix=None) if isinstance(request, Generate) else request
        )


def encoding(state: Any) -> FakeBackend:
    """Every prompt has the same state."""
    encoded = Encoded(state=state, prompt_tokens=3, latency_s=0.0)
    return FakeBackend(
        lambda request: encoded if isinstance(request, Encode) else fake_answer(request)
    )


class Truncates(FakeBackend):
    """Says nothing about what did not fit."""

    @property
    def info(self) -> Any:
        return FakeBackend(context=600).info


def test_the_fake_keeps_the_promises() -> None:
    made: list[FakeBackend] = []

    def make(**settings: Any) -> Callable[[], FakeBackend]:
        return lambda: made.append(FakeBackend(**settings)) or made[-1]  # type: ignore[func-returns-value]

    check_backend(make())
    check_backend(make(context=600))
    check_backend(make(delay=lambda request: len(str(request)) % 7))
    no_scores = Failure(boundary="model", kind="unsupported", message="no scores here")
    answer = {
        "answer": lambda request: no_scores if isinstance(request, Score) else fake_answer(request)
    }
    check_backend(make(**answer), scores=False)
    check_backend(lambda: NoWidth("Encode", "prefix"))
    assert len(made) == 4
    assert all(backend.closed for backend in made)


@pytest.mark.parametrize(
    ("backend", "message"),
    [
        (Stops, "a stop string stands in the text"),
        (Longer, "200 tokens, 4 allowed"),
        (Twice, "came back twice"),
        (Lost, r"tickets \[3\] never came back"),
        (SameTicket, "tickets must differ"),
        (Batchwise, "gave another text when it ran alone"),
        (
            lambda: FakeBackend(delay=lambda request: 2).__class__(lambda request: "x" * 3 + "."),
            "stop string|Score gave",
        ),
        (lambda: AllOrNothing(context=600), "a good request beside a bad one gave"),
        (Truncates, "must give a Failure of kind 'too-long'"),
        (lambda: Idle(delay=lambda request: 3), "came back empty while tickets were open"),
        (
            lambda: FakeBackend(lambda r: Failure(boundary="model", kind="x", message="y")),
            "a plain Generate gave model: x: y",
        ),
        (lambda: FakeBackend(lambda r: "Fine"), "a Score gave"),
        (lambda: NoWidth("prefix"), "an Encode must be answered with a Failure"),
        (lambda: NoWidth("Encode"), "a prefix must be answered with a Failure"),
        (AnyPrefix, r"a prefix \(2, 9\) must give a Failure"),
        (lambda: encoding(np.zeros(7, np.float32)), r"a state must be \(8,\) float32"),
        (lambda: encoding(np.full(8, np.nan, np.float32)), "a state must be finite"),
    ],
)
def test_a_backend_that_breaks_a_promise_is_noticed(
    backend: Callable[[], FakeBackend], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simworld.testing.backends.MAX_POLLS", 50)
    with pytest.raises(NotConforming, match=message):
        check_backend(backend)


# Agents that break one promise each.
