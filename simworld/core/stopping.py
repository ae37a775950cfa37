"""When a command that asks servers stops by itself, in playing and judging alike.

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

MAX_FINAL_FAILURES = 5  # of one server and model for good, without a success between
# kinds of failure that no retry can mend
FINAL_FAILURE_KINDS = frozenset({"http-401", "http-402", "http-403", "http-404", "quota"})
SERVER_PREFIX = "openai:"
# Some servers call a wrong key or name a bad request.
_KEY_OR_MODEL = re.compile(
    r"(?i)api[ _-]?key|model_not_found|\bmodel\b.{0,80}(?:not exist|not found|not supported by)"
)
STORED_STAYS = "What is stored stays"
_CHARACTERS_PER_TOKEN = 4  # where a server counts none


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxFailures:
    """How many failures a pass may have: a number, or a share of what it has to do."""

    count: int | None = None
    share: float | None = None  # in [0, 1]

    def max_allowed(self, planned: int) -> float:
        """The largest number of failures allowed, of that many planned ones."""
        return self.count if self.count is not None else (self.share or 0.0) * planned


@dataclass(slots=True, kw_only=True)
class StopTracker:
    """The rules of one command, and what it has asked; without settings only the first holds."""

    budget_tokens: int | None = None  # prompts and replies together
    max_failures: MaxFailures | None = None
    prompt_tokens: int = 0
    new_tokens: int = 0
    answered_requests: int = 0  # requests that a server has answered
    budget_exhausted: bool = False  # something was not begun, for the budget's sake
    # server and model → how many failed for good, in a row
    _final_failures: dict[str, int] = field(default_factory=dict)
    _stop_reason: str = ""  # why the command must stop
    _asked_server: bool = False  # one was asked
    _used_before: int = 0  # tokens used before this pass
    _ended_pieces: int = 0  # conversations or judgements of this pass that have ended

    @property
    def used_tokens(self) -> int:
        """Tokens, as the servers count them."""
        return self.prompt_tokens + self.new_tokens

    @property
    def in_failure_series(self) -> bool:
        """Whether permanent failures may stop the command soon; until then none is stored."""
        return bool(self._final_failures)

    def begin_pass(self) -> None:
        """Begins a pass of playing or judging; the cost per piece is measured anew."""
        self._used_before, self._ended_pieces = self.used_tokens, 0

    def count_answer(self, model: str, request: Request, completion: Completion) -> None:
        """Counts an answer of a model; `model` is a spec, or begins with one."""
        if not model.startswith(SERVER_PREFIX):
            return
        self._asked_server = True
        if isinstance(completion, Failure):
            if is_final_failure(completion):
                in_a_row = self._final_failures[model] = self._final_failures.get(model, 0) + 1
                if in_a_row == MAX_FINAL_FAILURES:
                    self._stop_reason = (
                        f"{model.partition('#')[0]}: {MAX_FINAL_FAILURES} requests in a row failed"
                        f" for good; the last: {completion.message.rstrip('.')}. {STORED_STAYS};"
                        " once this is fixed, the same command does the rest"
                    )
            return
        self._final_failures.pop(model, None)
        self.answered_requests += 1
        self.prompt_tokens += completion.prompt_tokens
        if isinstance(completion, Generated):
            self.new_tokens += completion.new_tokens
            if not completion.prompt_tokens and not completion.new_tokens:
                self.prompt_tokens += _count_characters(request) // _CHARACTERS_PER_TOKEN
                self.new_tokens += len(completion.text) // _CHARACTERS_PER_TOKEN

    def note_failures(self, failed: int, planned: int, noun: str) -> None:
        """Notes how many of the planned episodes or judgements have failed."""
        if self.max_failures is not None and failed > self.max_failures.max_allowed(planned):
            self._stop_reason = (
                f"{failed} of {planned} {noun} failed, more than --max-failures allows."
                f" {STORED_STAYS}; the same command does the rest, and with --retry-failed what"
                " failed as well"
            )

    def raise_if_stopped(self) -> None:
        """Raises Stopped where too much has failed."""
        if self._stop_reason:
            raise Stopped(self._stop_reason)

    def has_budget_for_piece(self, live_pieces: int) -> bool:
        """Whether the budget has room for another conversation or judgement beside `live_pieces`
        others.

        The first one of a pass runs alone, to measure its cost; after that there must be room for
        twice the mean cost of each one under way.
        """
        if self.budget_tokens is None:
            return True
        measured = self._ended_pieces and (
            self.used_tokens > self._used_before or not self._asked_server
        )
        per_piece = (self.used_tokens - self._used_before) / self._ended_pieces if measured else 0.0
        remaining = self.budget_tokens - self.used_tokens
        fits = (
            remaining > 0 and remaining >= (2 * (live_pieces + 1) if live_pieces else 1) * per_piece
        )
        self.budget_exhausted |= not fits and not live_pieces
        return fits and bool(measured or not live_pieces)

    def count_ended_piece(self) -> None:
        """Counts a conversation or judgement that has ended."""
        self._ended_pieces += 1

    def raise_if_budget_spent(self) -> None:
        """Raises BudgetSpent where something was not begun for the budget's sake."""
        if self.budget_exhausted:
            raise BudgetSpent(
                f"the budget of {self.budget_tokens:,} tokens has no room for more"
                f" ({self.used_tokens:,} used); the same command goes on with a fresh budget"
            )


class DeferredCommits(Generic[T]):
    """Commits results as they come, but holds back what failed for good as long as that may turn
    out to be a reason to stop: what is not stored is done again by a resume.
    """

    def __init__(self, stopping: StopTracker, commit: Callable[[T], None]) -> None:
        self._stopping, self._commit = stopping, commit
        self._held_results: list[T] = []

    def commit_or_hold(self, result: T, failure: Failure | None) -> None:
        """Commits a result, unless it may have to be made again."""
        if not self._stopping.in_failure_series:
            self.commit_held()
        elif failure is not None and is_final_failure(failure):
            self._held_results.append(result)
            return
        self._commit(result)

    def commit_held(self) -> bool:
        """Commits what was held back, and tells whether there was any."""
        held_results, self._held_results = self._held_results, []
        for result in held_results:
            self._commit(result)
        return bool(held_results)


def is_final_failure(failure: Failure) -> bool:
    """Whether no retry can mend what failed: the key, the rights, the model's name, the money."""
    names_key_or_model = failure.kind == "http-400" and _KEY_OR_MODEL.search(failure.message)
    return failure.boundary == "model" and (
        failure.kind in FINAL_FAILURE_KINDS or bool(names_key_or_model)
    )


def _count_characters(request: Request) -> int:
    if not isinstance(request, Generate):
        return 0
    if isinstance(request.prompt, TextPrompt):
        return len(request.prompt.text)
    return sum(len(message.content) for message in request.prompt.messages)
