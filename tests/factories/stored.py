"""Small scenarios, episodes and judgements for the tests of the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from simworld.core.episode import (
    Act,
    Action,
    ActionKind,
    CheckResult,
    Ending,
    Episode,
    Generation,
    Turn,
    WorkItem,
)
from simworld.core.errors import Failure
from simworld.core.judgement import Judgement, JudgementStatus, Verdict
from simworld.core.scenario import (
    Check,
    CheckKind,
    Limits,
    Persona,
    Relationship,
    Scenario,
    Seat,
    TurnOrder,
)
from store import AgentRecord, PlannedItem, RunRecord, Store

NOON = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)
AGENTS = (
    AgentRecord(id="a1", name="smol", spec={"model": "m"}),
    AgentRecord(id="a2", name="rival", spec={"t": 0.5}),
)
TICKET = Scenario(
    name="ticket",
    title="The ticket",
    setting="One spare ticket.",
    seats=(
        Seat(
            name="seller",
            persona=Persona(name="Nadia Brandt", age=41),
            goal="Sell.",
            secret="Bad view.",
        ),
        Seat(
            name="buyer",
            persona=Persona(name="Tomás Okafor 🎻", pronouns="he/him"),
            goal="Buy.",
            knows="Sold out.",
        ),
    ),
    relationships={("seller", "buyer"): Relationship.acquaintance},
    order=TurnOrder.simultaneous,
    limits=Limits(turns=6, silence=3),
    checks=(
        Check(
            name="price",
            kind=CheckKind.number,
            pattern=r"(\d+) euros",
            between=(65.0, 90.5),
            last=True,
        ),
    ),
    family="tickets",
    kind="bargaining",
    tags=("money", "short"),
    rubric="custom",
    judge_note="The view matters.",
    meta={"source": "here"},
)
RENT = Scenario(
    name="rent",
    setting="A flat.",
    seats=(
        Seat(name="owner", persona=Persona(name="Ann Bell"), goal="Raise the rent."),
        Seat(name="tenant", persona=Persona(name="Bo Carr"), goal="Keep the rent."),
    ),
    checks=(Check(name="word", kind=CheckKind.keyword, words=("deal", "agreed"), ends=True),),
)


def item(
    run: str = "first",
    scenario: Scenario = TICKET,
    repeat: int = 0,
    agents: tuple[str, ...] = ("a1", "a2"),
) -> WorkItem:
    """A work item with agents by seat order."""
    cast = {seat.name: agent for seat, agent in zip(scenario.seats, agents, strict=True)}
    return WorkItem(run=run, scenario_id=scenario.id, cast=cast, repeat=repeat)


def plan(work: WorkItem, scenario: Scenario = TICKET) -> PlannedItem:
    return PlannedItem(item=work, scenario_name=scenario.name, family=scenario.family)


def begin(
    store: Store, run: str = "first", repeats: int = 3, scenario: Scenario = TICKET, seed: int = 7
) -> list[WorkItem]:
    """Begins a run of one scenario and returns its items."""
    items = [item(run, scenario, repeat) for repeat in range(repeats)]
    record = RunRecord(
        name=run, seed=seed, code_version="0.1", created=NOON, settings={"repeats": repeats}
    )
    store.begin_run(record, [plan(work, scenario) for work in items], [scenario], AGENTS)
    return items


def speak(seat: str, text: str, *, turn: int = 0) -> Act:
    made = Generation(
        model_id="m1",
        dtype="float32",
        prompt_version="p1",
        seed=2**64 - 1 - turn,
        prompt_tokens=100,
        new_tokens=7,
        latency_s=0.25,
        logprob=-12.5,
        finish="stop",
        raw=f" {text}\n",
        asks=2,
        dropped_events=1,
    )
    return Act(seat=seat, action=Action(kind=ActionKind.speak, text=text), generation=made)


def played(work: WorkItem, *lines: str, failure: Failure | None = None) -> Episode:
    """An episode of alternating lines, or one that failed after them."""
    seats = list(work.cast)
    turns = tuple(
        Turn(index=index, acts=(speak(seats[index % len(seats)], line, turn=index),))
        for index, line in enumerate(lines)
    )
    return Episode(
        scenario_id=work.scenario_id,
        cast=work.cast,
        seed=2**63 + work.repeat,
        turns=turns,
        ending=Ending.failed if failure else Ending.turn_limit,
        reason=failure.kind if failure else "turn_limit",
        checks=(CheckResult(name="price", holds=True, value=70.0, turn=1),),
        failure=failure,
    )


def add(store: Store, work: WorkItem, episode: Episode, attempt: int = 1, **changed: Any) -> bool:
    """Adds an episode that took a minute, `repeat` hours after noon."""
    started = NOON + timedelta(hours=work.repeat)
    details: dict[str, Any] = {
        "scenario_name": "ticket",
        "family": "tickets",
        "started": started,
        "ended": started + timedelta(minutes=1),
    }
    return store.add_episode(work, attempt, episode, **(details | changed))


def keep(
    store: Store,
    work: WorkItem,
    episode: Episode,
    scenario: Scenario,
    agents: Sequence[AgentRecord],
    *,
    at: datetime,
) -> None:
    """Begins or goes on with the item's run, and adds the episode, which took no time."""
    record = RunRecord(name=work.run, seed=1, code_version="0", created=at)
    store.begin_run(record, [plan(work, scenario)], [scenario], agents)
    assert store.add_episode(
        work, 1, episode, scenario_name=scenario.name, family=scenario.family, started=at, ended=at
    )


def judged(
    episode_id: str, scores: Mapping[tuple[str, str], float], *, judge: str = "j1", sample: int = 0
) -> Judgement:
    verdicts = tuple(
        Verdict(
            seat=seat,
            dimension=dimension,
            score=score,
            reasoning="because",
            raw={"log_odds": score / 2},
        )
        for (seat, dimension), score in scores.items()
    )
    return Judgement(
        episode_id=episode_id,
        judge_id=judge,
        sample=sample,
        status=JudgementStatus.ok,
        rubric_id="sotopia@0",
        verdicts=verdicts,
        model_id="m2",
        dtype="float32",
        prompt_tokens=50,
        new_tokens=2,
        latency_s=0.5,
        reply="{}",
    )


def unjudgeable(
    episode_id: str, kind: str = "timeout", *, judge: str = "j1", sample: int = 0
) -> Judgement:
    return Judgement(
        episode_id=episode_id,
        judge_id=judge,
        sample=sample,
        status=JudgementStatus.failed,
        rubric_id="sotopia@0",
        failure=Failure(boundary="judge", kind=kind, message="no answer"),
    )


def same(left: Any, right: Any) -> bool:
    """Equality that also compares arrays, by dtype, shape and bits."""
    if isinstance(left, np.ndarray):
        return bool(
            left.dtype == right.dtype
            and left.shape == right.shape
            and left.tobytes() == right.tobytes()
        )
    if hasattr(left, "__dataclass_fields__"):
        return type(left) is type(right) and all(
            same(getattr(left, name), getattr(right, name)) for name in left.__dataclass_fields__
        )
    if isinstance(left, tuple):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)
