"""What goes into the store and what comes out: frozen records, never a session or a row object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from simworld.core.episode import ActionKind, Ending, Episode, PlanStep, WorkItem
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
    profile: Mapping[str, Any] | None = None  # what its commands took: Store.add_profile


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
    failed_seat: SeatRecord | None  # whose failure ended it; None unless it failed

    @property
    def failure_text(self) -> str:
        """Whose failure ended it, at which boundary and how, in a line for people; empty unless it
        failed.
        """
        if self.failure is None:
            return ""
        seat = self.failed_seat
        return (
            f"{seat.seat} ({seat.agent_name}): {self.failure}"
            if seat is not None
            else str(self.failure)
        )


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
    """One score with what tables and intervals group by. Rows of several judges must not be
    averaged together.
    """

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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cells:
    """The last attempts at n work items of one run, on scenarios of S seats each, and what judges
    scored in them.
    """

    agent_names: tuple[str, ...]
    blocks: tuple[tuple[str, str, int], ...]  # family, scenario id, repeat; in that order
    block_index: NDArray[np.int64]  # (n,) ascending, into `blocks`
    episode: NDArray[np.uint64]  # (n,) the first 64 bits of its id
    failed: NDArray[np.bool_]  # (n,)
    # (n, S) who sat where, into `agent_names`; seats are in the scenario's order
    agent_index: NDArray[np.int64]
    # judge id → (n, S, M) by `measures_of_rubric` of its rubric; NaN where there is no score
    scores: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """A run with what has become of its work items; an item counts by its last attempt."""

    run: RunRecord
    planned: int  # work items
    done: int  # items whose last attempt did not fail
    failed: int  # items whose last attempt failed
    episodes: int  # all attempts
    judged: int  # episodes with at least one judgement that is ok


@dataclass(frozen=True, slots=True, kw_only=True)
class EndingCount:
    """How many episodes of a scenario ended in one way, within a run; every attempt counts."""

    scenario_id: str
    scenario_name: str
    family: str
    ending: Ending
    reason: str
    episodes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterNames:
    """The names that filters may use, some hundreds of each at most."""

    runs: tuple[str, ...]  # the latest first
    scenarios: tuple[str, ...]
    families: tuple[str, ...]
    agents: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioLine:
    """A scenario in a list."""

    id: str
    name: str
    title: str
    family: str
    kind: str
    episodes: int  # all attempts, in all runs


@dataclass(frozen=True, slots=True, kw_only=True)
class TextHit:
    """An episode in which words were found."""

    number: int  # later episodes have higher ones
    episode_id: str
    text: str  # a line for each act, in order


TrainingStatus = Literal["running", "finished", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRecord:
    """One training of a planner or an up-mapping."""

    name: str
    kind: str  # "upmap", "clone", "bc", "td3bc", …
    code_version: str
    created: datetime  # with a zone
    settings: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)  # query, rows, sha256
    status: TrainingStatus = "running"
    finished: datetime | None = None  # UTC
    checkpoint_id: str | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingStep:
    """A number measured while training."""

    step: int
    metric: str
    value: float  # NaN where it was not finite


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """What a judge says about one turn of a seat."""

    seat: str
    turn: int  # from 0
    value: float
    dimension: str = ""  # empty: the episode as a whole


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceQuery:
    """Which seats of which episodes; what is empty or None does not restrict. Failed episodes are
    never matched.
    """

    runs: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()  # names or ids of who sat in the seat
    scenarios: tuple[str, ...] = ()  # names or ids
    families: tuple[str, ...] = ()
    since: datetime | None = None  # the episode ended then or later
    until: datetime | None = None  # and before then
    encoders: tuple[str, ...] = ()  # ids, or their beginnings
    planners: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UsedAction:
    """A planner's action as it was used, and what was said under it."""

    episode_id: str
    turn: int  # from 0
    seat: str
    text: str
    action: NDArray[np.float32]
    noisy: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedAct:
    """One act of a seat, with its vectors if they were stored and fit the query."""

    turn: int
    kind: ActionKind
    text: str
    plan: PlanStep | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgementScores:
    """One judgement's scores of one seat."""

    judgement_id: str
    judge_id: str
    sample: int
    rescaled: Mapping[str, float]  # dimension → share of its range, 0 to 1
    # (method, dimension) → turn → value
    attributions: Mapping[tuple[str, str], Mapping[int, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatTrace:
    """What one seat did in one episode, and how it was judged."""

    episode_id: str
    run: str
    scenario_id: str
    scenario_name: str
    family: str
    ending: Ending
    seat: str
    agent_id: str
    agent_name: str
    acts: tuple[TracedAct, ...]  # all of the seat's, by turn
    scores: tuple[JudgementScores, ...]  # judgements that are ok, by judge and sample


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorKind:
    """Vectors that can go into one array, and how many acts have them."""

    encoder_id: str
    state_dtype: str
    state_shape: tuple[int, ...]
    action_dtype: str | None  # None: states only
    action_shape: tuple[int, ...] | None
    acts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceOverview:
    """What a query finds, counted without reading a vector."""

    endings: Mapping[Ending, int]  # episodes that match, failed ones counted too
    kinds: tuple[VectorKind, ...]
    planners: Mapping[str, int]  # planner id → acts
    dtypes: Mapping[str, int]  # number format of the model that acted → acts
    judges: Mapping[str, int]  # judge id → episodes with a judgement that is ok
    fingerprint: str  # of the episodes and judgements found: equal ones give equal traces
