"""A budget of one command: it is asked before each conversation, and what is under way is
finished.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from simworld.core.counts import counted
from simworld.runner.stored_run import RunProgress
from simworld.tournaments.tournament_file import Budget


class BudgetTracker:
    """What a command has spent; `exhausted` says of what it has run out, empty if of nothing."""

    def __init__(self, budget: Budget, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.exhausted = ""
        self._budget, self._clock = budget, clock
        self._start_time = clock()
        self._started = 0
        self._earlier = self._current = 0

    def record_progress(self, progress: RunProgress) -> None:
        """Told how far the playing is."""
        self._current = progress.new_tokens

    def start_round(self) -> None:
        """A further run begins, whose tokens count from 0."""
        self._earlier, self._current = self._earlier + self._current, 0

    def may_start_episode(self) -> bool:
        """Whether another conversation may begin, which then counts."""
        budget = self._budget
        if budget.episodes is not None and self._started >= budget.episodes:
            self.exhausted = counted(budget.episodes, "episode")
        elif budget.tokens is not None and self._earlier + self._current >= budget.tokens:
            self.exhausted = counted(budget.tokens, "token")
        elif budget.minutes is not None and self._clock() - self._start_time >= 60 * budget.minutes:
            self.exhausted = f"{budget.minutes:g} minute{'' if budget.minutes == 1 else 's'}"
        if self.exhausted:
            return False
        self._started += 1
        return True
