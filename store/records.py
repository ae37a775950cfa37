"""What goes into the store and what comes out: frozen records, never a session or a row object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from simworld.core.episode import Ending, Episode, WorkItem
from simworld.core.errors import Failure
from simworld.core.judgement import Judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """A run as it was begun."""

    name: str
    seed: int
    code_version: str
    created: datetime  # with a zone
    settings: Mapping[str, Any] = field(default_factory=dict)
    profile: Mapping[str, Any] | None = None  # what the run took, set when it ends


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRecord:
    """An agent that can be cast."""

    id: str
    name: str
    spec: Mapping[str, Any]  # resolved, plain JSON data


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeRecord:
    """A judge that has judged, or is about to."""

    id: str
    name: str
    spec: Mapping[str, Any]  # resolved, plain JSON data


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedItem:
    """A work item with the names it has in its run."""

    item: WorkItem
    scenario_name: str
    family: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemState:
    """How far a work item is: attempts made, and how the last one ended."""

    attempts: int  # at least 1
    ending: Ending


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatRecord:
    """Who sat in a seat."""

    seat: str
    agent_id: str
    agent_name: str
    persona: str  # name of the character


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeSummary:
    """An episode without its turns."""

    id: str
    run: str
    item_key: str
    attempt: int  # from 1
    scenario_id: str
    scenario_name: str
    family: str
    repeat: int  # from 0
    seed: int
    ending: Ending
    reason: str
    failure: Failure | None
    started: datetime  # UTC
    ended: datetime  # UTC
    turns: int
    prompt_tokens: int
    new_tokens: int
    code_version: str
    parent_id: str | None
    seats: tuple[SeatRecord, ...]  # in the scenario's order


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEpisode:
    """An episode as played, with what the store knows about it."""

    summary: EpisodeSummary
    episode: Episode

    @property
    def id(self) -> str:
        """The episode's id."""
        return self.summary.id


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredJudgement:
    """A judgement as made, with what the store knows about it."""

    judgement: Judgement
    judge_name: str
    attempt: int  # from 1
    earlier_failures: tuple[Failure, ...]
    rescaled: Mapping[tuple[str, str], float]  # (seat, dimension) → share of the range, 0 to 1
    judged: datetime  # UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRow:
    """One score with what tables and intervals group by. Rows of several judges must not be averaged together."""

    judge_id: str
    judge_name: str
    sample: int
    run: str
    scenario_id: str
    scenario_name: str
    family: str
    episode_id: str
    repeat: int
    seat: str
    agent_id: str
    agent_name: str
    dimension: str
    score: float
    rescaled: float  # 0 to 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """A run with what has become of its work items; an item counts by its last attempt."""

    run: RunRecord
    planned: int  # work items
    done: int  # items whose last attempt did not fail
    failed: int  # items whose last attempt failed
    episodes: int  # all attempts
    judged: int  # episodes with at least one judgement that is ok
