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

# of a token, before any was counted: few, so that at first rather too few are let in
_CHARACTERS = 3
# turns seen before the growth that was seen counts, and not the longest reply that is asked for
_SURE = 16


@dataclass(slots=True)
class _Growth:
    """What is known of the threads of one model."""

    guess: int = 0  # tokens of the longest first prompt, from its characters
    first: int = 0  # tokens of the longest first prompt and its reply; 0: none is answered yet
    reply: int = 0  # tokens of the longest reply asked for
    tokens: int = 0  # grown by since then, all threads together
    turns: int = 0  # in so many turns of their conversations
    threads: int = 1  # of one seat

    def longest(self, tokens: int, turns: int) -> int:
        """How long a thread of so many tokens (0: not answered yet) will be after so many more
        turns.
        """
        per_turn = self.tokens / self.turns if self.turns >= _SURE else self.reply
        return round((tokens or self.first or self.guess + self.reply) + per_turn * turns)


@dataclass(slots=True)
class _CachedSeat:
    """What a seat keeps in its model's memory."""

    model: str
    # tokens, and turn of the last answer
    threads: dict[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class LiveConversation:
    """A conversation as it counts here: its seats whose models' memory is bounded."""

    turns: int  # at most
    seats: dict[str, _CachedSeat]


class Admission:
    """Counts what live conversations will need by their ends, and lets another in while that fits.

    A thread is expected to grow until its scenario's turn limit, by what a turn has added on the
    mean so far; from its present length, or, where it is not answered yet, from the longest first
    turn so far. So the estimate follows what is observed. Whoever
    is in stays in: what does not fit after all is the backend's to evict.
    """

    def __init__(self, backends: Mapping[str, Backend]) -> None:
        self._bounded = {
            key: backend for key, backend in backends.items() if isinstance(backend, MemoryBounded)
        }
        self._growth = {key: _Growth() for key in self._bounded}
        self._inside: dict[LiveConversation, None] = {}

    def new_conversation(self, scenario: Scenario, agents: Mapping[str, Agent]) -> LiveConversation:
        """A conversation that is about to begin."""
        seats = {
            seat: _CachedSeat(agent.model)
            for seat, agent in agents.items()
            if agent.model in self._bounded
        }
        return LiveConversation(scenario.limits.turns, seats)

    def fits(self, conversation: LiveConversation) -> bool:
        """Whether it fits beside those inside; always where there is none."""
        need = {seat.model: 0.0 for seat in conversation.seats.values()}
        if not self._inside:
            return True
        for each in (*self._inside, conversation):
            for seat in each.seats.values():
                if seat.model in need:
                    need[seat.model] += self._share(seat, each.turns)
        return all(share <= 1 for share in need.values())

    def enter(self, conversation: LiveConversation) -> None:
        """It begins."""
        if conversation.seats:
            self._inside[conversation] = None

    def leave(self, conversation: LiveConversation) -> None:
        """It is over: the models need not keep its threads, but for those of the same name that
        another one uses.
        """
        self._inside.pop(conversation, None)
        kept = {
            name for other in self._inside for seat in other.seats.values() for name in seat.threads
        }
        for seat in conversation.seats.values():
            self._bounded[seat.model].forget_threads(seat.threads.keys() - kept)

    def asked(self, conversation: LiveConversation, name: str, request: Request) -> None:
        """A seat asks its model."""
        seat = conversation.seats.get(name)
        if seat is None or isinstance(request, AskPerson) or not request.thread:
            return
        seat.threads.setdefault(request.thread, (0, 0))
        growth = self._growth[seat.model]
        growth.threads = max(growth.threads, len(seat.threads))
        if isinstance(request, Generate):
            growth.reply = max(growth.reply, request.sampling.max_new_tokens)
        if not growth.first:
            growth.guess = max(growth.guess, _characters(request) // _CHARACTERS)

    def answered(
        self,
        conversation: LiveConversation,
        name: str,
        turn: int,
        request: Request,
        completion: Completion,
    ) -> None:
        """The model has answered a seat in a turn, counted from 0."""
        seat = conversation.seats.get(name)
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
        before, then = seat.threads[request.thread]
        seat.threads[request.thread] = (tokens, turn)
        growth = self._growth[seat.model]
        if not before:
            growth.first = max(growth.first, tokens)
        else:
            growth.tokens += max(0, tokens - before)
            growth.turns += turn - then

    def _share(self, seat: _CachedSeat, turns: int) -> float:
        backend, growth = self._bounded[seat.model], self._growth[seat.model]
        threads = list(seat.threads.values())
        threads += [(0, 0)] * (growth.threads - len(threads))
        return sum(
            backend.memory_share(growth.longest(tokens, turns - 1 - turn))
            for tokens, turn in threads
        )


def _characters(request: Request) -> int:
    if isinstance(request, AskPerson):
        return 0
    if isinstance(request.prompt, TextPrompt):
        return len(request.prompt.text)
    return sum(len(message.content) for message in request.prompt.messages) + len(
        request.prompt.reply_start
    )
