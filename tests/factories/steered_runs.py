"""Steered episodes in a real store: small vectors, known texts and scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from simworld.core.episode import (
    Act,
    Action,
    ActionKind,
    Ending,
    Episode,
    Generation,
    PlanStep,
    Turn,
    WorkItem,
)
from simworld.core.errors import Failure
from simworld.core.judgement import Judgement, JudgementStatus, Verdict
from simworld.core.scenario import Scenario
from store import AgentRecord, Store, open_store
from tests.factories.scenarios import scenario as scenario
from tests.factories.stored import keep

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
AGENTS = (AgentRecord(id="s1", name="steered", spec={}), AgentRecord(id="b1", name="base", spec={}))
RUBRIC: Mapping[str, Any] = {
    "rubric": {"dimensions": [{"name": "goal", "weight": 3.0}, {"name": "tone", "weight": 1.0}]}
}


def new_store(folder: Path) -> Store:
    return open_store(f"sqlite:///{folder / 'world.db'}", create=True)


def step(
    turn: int,
    *,
    encoder: str = "e1",
    planner: str = "p1",
    width: int = 3,
    action: Sequence[float] = (),
) -> PlanStep:
    """A state of `width` numbers from 10 × turn on, and an action that differs by turn unless it is
    given."""
    chosen = action or ((1.0, -1.0), (-1.0, 1.0), (1.0, 1.0))[turn % 3]
    return PlanStep(
        state=np.arange(width, dtype=np.float32) + 10 * turn,
        action=np.array(chosen, dtype=np.float32),
        encoder_id=encoder,
        planner_id=planner,
        noisy=True,
    )


def play(
    store: Store,
    scene: Scenario,
    lines: Sequence[str],
    *,
    run: str = "first",
    repeat: int = 0,
    plans: Mapping[int, PlanStep] | None = None,
    failed: bool = False,
    dtype: str = "",
) -> str:
    """Stores an episode of alternating lines, the seller first and steered in each of its turns;
    returns its id.

    With a `dtype` the lines are those of a model that ran in it.
    """
    item = WorkItem(
        run=run, scenario_id=scene.id, cast={"seller": "s1", "buyer": "b1"}, repeat=repeat
    )
    given = {turn: step(turn) for turn in range(0, len(lines), 2)} if plans is None else plans
    turns = tuple(
        Turn(
            index=turn,
            acts=(
                Act(
                    seat=("seller", "buyer")[turn % 2],
                    action=Action(kind=ActionKind.speak, text=line),
                    generation=_written(line, dtype) if dtype else None,
                    plan=given.get(turn),
                ),
            ),
        )
        for turn, line in enumerate(lines)
    )
    episode = Episode(
        scenario_id=scene.id,
        cast=item.cast,
        seed=repeat,
        turns=turns,
        ending=Ending.failed if failed else Ending.turn_limit,
        reason="timeout" if failed else "turn_limit",
        failure=Failure(boundary="model", kind="timeout", message="no answer") if failed else None,
    )
    keep(store, item, episode, scene, AGENTS, at=NOON + timedelta(days=repeat))
    return item.episode_id(1)


def _written(line: str, dtype: str) -> Generation:
    return Generation(
        model_id="lm", dtype=dtype, prompt_version="v", seed=0, prompt_tokens=9, new_tokens=3, latency_s=0.1,
        logprob=-1.0, finish="stop", raw=line,
    )  # fmt: skip


def judge(
    store: Store,
    episode_id: str,
    goal: float,
    tone: float = 0.5,
    *,
    judge_id: str = "j1",
    sample: int = 0,
) -> None:
    """Scores, as shares of their ranges, of both seats; the judge's rubric weighs goal 3 and tone
    1."""
    store.add_judge(judge_id, judge_id.removesuffix("-b"), RUBRIC)
    rescaled = {
        (seat, name): v
        for seat in ("seller", "buyer")
        for name, v in (("goal", goal), ("tone", tone))
    }
    verdicts = tuple(
        Verdict(seat=seat, dimension=name, score=10 * v) for (seat, name), v in rescaled.items()
    )
    judgement = Judgement(
        episode_id=episode_id,
        judge_id=judge_id,
        sample=sample,
        status=JudgementStatus.ok,
        rubric_id="sotopia@0",
        verdicts=verdicts,
    )
    assert store.add_judgement(judgement, rescaled)


def judge_in_vain(store: Store, episode_id: str, judge_id: str = "j1") -> None:
    store.add_judge(judge_id, judge_id, RUBRIC)
    failure = Failure(boundary="judge", kind="timeout", message="no answer")
    empty = Judgement(
        episode_id=episode_id,
        judge_id=judge_id,
        sample=0,
        status=JudgementStatus.failed,
        rubric_id="sotopia@0",
        failure=failure,
    )
    assert store.add_judgement(empty, {})


def recorded(turn: int) -> PlanStep:
    """A state without an action, as `record_states` writes it."""
    return replace(step(turn), action=None, planner_id="", noisy=False)
