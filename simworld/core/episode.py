"""What happens: actions, turns, and the episode they make; and what one seat may know at its
turn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from simworld.core.errors import Failure
from simworld.core.scenario import ENGLISH, Persona, Relationship


class ActionKind(StrEnum):
    """The five kinds of act."""

    speak = "speak"
    non_verbal = "non-verbal"
    action = "action"
    leave = "leave"
    none = "none"


class Ending(StrEnum):
    """How an episode ended: by itself, cut at the turn limit, or by a failure."""

    terminated = "terminated"
    turn_limit = "turn_limit"
    failed = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What a seat does in a turn. `to` names the seats that alone perceive it; empty means
    everyone.
    """

    kind: ActionKind
    text: str = ""
    to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanStep:
    """A planner's state and action vectors as used in one act, raw (promise 6)."""

    state: NDArray[np.float32]  # (d_s,) float32
    # (d',) float32 on the sphere of radius √d'; None where states are only recorded
    action: NDArray[np.float32] | None
    encoder_id: str  # LM hash, template, layer, position
    planner_id: str = ""  # empty: no planner
    noisy: bool = False  # exploration noise was added


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """What made an utterance (promise 5)."""

    model_id: str  # content hash of the model
    dtype: str  # the dtype in use: "float32", "bfloat16", or "" for a server
    # content hash of the prompt template, and after a plus what else shaped the prompt
    prompt_version: str
    seed: int  # of this act's sampling, [0, 2**64)
    prompt_tokens: int
    new_tokens: int
    latency_s: float
    # nats, of the whole reply under the model; None where a server gives none
    logprob: float | None
    finish: str  # "stop" or "length"
    # the reply as the model wrote it; its thoughts stand before it, between `<think>` and
    # `</think>`
    raw: str
    asks: int = 1  # requests made for this act, re-asks included
    dropped_events: int = 0  # oldest events left out because the prompt was too long for the model
    # those of `new_tokens` that were thought; None where unknown
    reasoning_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One seat's part of a turn."""

    seat: str
    action: Action
    generation: Generation | None = None  # None for scripted agents and people
    plan: PlanStep | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One engine step: one act, or in simultaneous order one act of each seat still present."""

    index: int  # from 0
    acts: tuple[Act, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What a scenario's check found; `holds` is None where it could not be decided, and `error`
    says why.
    """

    name: str
    holds: bool | None
    value: float | str | None = None  # the number or the text found
    turn: int | None = None  # where
    error: str | None = None


MAX_REPEATS = 100_000  # of one scenario and cast: the work items of a run are held in memory


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkItem:
    """One episode to play: idempotent, named by its content and not by its place in a queue."""

    run: str  # the run's name
    scenario_id: str
    cast: Mapping[str, str]  # seat → agent id
    repeat: int  # from 0

    @property
    def key(self) -> str:
        """128 bits of SHA-256 over run, scenario, cast and repeat, as 32 hex digits."""
        cast = "\n".join(f"{seat}={agent}" for seat, agent in sorted(self.cast.items()))
        text = f"{self.run}\n{self.scenario_id}\n{self.repeat}\n{cast}"
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def episode_id(self, attempt: int) -> str:
        """The id of this item's episode at an attempt (from 1), 20 hex digits."""
        return hashlib.sha256(f"{self.key}/{attempt}".encode()).hexdigest()[:20]


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One conversation from start to end, as played."""

    scenario_id: str
    cast: Mapping[str, str]  # seat → agent id
    seed: int  # of this episode, derived from run seed, scenario id and repeat
    turns: tuple[Turn, ...]
    ending: Ending
    reason: str  # "left", "silence", "check:<name>", "turn_limit", or the failure's kind
    checks: tuple[CheckResult, ...] = ()
    failure: Failure | None = None  # set exactly when `ending` is failed

    @property
    def acts(self) -> tuple[Act, ...]:
        """All acts in order."""
        return tuple(act for turn in self.turns for act in turn.acts)


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherSeat:
    """Another seat as one seat sees it: what the relationship hides is empty."""

    seat: str
    label: str  # the name this seat knows them by, else their role
    relationship: Relationship
    persona: Persona | None  # only the visible fields are filled; None for strangers
    present: bool = True  # False once they have left


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An earlier act that a seat perceived."""

    turn: int
    seat: str
    label: str  # how the observing seat calls the actor
    action: Action


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """Exactly what one seat may know at its turn; nothing else reaches its prompt."""

    seat: str
    label: str  # the seat's own short name in the dialogue
    persona: Persona
    setting: str
    goal: str
    knows: str
    secret: str
    others: tuple[OtherSeat, ...]
    events: tuple[Event, ...]  # oldest first
    turn: int  # from 0
    turns_limit: int
    seed: int  # of this act's sampling
    # the same for all acts of the episode; with `seat` it names a thread whose cache may live on
    episode_seed: int
    kinds: tuple[ActionKind, ...] = field(default=tuple(ActionKind))
    language: str = ENGLISH  # the scenario's
