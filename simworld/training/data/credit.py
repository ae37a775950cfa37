"""The reward of one seat's steered utterances: judges or a measure score them, and the score is
shared out over them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simworld.core.credit_assignment import (
    CreditAssignment,
    credit_at_end,
    credit_by_measurement,
    credit_by_score_change,
    credit_by_weights,
    credit_uniformly,
)
from simworld.core.measures import weighted_mean
from simworld.training.data.dataset_query import RewardPlacement
from store import JudgementScores, SeatTrace

RewardWeights = Mapping[str, Mapping[str, float]]  # judge id → dimension → weight


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatReward:
    """What a seat's part of an episode is worth."""

    placed: CreditAssignment
    scores: tuple[float, ...]  # of each judgement; their mean is the sum of `placed.parts`


def judged_rewards(
    trace: SeatTrace, turns: Sequence[int], weights: RewardWeights, place: RewardPlacement
) -> SeatReward | None:
    """Gives the mean over the judgements of a trace, shared out over its steered turns; None where
    a judgement that is needed is missing.
    """
    found = [given for given in trace.scores if given.judge_id in weights]
    if any(
        name not in given.rescaled
        for given in found
        for name, weight in weights[given.judge_id].items()
        if weight
    ):
        return None
    scores = [weighted_mean(given.rescaled, weights[given.judge_id]) for given in found]
    parts = [
        _placed(given, score, turns, weights[given.judge_id], place)
        for given, score in zip(found, scores, strict=True)
    ]
    there = [placed for placed in parts if placed is not None]
    if not parts or len(there) < len(parts):
        return None
    mean = CreditAssignment(
        parts=np.mean([placed.parts for placed in there], axis=0),
        baseline_shares=np.mean([placed.baseline_shares for placed in there], axis=0),
    )
    return SeatReward(placed=mean, scores=tuple(scores))


def measured_rewards(values: NDArray[np.float64], place: RewardPlacement) -> SeatReward:
    """Gives the reward of numbers measured on utterances (n,); their mean is the score."""
    score = float(values.mean())
    if place == "utterance":
        return SeatReward(placed=credit_by_measurement(list(values)), scores=(score,))
    return SeatReward(
        placed=(credit_at_end if place == "end" else credit_uniformly)(score, len(values)),
        scores=(score,),
    )


def _placed(
    given: JudgementScores,
    score: float,
    turns: Sequence[int],
    weights: Mapping[str, float],
    place: RewardPlacement,
) -> CreditAssignment | None:
    if place == "end":
        return credit_at_end(score, len(turns))
    if place == "uniform":
        return credit_uniformly(score, len(turns))
    if place == "attributed":
        said = given.attributions.get(("attributed", ""), {})
        return (
            credit_by_weights(score, [said[turn] for turn in turns])
            if all(turn in said for turn in turns)
            else None
        )
    return _prefixes(
        given, score, turns, {name: weight for name, weight in weights.items() if weight}
    )


def _prefixes(
    given: JudgementScores, score: float, turns: Sequence[int], weights: Mapping[str, float]
) -> CreditAssignment | None:
    """Shares a score out by prefixes: a stored score is that of the dialogue up to the seat's next
    turn, steered or not, and the last one is the episode's.
    """
    said = {name: given.attributions.get(("prefixes", name), {}) for name in weights}
    if any(turn not in values for values in said.values() for turn in turns):
        return None
    after = []
    for following in turns[1:]:
        last = {
            name: values[max(turn for turn in values if turn < following)]
            for name, values in said.items()
        }
        after.append(weighted_mean(last, weights))
    return credit_by_score_change([*after, score])
