"""Limits live conversations to what fits into cache memory. Conversations take turns, so evicting
the least recently used cache would evict the one that is needed next.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from simworld.core.errors import Failure
from simworld.core.protocols import Agent, Backend, MemoryBounded
from simworld.core.requests import AskPerson, Completion, Generate, Generated, Request, TextPrompt
from simworld.core.scenario import Scenario

# before any token was counted: few, so that at first rather too few are let in
_CHARACTERS_PER_TOKEN = 3
# turns seen before the growth that was seen counts, and not the longest reply that is asked for
_MIN_TURNS = 16


@dataclass(slots=True)
class _ThreadGrowth:
    """How the threads of one model have grown so far, in tokens."""

    prompt_guess: int = 0  # tokens of the longest first prompt, from its characters
    first_turn: int = 0  # tokens of the longest first prompt and its reply; 0: none is answered yet
    max_reply: int = 0  # tokens of the longest reply asked for
    grown_tokens: int = 0  # grown by since then, all threads together
    grown_turns: int = 0  # in so many turns of their conversations
    threads_per_seat: int = 1  # of one seat

    def expected_length(self, tokens: int, turns: int) -> int:
        """A thread's expected tokens after more turns; `tokens` 0: it is not answered yet."""
        per_turn = (
            self.grown_tokens / self.grown_turns
            if self.grown_turns >= _MIN_TURNS
            else self.max_reply
        )
        return round(
            (tokens or self.first_turn or self.prompt_guess + self.max_reply) + per_turn * turns
        )


@dataclass(slots=True)
class _CachedSeat:
    """The threads that a seat keeps in its model's memory."""

    model: str
    # tokens, and turn of the last answer
    threads: dict[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class LiveConversation:
    """A conversation's turn limit, and its seats whose models' memory is bounded."""

    turn_limit: int  # at most
    seats: dict[str, _CachedSeat]


class Admission:
    """Decides whether another conversation fits into memory beside those that are live.

    A thread is expected to grow until its scenario's turn limit, by what a turn has added on the
    mean so far; from its present length, or, where it is not answered yet, from the longest first
    turn so far. Whoever is in stays in: what does not fit after all is the backend's to evict.
    """

    def __init__(self, backends: Mapping[str, Backend]) -> None:
        self._bounded_backends = {
            key: backend for key, backend in backends.items() if isinstance(backend, MemoryBounded)
        }
        self._growth = {key: _ThreadGrowth() for key in self._bounded_backends}
        self._live: dict[LiveConversation, None] = {}

    def new_conversation(self, scenario: Scenario, agents: Mapping[str, Agent]) -> LiveConversation:
        """The record of a conversation that is about to begin."""
        seats = {
            seat: _CachedSeat(agent.model)
            for seat, agent in agents.items()
            if agent.model in self._bounded_backends
        }
        return LiveConversation(scenario.limits.turns, seats)

    def fits(self, conversation: LiveConversation) -> bool:
        """Whether it fits beside those inside; always where there is none."""
        shares = {seat.model: 0.0 for seat in conversation.seats.values()}
        if not self._live:
            return True
        for other in (*self._live, conversation):
            for seat in other.seats.values():
                if seat.model in shares:
                    shares[seat.model] += self._memory_share(seat, other.turn_limit)
        return all(share <= 1 for share in shares.values())

    def enter(self, conversation: LiveConversation) -> None:
        """Counts a conversation that begins."""
        if conversation.seats:
            self._live[conversation] = None

    def leave(self, conversation: LiveConversation) -> None:
        """Frees a conversation that is over: models forget its threads, but for those in use."""
        self._live.pop(conversation, None)
        still_used = {
            name for other in self._live for seat in other.seats.values() for name in seat.threads
        }
        for seat in conversation.seats.values():
            self._bounded_backends[seat.model].forget_threads(seat.threads.keys() - still_used)

    def note_request(
        self, conversation: LiveConversation, seat_name: str, request: Request
    ) -> None:
        """Counts a seat's request to its model."""
        seat = conversation.seats.get(seat_name)
        if seat is None or isinstance(request, AskPerson) or not request.thread:
            return
        seat.threads.setdefault(request.thread, (0, 0))
        growth = self._growth[seat.model]
        growth.threads_per_seat = max(growth.threads_per_seat, len(seat.threads))
        if isinstance(request, Generate):
            growth.max_reply = max(growth.max_reply, request.sampling.max_new_tokens)
        if not growth.first_turn:
            growth.prompt_guess = max(
                growth.prompt_guess, _prompt_characters(request) // _CHARACTERS_PER_TOKEN
            )

    def note_answer(
        self,
        conversation: LiveConversation,
        seat_name: str,
        turn: int,
        request: Request,
        completion: Completion,
    ) -> None:
        """Counts the model's answer to a seat in a turn, from 0."""
        seat = conversation.seats.get(seat_name)
        if (
            seat is None
            or isinstance(completion, Failure)
            or isinstance(request, AskPerson)
            or not request.thread
        ):
            return
        tokens = completion.prompt_tokens + (
            completion.new_tokens if isinstance(completion, Generated) else 0
        )
        tokens_before, turn_before = seat.threads[request.thread]
        seat.threads[request.thread] = (tokens, turn)
        growth = self._growth[seat.model]
        if not tokens_before:
            growth.first_turn = max(growth.first_turn, tokens)
        else:
            growth.grown_tokens += max(0, tokens - tokens_before)
            growth.grown_turns += turn - turn_before

    def _memory_share(self, seat: _CachedSeat, turns: int) -> float:
        backend, growth = self._bounded_backends[seat.model], self._growth[seat.model]
        threads = list(seat.threads.values())
        threads += [(0, 0)] * (growth.threads_per_seat - len(threads))
        return sum(
            backend.memory_share(growth.expected_length(tokens, turns - 1 - turn))
            for tokens, turn in threads
        )


def _prompt_characters(request: Request) -> int:
    if isinstance(request, AskPerson):
        return 0
    if isinstance(request.prompt, TextPrompt):
        return len(request.prompt.text)
    return sum(len(message.content) for message in request.prompt.messages) + len(
        request.prompt.reply_start
    )
