"""A budget of one command: it is asked before each conversation, and what is under way is
finished.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from simworld.core.counts import counted
from simworld.runner.stored_run import RunProgress
from simworld.tournament.tournament_file import Budget


class Spending:
    """What a command has spent so far; `spent` says of what it has run out, empty if of nothing."""

    def __init__(self, budget: Budget, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.spent = ""
        self._budget, self._clock = budget, clock
        self._started = clock()
        self._begun = 0
        self._before = self._tokens = 0

    def seen(self, progress: RunProgress) -> None:
        """Told how far the playing is."""
        self._tokens = progress.new_tokens

    def next_round(self) -> None:
        """A further run begins, whose tokens count from 0."""
        self._before, self._tokens = self._before + self._tokens, 0

    def may_begin(self) -> bool:
        """Whether another conversation may begin, which then counts."""
        budget = self._budget
        if budget.episodes is not None and self._begun >= budget.episodes:
            self.spent = counted(budget.episodes, "episode")
        elif budget.tokens is not None and self._before + self._tokens >= budget.tokens:
            self.spent = counted(budget.tokens, "token")
        elif budget.minutes is not None and self._clock() - self._started >= 60 * budget.minutes:
            self.spent = f"{budget.minutes:g} minute{'' if budget.minutes == 1 else 's'}"
        if self.spent:
            return False
        self._begun += 1
        return True
