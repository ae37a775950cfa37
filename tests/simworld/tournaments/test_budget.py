"""Budgets of episodes, tokens and minutes, each by hand."""

from __future__ import annotations

from simworld.runner.stored_run import RunProgress
from simworld.tournaments.budget import BudgetTracker
from simworld.tournaments.tournament_file import Budget


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
    spending = BudgetTracker(Budget(), clock=clock)
    clock.now += 1e9
    spending.record_progress(told(10**9))
    assert all(spending.may_start_episode() for _ in range(100))
    assert spending.exhausted == ""


def test_episodes_count_as_they_begin() -> None:
    spending = BudgetTracker(Budget(episodes=2))
    assert [spending.may_start_episode() for _ in range(3)] == [True, True, False]
    assert spending.exhausted == "2 episodes"


def test_tokens_count_over_all_rounds() -> None:
    spending = BudgetTracker(Budget(tokens=1000))
    spending.record_progress(told(600))
    assert spending.may_start_episode()
    spending.start_round()  # whose own tokens count from 0
    spending.record_progress(told(399))
    assert spending.may_start_episode()
    spending.record_progress(told(400))
    assert not spending.may_start_episode()
    assert spending.exhausted == "1,000 tokens"


def test_minutes() -> None:
    clock = Clock()
    spending = BudgetTracker(Budget(minutes=1.5), clock=clock)
    clock.now += 89
    assert spending.may_start_episode()
    clock.now += 1
    assert not spending.may_start_episode()
    assert spending.exhausted == "1.5 minutes"
