"""Budgets of episodes, tokens and minutes, each by hand."""

from __future__ import annotations

from simworld.runner.stored_run import RunProgress
from simworld.tournament.budget import Spending
from simworld.tournament.tournament_file import Budget


class Clock:
    """Seconds, as told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def told(tokens: int) -> RunProgress:
    return RunProgress(planned=9, finished_before=0, new_tokens=tokens)


def test_without_a_budget_nothing_is_spent() -> None:
    clock = Clock()
    spending = Spending(Budget(), clock=clock)
    clock.now += 1e9
    spending.seen(told(10**9))
    assert all(spending.may_begin() for _ in range(100))
    assert spending.spent == ""


def test_episodes_count_as_they_begin() -> None:
    spending = Spending(Budget(episodes=2))
    assert [spending.may_begin() for _ in range(3)] == [True, True, False]
    assert spending.spent == "2 episodes"


def test_tokens_count_over_all_rounds() -> None:
    spending = Spending(Budget(tokens=1000))
    spending.seen(told(600))
    assert spending.may_begin()
    spending.next_round()  # whose own tokens count from 0
    spending.seen(told(399))
    assert spending.may_begin()
    spending.seen(told(400))
    assert not spending.may_begin()
    assert spending.spent == "1,000 tokens"


def test_minutes() -> None:
    clock = Clock()
    spending = Spending(Budget(minutes=1.5), clock=clock)
    clock.now += 89
    assert spending.may_begin()
    clock.now += 1
    assert not spending.may_begin()
    assert spending.spent == "1.5 minutes"
