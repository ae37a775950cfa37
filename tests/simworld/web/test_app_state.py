"""What a server remembers: how old an answer may be, and who makes the next one."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from simworld.core.errors import InputError
from simworld.web import app_state as module
from simworld.web.app_state import FRESH_S, MAX_ANSWERS, STALE_S, AppState
from tests.waiting import until


class Clock:
    """Goes on when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def state(world: str, clock: Clock) -> Iterator[AppState]:
    made = AppState(world)
    yield made
    made.close()


class Counter:
    """Answers with how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> int:
        self.asked += 1
        return self.asked


def test_an_answer_is_given_again_and_renewed_behind_the_scenes(
    state: AppState, clock: Clock
) -> None:
    ask = Counter()
    assert [state.cached("a", ask) for _ in range(5)] == [1] * 5
    clock.now += FRESH_S + 1
    assert state.cached("a", ask) == 1  # at once, and a new one is made
    until(lambda: state.cached("a", ask) == 2)
    assert state.cached("b", ask) > 2  # another key is another answer


def test_what_was_made_from_the_same_is_not_made_again(state: AppState, clock: Clock) -> None:
    ask = Counter()
    assert state.cached("a", ask, version=1) == 1
    clock.now += FRESH_S + 1
    assert state.cached("a", ask, version=1) == 1
    state.cached("a", ask, version=2)
    until(lambda: state.cached("a", ask, version=2) == 2)
    state.close()  # what was being made is made
    assert ask.asked == 2


def test_an_old_answer_is_not_given(state: AppState, clock: Clock) -> None:
    ask = Counter()
    state.cached("a", ask, version=1)
    clock.now += STALE_S + 1
    assert state.cached("a", ask, version=1) == 2


def test_many_who_wait_ask_once(state: AppState) -> None:
    ask, going = Counter(), threading.Event()

    def slowly() -> int:
        going.wait(10)
        return ask()

    found: list[int] = []
    readers = [
        threading.Thread(target=lambda: found.append(state.cached("a", slowly))) for _ in range(8)
    ]
    for reader in readers:
        reader.start()
    going.set()
    for reader in readers:
        reader.join()
    assert (found, ask.asked) == ([1] * 8, 1)


def test_a_mistake_is_told_and_not_remembered(state: AppState, clock: Clock) -> None:
    ask = Counter()

    def sometimes() -> int:
        if ask() == 2:
            raise InputError("wrong")
        return ask.asked

    assert state.cached("a", sometimes) == 1
    clock.now += FRESH_S + 1
    assert state.cached("a", sometimes) == 1
    until(lambda: state.cached("a", sometimes) == 3)
    with pytest.raises(InputError):
        state.cached("b", lambda: (_ for _ in ()).throw(InputError("wrong")))


def test_no_more_answers_are_held_than_a_fixed_number(state: AppState) -> None:
    asks = [Counter() for _ in range(MAX_ANSWERS + 1)]
    for key, ask in enumerate(asks):
        state.cached(key, ask)
    state.cached(MAX_ANSWERS, asks[MAX_ANSWERS])
    state.cached(1, asks[1])
    state.cached(0, asks[0])  # the oldest had given way, and is made anew
    assert [ask.asked for ask in asks] == [2] + [1] * MAX_ANSWERS
