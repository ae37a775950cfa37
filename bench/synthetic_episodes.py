"""Episodes and judgements out of a hat: nobody spoke and nobody judged, but everything that a store
keeps is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from simworld.core.episode import (
    Act,
    Action,
    ActionKind,
    CheckResult,
    Ending,
    Episode,
    Generation,
    PlanStep,
    Turn,
    WorkItem,
)
from simworld.core.errors import Failure
from simworld.core.judgement import Judgement, JudgementStatus, Rubric, Verdict
from simworld.core.seeding import derive_seed, make_rng

TURNS = 10
STATE, ACTION = 576, 64  # numbers in the vectors of a steered act
SHARE_FAILED = 0.01
SHARE_UNJUDGED = 0.005
PHRASES = (
    "I came early because I hoped we could talk",
    "that is more than I wanted to pay",
    "the others have not told you everything",
    "we agreed on something else last week",
    "give me until tomorrow morning and you will have it",
    "you know how much this means to my mother",
    "nobody else asked me about the garden",
    "I am sorry for what I said at the station",
    "let us share it and tell no one",
    "forty euros and the ticket is yours",
    "please do not leave before the music starts",
    "I never promised to keep the room",
)


Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticJudge:
    """How a judge of the benchmark scores."""

    id: str
    rubric: Rubric
    whole: bool  # whole numbers, as a server's model gives them, and so many ties
    noise: float  # standard deviation of its second thoughts, as a share of the range
    twice: float  # share of episodes with two samples


def make_episode(
    item: WorkItem, names: Mapping[str, str], *, steered: str = "", fails: bool = False
) -> Episode:
    """An episode of about ten turns; one that fails breaks off.

    Args:
        item: what is played.
        names: seat → agent name.
        steered: the agent whose acts carry vectors.
        fails: the model times out.
    """
    seed = derive_seed("bench", item.key)
    rng = make_rng(seed)
    seats = list(item.cast)
    count = int(rng.integers(TURNS - 3, TURNS + 4)) if not fails else int(rng.integers(1, TURNS))
    lengths = rng.integers(1, 4, size=count)
    phrases = rng.integers(len(PHRASES), size=(count, 3))
    numbers = rng.random((count, 3))
    turns = []
    for index in range(count):
        seat = seats[index % len(seats)]
        text = ", and ".join([PHRASES[p] for p in phrases[index, : lengths[index]]]) + "."
        turns.append(
            Turn(
                index=index,
                acts=(_act(seat, text, index, numbers[index], seed, names[seat] == steered),),
            )
        )
    left = not fails and numbers[0, 0] < 0.3
    failure = (
        Failure(boundary="model", kind="timeout", message="no answer within 60 s")
        if fails
        else None
    )
    return Episode(
        scenario_id=item.scenario_id,
        cast=item.cast,
        seed=seed,
        turns=tuple(turns),
        ending=Ending.failed if fails else Ending.terminated if left else Ending.turn_limit,
        reason="timeout" if fails else "left" if left else "turn_limit",
        checks=()
        if fails
        else (
            CheckResult(
                name="price", holds=numbers[0, 1] < 0.5, value=float(lengths[0]), turn=count - 1
            ),
        ),
        failure=failure,
    )


def make_judgements(
    judging: SyntheticJudge, item: WorkItem, names: Mapping[str, str], episode_id: str, family: str
) -> Iterator[Judgement]:
    """The judgements of an episode by one judge: one, seldom two, seldom a failure."""
    rng = make_rng(derive_seed("bench", judging.id, episode_id))
    if rng.random() < SHARE_UNJUDGED:
        failure = Failure(boundary="reply", kind="unreadable", message="no score in the reply")
        yield Judgement(
            episode_id=episode_id,
            judge_id=judging.id,
            sample=0,
            status=JudgementStatus.failed,
            rubric_id=judging.rubric.id,
            failure=failure,
        )
        return
    episode = rng.normal(0, 0.1, size=(len(item.cast), len(judging.rubric.dimensions)))
    for sample in range(2 if rng.random() < judging.twice else 1):
        share = np.clip(
            _expected_shares(item, names, family)
            + episode
            + rng.normal(0, judging.noise, episode.shape),
            0.0,
            1.0,
        )
        yield _judgement(judging, item, episode_id, sample, share)


def shares(judging: SyntheticJudge, judgement: Judgement) -> dict[tuple[str, str], float]:
    """(Seat, dimension) → the verdict's share of its range."""
    ranges = {d.name: d for d in judging.rubric.dimensions}
    return {(v.seat, v.dimension): ranges[v.dimension].rescale(v.score) for v in judgement.verdicts}


def _act(seat: str, text: str, turn: int, numbers: Floats, seed: int, steered: bool) -> Act:
    made = Generation(
        model_id="bench-model",
        dtype="bfloat16",
        prompt_version="bench",
        seed=(seed + turn) % 2**64,
        prompt_tokens=200 + 30 * turn,
        new_tokens=len(text) // 4,
        latency_s=float(0.2 + numbers[0]),
        logprob=float(-len(text) * numbers[1]),
        finish="stop",
        raw=text,
    )
    plan = None
    if steered:
        vectors = make_rng(seed).standard_normal(STATE + ACTION, dtype=np.float32)
        plan = PlanStep(
            state=vectors[:STATE],
            action=vectors[STATE:],
            encoder_id="bench-encoder",
            planner_id="bench-planner",
        )
    return Act(
        seat=seat, action=Action(kind=ActionKind.speak, text=text), generation=made, plan=plan
    )


def _expected_shares(item: WorkItem, names: Mapping[str, str], family: str) -> Floats:
    """What each seat can expect, (seats, 1): a better agent gets more, and so does whoever sits
    well or beside a kind one."""
    levels = []
    for seat in item.cast:
        beside = next((other for other in item.cast if other != seat), seat)
        effects = [
            0.02 * _effect("agent", names[seat]),
            0.02 * _effect("beside", names[beside]),
            0.1 * _effect("seat", f"{family}/{seat}"),
            0.02 * _effect("agent in family", f"{family}/{names[seat]}"),
        ]
        levels.append(0.5 + sum(effects))
    return np.array(levels)[:, None]


@cache
def _effect(kind: str, name: str) -> float:
    return float(make_rng(derive_seed("bench", kind, name)).normal())


def _judgement(
    judging: SyntheticJudge, item: WorkItem, episode_id: str, sample: int, share: Floats
) -> Judgement:
    verdicts = []
    for seat, of_seat in zip(item.cast, share.tolist(), strict=True):
        for d, value in zip(judging.rubric.dimensions, of_seat, strict=True):
            score = d.low + (d.high - d.low) * value
            score = float(round(score)) if judging.whole else score
            reasoning = f"{seat} came some way towards this." if judging.whole else ""
            verdicts.append(
                Verdict(
                    seat=seat,
                    dimension=d.name,
                    score=score,
                    reasoning=reasoning,
                    raw={"log_odds": value},
                )
            )
    return Judgement(
        episode_id=episode_id,
        judge_id=judging.id,
        sample=sample,
        status=JudgementStatus.ok,
        rubric_id=judging.rubric.id,
        verdicts=tuple(verdicts),
        model_id="bench-judge",
        dtype="bfloat16",
        prompt_tokens=900,
        new_tokens=14,
        latency_s=0.4,
    )
