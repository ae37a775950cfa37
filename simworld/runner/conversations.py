"""Many conversations at once: each episode is a generator, each agent's thinking another, and the
models work on all their requests together. Nothing here knows a database: episodes are handed out
as they end, and the caller stores them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from simworld.core.engine import EpisodeGenerator, play
from simworld.core.episode import Act, Episode, WorkItem
from simworld.core.errors import Failure
from simworld.core.protocols import ActGenerator, ActResult, Agent, Backend
from simworld.core.requests import Completion, Finished, Generated, Request
from simworld.core.scenario import Scenario
from simworld.core.stopping import Stopping
from simworld.runner.admission import Admission, LiveConversation

_log = logging.getLogger(__name__)
_TURN_ABOUT_S = 0.02  # how long one backend may wait while another has work too


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
class Pulse:
    """What has happened so far in all conversations, unfinished ones included."""

    turns: int = 0  # that are over
    limits_live: int = 0  # turns that the conversations under way may have, together
    new_tokens: int = 0  # written by models
    # seconds that each backend worked or was waited for
    polled_s: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _ConversationState:
    """A live conversation."""

    job: Job
    game: EpisodeGenerator
    guest: LiveConversation
    started: datetime
    turn: int = -1
    thinking: dict[str, ActGenerator] = field(
        default_factory=dict
    )  # seats that have not answered yet
    replies: dict[str, ActResult] = field(default_factory=dict)


def play_jobs(
    jobs: Iterable[Job],
    backends: Mapping[str, Backend],
    *,
    live: int = 32,
    pulse: Pulse | None = None,
    on_beat: Callable[[], None] = lambda: None,
    on_acts: OnActs = lambda job, turn, acts: None,
    stopping: Stopping | None = None,
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
    if live < 1:
        raise ValueError(f"live is {live}; at least one conversation must be allowed")
    stopping = stopping or Stopping()
    driver = _Driver(backends, pulse or Pulse(), stopping, on_acts)
    queue = iter(jobs)
    waiting: Job | None = None
    while True:
        # Who asks no model ends at once: handed out before another job is drawn, and before a model
        # is waited for.
        while driver.count < live and not driver.ended:
            waiting = waiting or next(queue, None)
            if waiting is None or not stopping.may_begin(driver.count) or not driver.start(waiting):
                break
            waiting = None
        if driver.count and not driver.ended:
            driver.work()
            on_beat()
        if not driver.count and not driver.ended:
            return
        yield from driver.take()
        stopping.check()


class _Driver:
    def __init__(
        self, backends: Mapping[str, Backend], pulse: Pulse, stopping: Stopping, on_acts: OnActs
    ) -> None:
        self.count = 0
        self.ended: list[Played] = []
        self._backends = backends
        self._pulse = pulse
        self._stopping = stopping
        self._on_acts = on_acts
        self._admission = Admission(backends)
        self._open: dict[str, dict[int, tuple[_ConversationState, str, Request]]] = {
            key: {} for key in backends
        }

    def start(self, job: Job) -> bool:
        """Seats the agents and asks whoever is due; False, and nothing is done, while there is no
        room for it.
        """
        for agent in job.agents.values():
            if agent.model and agent.model not in self._backends:
                raise ValueError(f"no backend for {agent.model!r}")
        cast = {seat: agent.id for seat, agent in job.agents.items()}
        guest = self._admission.guest(job.scenario, job.agents)
        if not self._admission.fits(guest):
            return False
        self._admission.enter(guest)
        table = _ConversationState(
            job=job, game=play(job.scenario, cast, job.seed), guest=guest, started=datetime.now(UTC)
        )
        self.count += 1
        self._pulse.limits_live += job.scenario.limits.turns
        self._advance(table)
        return True

    def take(self) -> list[Played]:
        """What has ended since the last time."""
        ended, self.ended = self.ended, []
        return ended

    def work(self) -> None:
        """Lets the models work until something happens."""
        busy = [key for key, tickets in self._open.items() if tickets]
        for key in busy:
            wait_s = None if len(busy) == 1 else _TURN_ABOUT_S
            begun = time.perf_counter()
            done = self._backends[key].poll(wait_s) or (self._lost(key) if wait_s is None else ())
            polled = self._pulse.polled_s
            polled[key] = polled.get(key, 0.0) + time.perf_counter() - begun
            for finished in done:
                asked = self._open[key].pop(finished.ticket, None)
                if asked is None:
                    continue  # of a run that was abandoned before this one
                table, seat, request = asked
                if isinstance(finished.completion, Generated):
                    self._pulse.new_tokens += finished.completion.new_tokens
                self._stopping.answered(key, request, finished.completion)
                self._admission.answered(
                    table.guest, seat, table.turn, request, finished.completion
                )
                self._think(table, seat, finished.completion)
                if not table.thinking:
                    self._advance(table)

    def _lost(self, key: str) -> list[Finished]:
        # A backend that waits without a limit and comes back with nothing has lost what it was
        # given.
        failure = Failure(
            boundary="model", kind="lost", message=f"{key} never answered the request"
        )
        return [Finished(ticket=ticket, completion=failure) for ticket in self._open[key]]

    def _advance(self, table: _ConversationState) -> None:
        # Agents that ask no model answer at once, so several turns may pass here.
        while True:
            if acts := [reply for reply in table.replies.values() if isinstance(reply, Act)]:
                self._on_acts(table.job, table.turn, acts)
            try:
                due = table.game.send(table.replies) if table.replies else next(table.game)
            except StopIteration as over:
                ended = datetime.now(UTC)
                self.ended.append(
                    Played(job=table.job, episode=over.value, started=table.started, ended=ended)
                )
                self.count -= 1
                self._stopping.ended()
                self._pulse.turns += len(over.value.turns) - max(0, table.turn)
                self._pulse.limits_live -= table.job.scenario.limits.turns
                self._admission.leave(table.guest)
                return
            self._pulse.turns += table.turn >= 0
            table.turn += 1
            table.replies = {}
            table.thinking = {}
            for seat, observation in due.items():
                try:
                    table.thinking[seat] = table.job.agents[seat].act(observation)
                except Exception as error:  # the boundary of an agent's own code, as in _think
                    table.replies[seat] = _broken(table, seat, error)
            for seat in tuple(table.thinking):
                self._think(table, seat, None)
            if table.thinking:
                return

    def _think(self, table: _ConversationState, seat: str, completion: Completion | None) -> None:
        agent = table.job.agents[seat]
        thinking = table.thinking[seat]
        try:
            request = next(thinking) if completion is None else thinking.send(completion)
            ticket = self._submit(agent, request)
            self._admission.asked(table.guest, seat, request)
        except StopIteration as over:
            reply = over.value
        except Exception as error:  # the boundary of an agent's own code: recorded with the episode
            reply = _broken(table, seat, error)
        else:
            self._open[agent.model][ticket] = (table, seat, request)
            return
        if not isinstance(reply, Act | Failure):
            message = f"expected an Act or a Failure, got {type(reply).__name__}"
            reply = Failure(boundary="agent", kind="error", message=message)
        table.replies[seat] = reply
        del table.thinking[seat]

    def _submit(self, agent: Agent, request: Request) -> int:
        if not agent.model:
            raise TypeError("it asks a model, but names none")
        return self._backends[agent.model].submit(request)


def _broken(table: _ConversationState, seat: str, error: Exception) -> Failure:
    _log.error("agent %s failed in seat %s", table.job.agents[seat].id, seat, exc_info=error)
    return Failure(boundary="agent", kind="error", message=f"{type(error).__name__}: {error}")
