"""The scores of a run computed from episodes and verdicts, one by one: what those from kept cells
must equal."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from simworld.core.episode import Ending
from simworld.core.measures import weighted_mean
from simworld.results.last_attempts import last_attempts
from simworld.results.score_reading import SeatCount
from simworld.results.seat_scores import SeatScore
from store import Store

# episode id, seat → measure → one number for each sample
Values = dict[tuple[str, str], dict[str, list[float]]]


def raw_scores(
    store: Store, run: str, judge: str
) -> tuple[list[SeatScore], dict[str, SeatCount], int]:
    """The scores of everybody, what became of the seats, and the number of last attempts with a
    score."""
    samples = raw_samples(store, run, judge)
    last = last_attempts(store.episode_summaries(run=run))
    scores: list[SeatScore] = []
    counts: dict[str, SeatCount] = defaultdict(SeatCount)
    for summary in last.values():
        for own in summary.seats:
            count = counts[own.agent_name]
            count.played += 1
            found = samples.get((summary.id, own.seat))
            if summary.ending is Ending.failed:
                count.failed += 1
            elif not found:
                count.unscored += 1
            else:
                scores.append(
                    SeatScore(
                        agent=own.agent_name,
                        family=summary.family,
                        scenario=summary.scenario_id,
                        seat=own.seat,
                        partners=tuple(
                            other.agent_name for other in summary.seats if other.seat != own.seat
                        ),
                        repeat=summary.repeat,
                        episode=summary.id,
                        values={
                            name: math.fsum(values) / len(values) for name, values in found.items()
                        },
                    )
                )
    judged = sum(
        any((summary.id, seat.seat) in samples for seat in summary.seats)
        for summary in last.values()
    )
    return scores, dict(counts), judged


def raw_samples(store: Store, run: str, judge: str) -> Values:
    """Every sample's measures, of all attempts."""
    rubric = next(record.spec["rubric"] for record in store.judges() if record.id == judge)
    verdicts: dict[tuple[str, str, int], dict[str, tuple[float, float]]] = defaultdict(dict)
    for row in store.score_rows(run=run, judge_id=judge):
        verdicts[row.episode_id, row.seat, row.sample][row.dimension] = row.score, row.rescaled
    found: Values = defaultdict(lambda: defaultdict(list))
    for (episode, seat, _), given in verdicts.items():
        for name, value in _measures(given, rubric).items():
            found[episode, seat][name].append(value)
    return found


def raw_deviation(samples: Sequence[Sequence[float]]) -> float | None:
    """The standard deviation of the difference of two samples."""
    squares = sum(
        (value - sum(values) / len(values)) ** 2 for values in samples for value in values
    )
    freedom = sum(len(values) - 1 for values in samples)
    return math.sqrt(2 * squares / freedom) if freedom else None


def _measures(
    given: Mapping[str, tuple[float, float]], rubric: Mapping[str, Any]
) -> dict[str, float]:
    weights = {d["name"]: d["weight"] for d in rubric["dimensions"]}
    shares = {name: share for name, (_, share) in given.items()}
    found = dict(shares)
    if all(name in shares for name, weight in weights.items() if weight):
        found["overall"] = weighted_mean(shares, weights)
    if rubric["name"] == "sotopia" and len(given) == len(weights):
        found["sotopia_mean"] = sum(score for score, _ in given.values()) / len(given)
    return found
