"""A small world whose answers are worked out by hand: two scenarios, three agents, one judge.

Shares of the range; `overall` = (3 · goal + bond) / 4. Rival sits in the other seat. "–": no score.

             ticket, seller     ticket, buyer      rent, owner        rent, tenant
             goal bond overall  goal bond overall  goal bond overall
    base     .4   .5   .425     .2   .5   .275     .5   .5   .5       – (failed, again, then the judge failed)
    steered  .8   .6   .75      .6   .6   .6       .7   .7   .7       – (the episode failed)
    rival    .5   .5   .5  beside base and steered (as buyer: .6 .6 .6 beside base, .5 .5 .5 beside steered)
                                                   as tenant: .5 .5 .5 beside base, .3 .5 .35 beside steered
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np

from simworld.core.episode import CheckResult, Ending, Episode, PlanStep, Turn, WorkItem
from simworld.core.errors import Failure
from simworld.core.scenario import Scenario
from store import AgentRecord, PlannedItem, RunRecord, Store, TrainingRecord
from tests.factories.stored import NOON, RENT, TICKET, judged, speak, unjudgeable

AGENTS = tuple(
    AgentRecord(id=f"{name}@1", name=name, spec={"model": "m"})
    for name in ("base", "steered", "rival")
)
TIMEOUT = Failure(boundary="model", kind="timeout", message="no answer in 60 s")
RUBRIC = {
    "name": "small",
    "id": "small@0",
    "dimensions": [
        {"name": "goal", "low": 0.0, "high": 10.0, "question": "?", "weight": 3.0},
        {"name": "bond", "low": -5.0, "high": 5.0, "question": "?", "weight": 1.0},
    ],
}
LEFT, LIMIT = (Ending.terminated, "left"), (Ending.turn_limit, "turn_limit")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredEpisode:
    """One episode; scores are (goal, bond) shares by seat order, None where there is none."""

    scenario: Scenario
    cast: tuple[str, str]
    ending: tuple[Ending, str] = LIMIT
    scores: tuple[tuple[float, float], tuple[float, float]] | None = None
    holds: bool | None = None
    lines: Sequence[str] = ("Hello there.", "Good evening to you.")
    attempt: int = 1
    failure: Failure | None = None
    judge_fails: bool = False
    action: Sequence[float] | None = None  # of the first seat's planner


WORLD = (
    ScoredEpisode(
        scenario=TICKET,
        cast=("base", "rival"),
        ending=LEFT,
        scores=((0.4, 0.5), (0.6, 0.6)),
        holds=True,
    ),
    ScoredEpisode(
        scenario=TICKET,
        cast=("steered", "rival"),
        scores=((0.8, 0.6), (0.5, 0.5)),
        holds=True,
        lines=("Take it for 70 euros.", "Fine.", "Take it for 70 euros."),
        action=(3.0, 4.0),
    ),
    ScoredEpisode(
        scenario=TICKET, cast=("rival", "base"), scores=((0.5, 0.5), (0.2, 0.5)), holds=False
    ),
    ScoredEpisode(
        scenario=TICKET, cast=("rival", "steered"), ending=LEFT, scores=((0.5, 0.5), (0.6, 0.6))
    ),
    ScoredEpisode(
        scenario=RENT, cast=("base", "rival"), scores=((0.5, 0.5), (0.5, 0.5)), holds=False
    ),
    ScoredEpisode(
        scenario=RENT,
        cast=("steered", "rival"),
        scores=((0.7, 0.7), (0.3, 0.5)),
        holds=True,
        action=(0.0, 5.0),
    ),
    ScoredEpisode(scenario=RENT, cast=("rival", "base"), failure=TIMEOUT, lines=()),
    ScoredEpisode(scenario=RENT, cast=("rival", "base"), attempt=2, holds=True, judge_fails=True),
    ScoredEpisode(scenario=RENT, cast=("rival", "steered"), failure=TIMEOUT, lines=("Hello.",)),
)


def store_world(
    store: Store,
    world: Sequence[ScoredEpisode] = WORLD,
    *,
    run: str = "first",
    agents: Sequence[AgentRecord] = AGENTS,
) -> list[str]:
    """Stores a world as a run and returns the ids of its episodes."""
    ids = {agent.name: agent.id for agent in agents}
    items = [_item(run, one, ids) for one in world]
    planned = {
        item.key: PlannedItem(
            item=item, scenario_name=one.scenario.name, family=one.scenario.family
        )
        for item, one in zip(items, world, strict=True)
    }
    record = RunRecord(name=run, seed=7, code_version="0.1", created=NOON)
    store.begin_run(
        record,
        list(planned.values()),
        list({one.scenario.id: one.scenario for one in world}.values()),
        agents,
    )
    store.add_judge("j@1", "j", {"spec": {"name": "j"}, "rubric": RUBRIC})
    for number, (item, one) in enumerate(zip(items, world, strict=True)):
        started = NOON + timedelta(minutes=number)
        assert store.add_episode(
            item,
            one.attempt,
            _episode(item, one),
            scenario_name=one.scenario.name,
            family=one.scenario.family,
            started=started,
            ended=started + timedelta(seconds=30),
        )
        judge(store, item.episode_id(one.attempt), one)
    return [item.episode_id(one.attempt) for item, one in zip(items, world, strict=True)]


def train(store: Store) -> None:
    """A training with two metrics."""
    store.begin_training(
        TrainingRecord(name="haggler", kind="td3bc", code_version="0.1", created=NOON)
    )
    store.add_training_steps(
        "haggler", [(0, {"loss": 2.0}), (10, {"loss": 1.0, "q": 0.5}), (20, {"loss": 0.25})]
    )


def judge(
    store: Store, episode: str, one: ScoredEpisode, *, judge_id: str = "j@1", sample: int = 0
) -> None:
    """Stores what a judge makes of an episode, by the world's scores."""
    if one.scores is not None:
        shares = {
            (seat.name, dimension): share
            for seat, of_seat in zip(one.scenario.seats, one.scores, strict=True)
            for dimension, share in zip(("goal", "bond"), of_seat, strict=True)
        }
        store.add_judgement(
            judged(episode, raw_scores(shares), judge=judge_id, sample=sample), shares
        )
    elif one.judge_fails:
        store.add_judgement(unjudgeable(episode, judge=judge_id, sample=sample), {})


def raw_scores(shares: Mapping[tuple[str, str], float]) -> dict[tuple[str, str], float]:
    """The scores of these shares."""
    return {
        (seat, name): 10 * share - (5 if name == "bond" else 0)
        for (seat, name), share in shares.items()
    }


def with_scores(one: ScoredEpisode, scores: Any) -> ScoredEpisode:
    return replace(one, scores=scores, judge_fails=False)


def failed_judge(one: ScoredEpisode) -> ScoredEpisode:
    return replace(one, scores=None, judge_fails=one.failure is None)


def _item(run: str, one: ScoredEpisode, ids: Mapping[str, str]) -> WorkItem:
    cast = {seat.name: ids[agent] for seat, agent in zip(one.scenario.seats, one.cast, strict=True)}
    return WorkItem(run=run, scenario_id=one.scenario.id, cast=cast, repeat=0)


def _episode(item: WorkItem, one: ScoredEpisode) -> Episode:
    seats = [seat.name for seat in one.scenario.seats]
    turns = []
    for index, line in enumerate(one.lines):
        act = speak(seats[index % 2], line, turn=index)
        if one.action is not None and index % 2 == 0:
            vectors = {"state": np.ones(3, np.float32), "action": np.array(one.action, np.float32)}
            act = replace(
                act, plan=PlanStep(**vectors, encoder_id="e1", planner_id="p1", noisy=index > 0)
            )
        turns.append(Turn(index=index, acts=(act,)))
    ending, reason = (Ending.failed, one.failure.kind) if one.failure else one.ending
    name = "price" if one.scenario is TICKET else "word"
    return Episode(
        scenario_id=item.scenario_id,
        cast=item.cast,
        seed=1,
        turns=tuple(turns),
        ending=ending,
        reason=reason,
        checks=() if one.failure else (CheckResult(name=name, holds=one.holds),),
        failure=one.failure,
    )
