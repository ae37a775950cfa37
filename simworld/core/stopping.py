"""When a command that asks servers stops by itself: playing and judging keep to the same rules.

What no retry can mend stops it at the fifth time in a row; failed episodes or judgements where it
was told how many it may have; a budget of tokens before it begins what would not fit.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from simworld.core.errors import BudgetSpent, Failure, Stopped
from simworld.core.requests import Completion, Generate, Generated, Request, TextPrompt

T = TypeVar("T")

IN_A_ROW = 5  # requests of one server and model that failed for good, without a success between
# kinds of failure that no retry can mend
FINAL = frozenset({"http-401", "http-402", "http-403", "http-404", "quota"})
SERVER = "openai:"
# Some servers call a wrong key or name a bad request.
_KEY_OR_MODEL = re.compile(
    r"(?i)api[ _-]?key|model_not_found|\bmodel\b.{0,80}(?:not exist|not found|not supported by)"
)
KEPT = "What is stored stays"
_CHARACTERS = 4  # of a token, where a server counts none


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxFailures:
    """How many failed episodes or judgements a pass may have: a number, or a share of what it has
    to do.
    """

    count: int | None = None
    share: float | None = None  # in [0, 1]

    def allowed(self, planned: int) -> float:
        """The largest number of failures allowed, of that many planned ones."""
        return self.count if self.count is not None else (self.share or 0.0) * planned


@dataclass(slots=True, kw_only=True)
class StopRules:
    """The rules of one command, and what it has asked of servers so far; without settings only the
    first rule holds.
    """

    budget_tokens: int | None = None  # prompts and replies together
    max_failures: MaxFailures | None = None
    prompt_tokens: int = 0
    new_tokens: int = 0
    asked: int = 0  # requests that a server has answered
    short: bool = False  # something was not begun, for the budget's sake
    # server and model → how many failed for good, in a row
    _rows: dict[str, int] = field(default_factory=dict)
    _stop: str = ""  # why the command must stop
    _servers: bool = False  # one was asked
    _before: int = 0  # tokens used before this pass
    _pieces: int = 0  # conversations or judgements of this pass that have ended

    @property
    def used(self) -> int:
        """Tokens, as the servers count them."""
        return self.prompt_tokens + self.new_tokens

    @property
    def doubtful(self) -> bool:
        """Whether a series of permanent failures has begun that may stop the command; until that is
        decided, what failed is not stored.
        """
        return bool(self._rows)

    def begin(self) -> None:
        """Begins a pass of playing or judging; the cost per piece is measured anew."""
        self._before, self._pieces = self.used, 0

    def answered(self, model: str, request: Request, completion: Completion) -> None:
        """A model has answered; `model` is a spec, or begins with one."""
        if not model.startswith(SERVER):
            return
        self._servers = True
        if isinstance(completion, Failure):
            if is_final(completion):
                row = self._rows[model] = self._rows.get(model, 0) + 1
                if row == IN_A_ROW:
                    self._stop = (
                        f"{model.partition('#')[0]}: {IN_A_ROW} requests in a row failed for good;"
                        f" the last: {completion.message.rstrip('.')}. {KEPT}; once this is fixed,"
                        " the same command does the rest"
                    )
            return
        self._rows.pop(model, None)
        self.asked += 1
        self.prompt_tokens += completion.prompt_tokens
        if isinstance(completion, Generated):
            self.new_tokens += completion.new_tokens
            if not completion.prompt_tokens and not completion.new_tokens:
                self.prompt_tokens += _characters(request) // _CHARACTERS
                self.new_tokens += len(completion.text) // _CHARACTERS

    def failed(self, failed: int, planned: int, noun: str) -> None:
        """So many of so many planned episodes or judgements have failed."""
        if self.max_failures is not None and failed > self.max_failures.allowed(planned):
            self._stop = (
                f"{failed} of {planned} {noun} failed, more than --max-failures allows. {KEPT}; "
                "the same command does the rest, and with --retry-failed what failed as well"
            )

    def check(self) -> None:
        """Raises Stopped where too much has failed."""
        if self._stop:
            raise Stopped(self._stop)

    def may_begin(self, under_way: int) -> bool:
        """Whether the budget has room for another conversation or judgement beside `under_way`
        others.

        The first one of a pass runs alone, to measure its cost; after that there must be room for
        twice the mean cost of each one under way.
        """
        if self.budget_tokens is None:
            return True
        known = self._pieces and (self.used > self._before or not self._servers)
        per_piece = (self.used - self._before) / self._pieces if known else 0.0
        room = self.budget_tokens - self.used
        fits = room > 0 and room >= (2 * (under_way + 1) if under_way else 1) * per_piece
        self.short |= not fits and not under_way
        return fits and bool(known or not under_way)

    def ended(self) -> None:
        """A conversation or judgement has ended."""
        self._pieces += 1

    def check_budget(self) -> None:
        """Raises BudgetSpent where something was not begun for the budget's sake."""
        if self.short:
            raise BudgetSpent(
                f"the budget of {self.budget_tokens:,} tokens has no room for more ({self.used:,}"
                " used); the same command goes on with a fresh budget"
            )


class DeferredCommits(Generic[T]):
    """Commits results as they come, but holds back what failed for good as long as that may turn
    out to be a reason to stop: what is not stored is done again by a resume.
    """

    def __init__(self, stopping: StopRules, commit: Callable[[T], None]) -> None:
        self._stopping, self._commit = stopping, commit
        self._held: list[T] = []

    def take(self, result: T, failure: Failure | None) -> None:
        """Commits a result, unless it may have to be made again."""
        if not self._stopping.doubtful:
            self.release()
        elif failure is not None and is_final(failure):
            self._held.append(result)
            return
        self._commit(result)

    def release(self) -> bool:
        """Commits what was held back, for there was no reason to stop; whether there was any."""
        held, self._held = self._held, []
        for result in held:
            self._commit(result)
        return bool(held)


def is_final(failure: Failure) -> bool:
    """Whether no retry can mend what failed: the key, the rights, the model's name, the money."""
    named = failure.kind == "http-400" and _KEY_OR_MODEL.search(failure.message)
    return failure.boundary == "model" and (failure.kind in FINAL or bool(named))


def _characters(request: Request) -> int:
    if not isinstance(request, Generate):
        return 0
    if isinstance(request.prompt, TextPrompt):
        return len(request.prompt.text)
    return sum(len(message.content) for message in request.prompt.messages)
