"""What judges gave the seats of single episodes, read from their verdicts. Whole runs are read from
the cells that the store keeps: `average_judgements`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simworld.core.measures import OVERALL, DimensionScores, average_samples, rubric_json_of
from store import JudgeRecord, Store, StoredJudgement

EPISODES_PER_QUERY = 200  # whose judgements are asked for at once


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeScores:
    """What a judge gave a seat of an episode, its samples averaged."""

    dimensions: Mapping[str, float]  # in their own ranges, in the order of the verdicts
    # share of the range, weighted; None where a dimension with a weight is missing
    overall: float | None


def read_episode_scores(
    store: Store, judges: Sequence[JudgeRecord], episode_ids: Iterable[str]
) -> dict[tuple[str, str], EpisodeScores]:
    """(Episode id, seat) → its scores by these judges, of which an episode has one."""
    rubrics = {judge.id: rubric for judge in judges if (rubric := rubric_json_of(judge.spec))}
    ids = list(dict.fromkeys(episode_ids))
    return {
        (episode, seat): scores
        for start in range(0, len(ids), EPISODES_PER_QUERY)
        for episode, judgements in store.judgements_by_episode(
            ids[start : start + EPISODES_PER_QUERY], judge_ids=list(rubrics)
        ).items()
        for (_, seat), scores in average_judgements(judgements, rubrics).items()
    }


def average_judgements(
    judgements: Iterable[StoredJudgement], rubrics: Mapping[str, Mapping[str, Any]]
) -> dict[tuple[str, str], EpisodeScores]:
    """(Judge id, seat) → its scores in one episode; a judge's samples are averaged, judges never.

    Args:
        judgements: of the episode, by judge and sample.
        rubrics: judge id → its rubric as JSON data; without one there is no `overall`.
    """
    samples: dict[tuple[str, str], list[DimensionScores]] = defaultdict(list)
    for stored in judgements:
        of_seats: dict[str, dict[str, tuple[float, float]]] = defaultdict(dict)
        for verdict in stored.judgement.verdicts:
            share = stored.rescaled[verdict.seat, verdict.dimension]
            of_seats[verdict.seat][verdict.dimension] = verdict.score, share
        for seat, scores in of_seats.items():
            samples[stored.judgement.judge_id, seat].append(scores)
    return {key: _average(of_judge, rubrics.get(key[0])) for key, of_judge in samples.items()}


def _average(samples: Sequence[DimensionScores], rubric: Mapping[str, Any] | None) -> EpisodeScores:
    raw_scores: dict[str, list[float]] = defaultdict(list)
    for sample in samples:
        for name, (score, _) in sample.items():
            raw_scores[name].append(score)
    overall = average_samples(samples, rubric).get(OVERALL) if rubric is not None else None
    return EpisodeScores(
        dimensions={name: math.fsum(values) / len(values) for name, values in raw_scores.items()},
        overall=None if overall is None else overall.mean,
    )
