"""Many conversations at once: each episode is a generator, and each act of an agent another.
Nothing here knows a database: episodes are handed out as they end, and the caller stores them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from simworld.core.engine import play
from simworld.core.episode import (
    Act,
    Action,
    ActionKind,
    Episode,
    Generation,
    Observation,
    PlanStep,
    WorkItem,
)
from simworld.core.errors import Failure
from simworld.core.protocols import ActGenerator, ActResult, Agent, Backend
from simworld.core.requests import Completion, Generated
from simworld.core.scenario import Scenario
from simworld.core.stopping import StopTracker
from simworld.deprecation import renamed_arguments
from simworld.driver import MAX_LIVE, Piece, RoutedAnswer, RoutedRequest, drive
from simworld.runner.admission import Admission, LiveConversation

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One episode to play now: a work item at an attempt, with everything it needs."""

    item: WorkItem
    attempt: int  # from 1
    scenario: Scenario
    agents: Mapping[str, Agent]  # seat → agent
    seed: int  # of this episode
    parent_id: str | None = None  # the episode it branches from


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """An episode that ended, and when."""

    job: Job
    episode: Episode
    started: datetime  # UTC
    ended: datetime  # UTC


# told a turn's number, from 0, and what was done in it
OnActs = Callable[[Job, int, Sequence[Act]], None]


@dataclass(slots=True, kw_only=True)
class PlayCounters:
    """What has happened so far in all conversations, unfinished ones included."""

    turns: int = 0  # that are over
    live_turn_limits: int = 0  # turns that the conversations under way may have, together
    new_tokens: int = 0  # written by models
    # seconds that each backend worked or was waited for
    backend_seconds: dict[str, float] = field(default_factory=dict)


@renamed_arguments(
    {"live": "max_live", "pulse": "counters", "on_beat": "on_progress"}, removed_in="0.3.0"
)
def play_jobs(
    jobs: Iterable[Job],
    backends: Mapping[str, Backend],
    *,
    max_live: int = MAX_LIVE,
    counters: PlayCounters | None = None,
    on_progress: Callable[[], None] = lambda: None,
    on_acts: OnActs = lambda job, turn, acts: None,
    stopping: StopTracker | None = None,
) -> Iterator[Played]:
    """Every job's episode, each as it ends; at most `max_live` are under way at once.

    Fewer run where the memory of a backend has no room for more (`protocols.MemoryBounded`), but
    always one.

    Args:
        jobs: drawn one by one, so a plan of millions needs no memory.
        backends: by `Agent.model`.
        max_live: upper limit of conversations under way.
        counters: counted up as things happen.
        on_progress: called whenever the counters have changed.
        on_acts: told what was done in a turn, as soon as it is over.
        stopping: what servers answer is counted there, and nothing begins that does not fit.

    Raises:
        Stopped: servers fail for good; whatever ended before was handed out.
        ValueError: an agent's model has no backend, or `max_live` is below 1.
    """
    admission, counters = Admission(backends), counters or PlayCounters()

    def conversations() -> Iterator[tuple[LiveConversation, Piece[Played]]]:
        for job in jobs:
            for agent in job.agents.values():
                if agent.model and agent.model not in backends:
                    raise ValueError(f"no backend for {agent.model!r}")
            conversation = admission.new_conversation(job.scenario, job.agents)
            yield conversation, _Player(job, conversation, admission, counters, on_acts).run()

    for ended in drive(
        conversations(),
        backends,
        max_live=max_live,
        can_begin=admission.fits,
        backend_seconds=counters.backend_seconds,
        on_progress=on_progress,
        stopping=stopping,
    ):
        yield ended.outcome


@dataclass(slots=True, eq=False)
class _Player:
    """Plays one conversation: seats that are due together think at the same time."""

    job: Job
    conversation: LiveConversation
    admission: Admission
    counters: PlayCounters
    on_acts: OnActs
    turn: int = -1
    # of the seats without a reply yet
    act_generators: dict[str, ActGenerator] = field(default_factory=dict)
    replies: dict[str, ActResult] = field(default_factory=dict)

    def run(self) -> Piece[Played]:
        """Seats the agents, asks whoever is due until it is over, and returns the episode."""
        job, counters, started = self.job, self.counters, datetime.now(UTC)
        cast = {seat: agent.id for seat, agent in job.agents.items()}
        engine = play(job.scenario, cast, job.seed)
        self.admission.enter(self.conversation)
        counters.live_turn_limits += job.scenario.limits.turns
        while True:
            if acts := [reply for reply in self.replies.values() if isinstance(reply, Act)]:
                self.on_acts(job, self.turn, acts)
            try:
                due = engine.send(self.replies) if self.replies else next(engine)
            except StopIteration as stop:
                episode: Episode = stop.value
                break
            counters.turns += self.turn >= 0
            self.turn += 1
            requests = self._begin_turn(due)
            while self.act_generators:
                answer = yield requests
                self._note_answer(answer)
                requests = self._advance(answer.routed.label, answer.completion)
        ended = datetime.now(UTC)
        counters.turns += len(episode.turns) - max(0, self.turn)
        counters.live_turn_limits -= job.scenario.limits.turns
        self.admission.leave(self.conversation)
        return Played(job=job, episode=episode, started=started, ended=ended)

    def _begin_turn(self, due: Mapping[str, Observation]) -> list[RoutedRequest]:
        """Starts the acts of the seats that are due; those that ask no model end at once."""
        self.replies, self.act_generators = {}, {}
        for seat, observation in due.items():
            try:
                self.act_generators[seat] = self.job.agents[seat].act(observation)
            except Exception as error:  # the boundary of an agent's own code
                self.replies[seat] = self._agent_error(seat, error)
        return [
            request for seat in (*self.act_generators,) for request in self._advance(seat, None)
        ]

    def _advance(self, seat: str, completion: Completion | Exception | None) -> list[RoutedRequest]:
        """Runs a seat's act until it asks its model, or ends."""
        agent, generator = self.job.agents[seat], self.act_generators[seat]
        try:
            if isinstance(completion, Exception):
                raise completion
            request = next(generator) if completion is None else generator.send(completion)
            if not agent.model:
                raise TypeError("it asks a model, but names none")
            self.admission.note_request(self.conversation, seat, request)
        except StopIteration as stop:
            reply = stop.value
        except Exception as error:  # the boundary of an agent's own code: recorded with the episode
            reply = self._agent_error(seat, error)
        else:
            return [RoutedRequest(model=agent.model, request=request, label=seat)]
        if problem := _malformed(reply):
            reply = Failure(boundary="agent", kind="error", message=problem)
        self.replies[seat] = reply
        del self.act_generators[seat]
        return []

    def _note_answer(self, answer: RoutedAnswer) -> None:
        completion = answer.completion
        if isinstance(completion, Exception):
            return
        if isinstance(completion, Generated):
            self.counters.new_tokens += completion.new_tokens
        seat, request = answer.routed.label, answer.routed.request
        self.admission.note_answer(self.conversation, seat, self.turn, request, completion)

    def _agent_error(self, seat: str, error: Exception) -> Failure:
        _log.debug("agent %s failed in seat %s", self.job.agents[seat].id, seat, exc_info=error)
        return Failure(boundary="agent", kind="error", message=f"{type(error).__name__}: {error}")


def _malformed(reply: object) -> str:
    """What is wrong with what an agent returned, before anyone relies on its types; else empty."""
    if isinstance(reply, Failure):
        return ""
    if not isinstance(reply, Act):
        return f"expected an Act or a Failure, got {type(reply).__name__}"
    action: object = reply.action
    if not isinstance(action, Action):
        return f"expected an Action in the act, got {type(action).__name__}"
    parts = (
        ("kind", action.kind, ActionKind),
        ("text", action.text, str),
        ("to", action.to, tuple),
        *(("to", seat, str) for seat in action.to if isinstance(action.to, tuple)),
        ("plan", reply.plan, PlanStep | None),
        ("generation", reply.generation, Generation | None),
    )
    for name, value, wanted in parts:
        if not isinstance(value, wanted):
            expected = getattr(wanted, "__name__", str(wanted))
            return f"expected {name} to be {expected}, got {type(value).__name__}"
    return ""
