"""What a server remembers: how old an answer may be, and who makes the next one."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from simworld.core.errors import InputError
from simworld.web import app_state as module
from simworld.web.app_state import AppState


@pytest.fixture
def state(world: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppState]:
    monkeypatch.setattr(module, "FRESH_S", 0.05)
    monkeypatch.setattr(module, "STALE_S", 5.0)
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


def until(condition: object) -> None:
    end = time.monotonic() + 10
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.005)


def test_an_answer_is_given_again_and_renewed_behind_the_scenes(state: AppState) -> None:
    ask = Counter()
    assert [state.remember("a", ask) for _ in range(5)] == [1] * 5
    time.sleep(0.06)
    assert state.remember("a", ask) == 1  # at once, and a new one is made
    until(lambda: state.remember("a", ask) == 2)
    assert state.remember("b", ask) > 2  # another key is another answer


def test_what_was_made_from_the_same_is_not_made_again(state: AppState) -> None:
    ask = Counter()
    assert state.remember("a", ask, stamp=1) == 1
    time.sleep(0.06)
    assert state.remember("a", ask, stamp=1) == 1
    time.sleep(0.02)
    assert ask.asked == 1
    state.remember("a", ask, stamp=2)
    until(lambda: state.remember("a", ask, stamp=2) == 2)


def test_an_old_answer_is_not_given(state: AppState, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = Counter()
    state.remember("a", ask, stamp=1)
    monkeypatch.setattr(module, "STALE_S", 0.0)
    assert state.remember("a", ask, stamp=1) == 2


def test_many_who_wait_ask_once(state: AppState) -> None:
    ask, going = Counter(), threading.Event()

    def slowly() -> int:
        going.wait(10)
        return ask()

    found: list[int] = []
    readers = [
        threading.Thread(target=lambda: found.append(state.remember("a", slowly))) for _ in range(8)
    ]
    for reader in readers:
        reader.start()
    going.set()
    for reader in readers:
        reader.join()
    assert (found, ask.asked) == ([1] * 8, 1)


def test_a_mistake_is_told_and_not_remembered(state: AppState) -> None:
    ask = Counter()

    def sometimes() -> int:
        if ask() == 2:
            raise InputError("wrong")
        return ask.asked

    assert state.remember("a", sometimes) == 1
    time.sleep(0.06)
    assert state.remember("a", sometimes) == 1
    until(lambda: state.remember("a", sometimes) == 3)
    with pytest.raises(InputError):
        state.remember("b", lambda: (_ for _ in ()).throw(InputError("wrong")))


def test_no_more_answers_are_held_than_a_fixed_number(state: AppState) -> None:
    for i in range(module.REMEMBERED + 50):
        state.remember(i, Counter())
    assert len(state._answers) == module.REMEMBERED
