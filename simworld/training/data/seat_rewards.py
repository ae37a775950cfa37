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
    credit_by_changes,
    credit_by_measurement,
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

    credit: CreditAssignment
    scores: tuple[float, ...]  # of each judgement; their mean is the sum of `credit.parts`


def credit_judged(
    trace: SeatTrace, turns: Sequence[int], weights: RewardWeights, placement: RewardPlacement
) -> SeatReward | None:
    """Gives the mean over the judgements of a trace, shared out over its steered turns; None where
    a judgement that is needed is missing.
    """
    judgements = [judgement for judgement in trace.scores if judgement.judge_id in weights]
    if any(
        name not in judgement.rescaled
        for judgement in judgements
        for name, weight in weights[judgement.judge_id].items()
        if weight
    ):
        return None
    scores = [weighted_mean(each.rescaled, weights[each.judge_id]) for each in judgements]
    credits = [
        _credit_judgement(judgement, score, turns, weights[judgement.judge_id], placement)
        for judgement, score in zip(judgements, scores, strict=True)
    ]
    complete = [credit for credit in credits if credit is not None]
    if not credits or len(complete) < len(credits):
        return None
    mean_credit = CreditAssignment(
        parts=np.mean([credit.parts for credit in complete], axis=0),
        baseline_shares=np.mean([credit.baseline_shares for credit in complete], axis=0),
    )
    return SeatReward(credit=mean_credit, scores=tuple(scores))


def credit_measured(values: NDArray[np.float64], placement: RewardPlacement) -> SeatReward:
    """Gives the reward of numbers measured on utterances (n,); their mean is the score."""
    score = float(values.mean())
    if placement == "utterance":
        credit = credit_by_measurement(list(values))
    else:
        credit = (credit_at_end if placement == "end" else credit_uniformly)(score, len(values))
    return SeatReward(credit=credit, scores=(score,))


def _credit_judgement(
    judgement: JudgementScores,
    score: float,
    turns: Sequence[int],
    weights: Mapping[str, float],
    placement: RewardPlacement,
) -> CreditAssignment | None:
    if placement == "end":
        return credit_at_end(score, len(turns))
    if placement == "uniform":
        return credit_uniformly(score, len(turns))
    if placement == "attributed":
        attributions = judgement.attributions.get(("attributed", ""), {})
        return (
            credit_by_weights(score, [attributions[turn] for turn in turns])
            if all(turn in attributions for turn in turns)
            else None
        )
    return _credit_by_prefixes(
        judgement, score, turns, {name: weight for name, weight in weights.items() if weight}
    )


def _credit_by_prefixes(
    judgement: JudgementScores, score: float, turns: Sequence[int], weights: Mapping[str, float]
) -> CreditAssignment | None:
    """Shares a score out by prefixes: a stored score is that of the dialogue up to the seat's next
    turn, steered or not, and the last one is the episode's.
    """
    by_dimension = {name: judgement.attributions.get(("prefixes", name), {}) for name in weights}
    if any(turn not in values for values in by_dimension.values() for turn in turns):
        return None
    scores_after = []
    for next_turn in turns[1:]:
        latest = {
            name: values[max(turn for turn in values if turn < next_turn)]
            for name, values in by_dimension.items()
        }
        scores_after.append(weighted_mean(latest, weights))
    return credit_by_changes([*scores_after, score])
