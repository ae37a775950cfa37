"""Two agents in one scenario, episode beside episode: both in the same seat, with the same
partners, in the same repeat.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simworld.core.measures import OVERALL, average_samples, rubric_in
from store import EpisodeSummary, JudgeRecord, SeatRecord, Store

MOST = 2000  # episodes of each agent that are looked at, the latest ones


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodePair:
    """Two episodes that differ in one agent only."""

    seat: str
    partners: tuple[str, ...]  # agents in the other seats, in their order
    repeat: int
    first: EpisodeSummary
    second: EpisodeSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeScores:
    """What a judge gave a seat of an episode, its samples averaged."""

    dimensions: Mapping[str, float]  # in their own ranges
    # share of the range, weighted; None where a dimension with a weight is missing
    overall: float | None


def pairs(
    store: Store,
    run: str,
    scenario: str,
    first: str,
    second: str,
    *,
    counts: Callable[[EpisodeSummary, SeatRecord], bool] = lambda summary, seat: True,
) -> list[EpisodePair]:
    """The cells that both agents have played, by seat, partners and repeat; of each its last
    attempt.

    Args:
        store: where they played.
        run: its name.
        scenario: id.
        first: name of the one.
        second: name of the other.
        counts: whether a seat of an episode is compared.
    """
    sides = [_cells(store, run, scenario, agent, counts) for agent in (first, second)]
    found = [
        EpisodePair(
            seat=seat, partners=partners, repeat=repeat, first=sides[0][key], second=sides[1][key]
        )
        for key in sides[0].keys() & sides[1].keys()
        for seat, partners, repeat in [key]
    ]
    order = {seat.seat: place for pair in found[:1] for place, seat in enumerate(pair.first.seats)}
    return sorted(found, key=lambda pair: (order.get(pair.seat, 0), pair.partners, pair.repeat))


def scores_of(
    store: Store, judges: Sequence[JudgeRecord], episode_ids: Sequence[str]
) -> dict[tuple[str, str], EpisodeScores]:
    """(Episode id, seat) → its scores by these judges, of which an episode has one; for up to a
    thousand episodes.
    """
    rubrics = {judge.id: rubric for judge in judges if (rubric := rubric_in(judge.spec))}
    found: dict[tuple[str, str], EpisodeScores] = {}
    for episode_id, made in store.judgements_of(
        list(dict.fromkeys(episode_ids)), judge_ids=list(rubrics)
    ).items():
        samples: dict[tuple[str, str], list[dict[str, tuple[float, float]]]] = defaultdict(list)
        for stored in made:
            of_seat: dict[str, dict[str, tuple[float, float]]] = defaultdict(dict)
            for verdict in stored.judgement.verdicts:
                share = stored.rescaled[verdict.seat, verdict.dimension]
                of_seat[verdict.seat][verdict.dimension] = verdict.score, share
            for seat, scores in of_seat.items():
                samples[stored.judgement.judge_id, seat].append(scores)
        for (judge_id, seat), of_judge in samples.items():
            found[episode_id, seat] = _scores(of_judge, rubrics[judge_id])
    return found


def _scores(
    samples: Sequence[Mapping[str, tuple[float, float]]], rubric: Mapping[str, Any]
) -> EpisodeScores:
    raw: dict[str, list[float]] = defaultdict(list)
    for sample in samples:
        for name, (score, _) in sample.items():
            raw[name].append(score)
    overall = average_samples(samples, rubric).get(OVERALL)
    return EpisodeScores(
        dimensions={name: math.fsum(values) / len(values) for name, values in raw.items()},
        overall=None if overall is None else overall.mean,
    )


def _cells(
    store: Store,
    run: str,
    scenario: str,
    agent: str,
    counts: Callable[[EpisodeSummary, SeatRecord], bool],
) -> dict[tuple[str, tuple[str, ...], int], EpisodeSummary]:
    found: dict[tuple[str, tuple[str, ...], int], EpisodeSummary] = {}
    for summary in store.summaries(run=run, scenario=scenario, agent=agent, limit=MOST):
        for own in summary.seats:
            if own.agent_name != agent or not counts(summary, own):
                continue
            partners = tuple(other.agent_name for other in summary.seats if other.seat != own.seat)
            key = own.seat, partners, summary.repeat
            if key not in found or found[key].attempt < summary.attempt:
                found[key] = summary
    return found
