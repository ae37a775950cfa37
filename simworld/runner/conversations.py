"""Many conversations at once: each episode is a generator, and each agent's thinking another.
Nothing here knows a database: episodes are handed out as they end, and the caller stores them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from simworld.core.engine import play
from simworld.core.episode import Act, Episode, Observation, WorkItem
from simworld.core.errors import Failure
from simworld.core.protocols import ActGenerator, ActResult, Agent, Backend
from simworld.core.requests import Completion, Generated
from simworld.core.scenario import Scenario
from simworld.core.stopping import StopRules
from simworld.driver import LIVE, Piece, RoutedAnswer, RoutedRequest, drive
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
    limits_live: int = 0  # turns that the conversations under way may have, together
    new_tokens: int = 0  # written by models
    # seconds that each backend worked or was waited for
    polled_s: dict[str, float] = field(default_factory=dict)


def play_jobs(
    jobs: Iterable[Job],
    backends: Mapping[str, Backend],
    *,
    live: int = LIVE,
    pulse: PlayCounters | None = None,
    on_beat: Callable[[], None] = lambda: None,
    on_acts: OnActs = lambda job, turn, acts: None,
    stopping: StopRules | None = None,
) -> Iterator[Played]:
    """Every job's episode, each as it ends; at most `live` run at once, and the next starts when
    one ends.

    Fewer run where the memory of a backend has no room for more (`protocols.Bounded`), but always
    one.

    Args:
        jobs: drawn one by one, so a plan of millions needs no memory.
        backends: by `Agent.model`.
        live: upper limit of conversations under way.
        pulse: counted up as things happen.
        on_beat: called whenever the pulse has changed.
        on_acts: told what was done in a turn, as soon as it is over.
        stopping: what servers answer is counted there, and nothing begins that does not fit.

    Raises:
        Stopped: servers fail for good; whatever ended before was handed out.
        ValueError: an agent's model has no backend, or `live` is below 1.
    """
    admission, pulse = Admission(backends), pulse or PlayCounters()

    def conversations() -> Iterator[tuple[LiveConversation, Piece[Played]]]:
        for job in jobs:
            for agent in job.agents.values():
                if agent.model and agent.model not in backends:
                    raise ValueError(f"no backend for {agent.model!r}")
            conversation = admission.new_conversation(job.scenario, job.agents)
            yield conversation, _Conversation(job, conversation, admission, pulse, on_acts).run()

    for ended in drive(
        conversations(),
        backends,
        live=live,
        fits=admission.fits,
        waited=pulse.polled_s,
        on_beat=on_beat,
        stopping=stopping,
    ):
        yield ended.outcome


@dataclass(slots=True, eq=False)
class _Conversation:
    """A live conversation: seats that are due together think at the same time."""

    job: Job
    conversation: LiveConversation
    admission: Admission
    pulse: PlayCounters
    on_acts: OnActs
    turn: int = -1
    thinking: dict[str, ActGenerator] = field(default_factory=dict)  # seats without an answer yet
    replies: dict[str, ActResult] = field(default_factory=dict)

    def run(self) -> Piece[Played]:
        """Seats the agents, asks whoever is due until it is over, and returns the episode."""
        job, pulse, started = self.job, self.pulse, datetime.now(UTC)
        cast = {seat: agent.id for seat, agent in job.agents.items()}
        game = play(job.scenario, cast, job.seed)
        self.admission.enter(self.conversation)
        pulse.limits_live += job.scenario.limits.turns
        while True:
            if acts := [reply for reply in self.replies.values() if isinstance(reply, Act)]:
                self.on_acts(job, self.turn, acts)
            try:
                due = game.send(self.replies) if self.replies else next(game)
            except StopIteration as over:
                episode: Episode = over.value
                break
            pulse.turns += self.turn >= 0
            self.turn += 1
            asked = self._begin_turn(due)
            while self.thinking:
                answer = yield asked
                self._count(answer)
                asked = self._think(answer.to.name, answer.completion)
        ended = datetime.now(UTC)
        pulse.turns += len(episode.turns) - max(0, self.turn)
        pulse.limits_live -= job.scenario.limits.turns
        self.admission.leave(self.conversation)
        return Played(job=job, episode=episode, started=started, ended=ended)

    def _begin_turn(self, due: Mapping[str, Observation]) -> list[RoutedRequest]:
        """Lets the seats that are due think; those that ask no model answer at once."""
        self.replies, self.thinking = {}, {}
        for seat, observation in due.items():
            try:
                self.thinking[seat] = self.job.agents[seat].act(observation)
            except Exception as error:  # the boundary of an agent's own code, as in _think
                self.replies[seat] = self._broken(seat, error)
        return [request for seat in tuple(self.thinking) for request in self._think(seat, None)]

    def _think(self, seat: str, completion: Completion | Exception | None) -> list[RoutedRequest]:
        """Lets a seat think on until it asks its model, or answers."""
        agent, thinking = self.job.agents[seat], self.thinking[seat]
        try:
            if isinstance(completion, Exception):
                raise completion
            request = next(thinking) if completion is None else thinking.send(completion)
            if not agent.model:
                raise TypeError("it asks a model, but names none")
            self.admission.asked(self.conversation, seat, request)
        except StopIteration as over:
            reply = over.value
        except Exception as error:  # the boundary of an agent's own code: recorded with the episode
            reply = self._broken(seat, error)
        else:
            return [RoutedRequest(model=agent.model, request=request, name=seat)]
        if not isinstance(reply, Act | Failure):
            message = f"expected an Act or a Failure, got {type(reply).__name__}"
            reply = Failure(boundary="agent", kind="error", message=message)
        self.replies[seat] = reply
        del self.thinking[seat]
        return []

    def _count(self, answer: RoutedAnswer) -> None:
        completion = answer.completion
        if isinstance(completion, Exception):
            return
        if isinstance(completion, Generated):
            self.pulse.new_tokens += completion.new_tokens
        seat, request = answer.to.name, answer.to.request
        self.admission.answered(self.conversation, seat, self.turn, request, completion)

    def _broken(self, seat: str, error: Exception) -> Failure:
        _log.error("agent %s failed in seat %s", self.job.agents[seat].id, seat, exc_info=error)
        return Failure(boundary="agent", kind="error", message=f"{type(error).__name__}: {error}")
