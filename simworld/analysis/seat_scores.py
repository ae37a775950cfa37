"""The scores of a run by cell, read from the store scenario by scenario: memory holds one scenario's at a time."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from simworld.analysis.arms import OVERALL
from simworld.analysis.games import SeatScore
from simworld.core.episode import Ending
from simworld.core.errors import InputError
from simworld.core.rewards import weigh
from store import EpisodeSummary, ScoreRow, SeatRecord, Store

SOTOPIA = "sotopia"  # the rubric whose plain mean is reported too
SOTOPIA_MEAN = "sotopia_mean"  # of the seven dimensions, each in its own range, as Sotopia reports it


@dataclass(slots=True, kw_only=True)
class SeatCount:
    """What became of the seats that an agent has played. A seat counts once for each work item."""

    played: int = 0
    failed: int = 0  # the episode's last attempt failed
    unscored: int = 0  # the episode ended, but this judge has no score of the seat


@dataclass(slots=True, kw_only=True)
class Reading:
    """Scores as they are read; the counts are complete once `scores` is exhausted."""

    counts: dict[str, SeatCount] = field(default_factory=lambda: defaultdict(SeatCount))  # by agent
    families: set[str] = field(default_factory=set)
    judged: int = 0  # episodes with a score
    retest: dict[str, list[float]] = field(default_factory=lambda: defaultdict(lambda: [0.0, 0.0]))

    def deviation(self, measure: str) -> float | None:
        """The standard deviation of the difference of two samples of one judge; None where nothing was judged twice."""
        squares, freedom = self.retest.get(measure, (0.0, 0.0))
        return math.sqrt(2 * squares / freedom) if freedom else None


def widths(store: Store, judge_ids: Sequence[str]) -> dict[str, float]:
    """Measure → the width of its scale, for every measure that these judges give; dimensions last, in their rubric's order."""
    found: dict[str, float] = {OVERALL: 1.0}
    rubrics = _rubrics(store, judge_ids).values()
    for rubric, _ in rubrics:
        if rubric["name"] == SOTOPIA:
            found[SOTOPIA_MEAN] = _mean([d["high"] - d["low"] for d in rubric["dimensions"]])
    for rubric, prefix in rubrics:
        found |= {prefix + d["name"]: 1.0 for d in rubric["dimensions"]}
    return found


def read_scores(
    store: Store,
    run: str,
    judge_ids: Sequence[str],
    scenarios: Iterable[str],
    *,
    agents: Sequence[str] | None = None,
    seats: Callable[[EpisodeSummary, SeatRecord], bool] = lambda summary, seat: True,
    episodes: Callable[[EpisodeSummary], bool] = lambda summary: True,
    reading: Reading | None = None,
) -> Iterator[SeatScore]:
    """Every score of a run: dimensions and `overall` as shares of their range in [0, 1], `sotopia_mean` raw; samples averaged.

    Args:
        store: where it was played.
        run: its name.
        judge_ids: of one judge: an id for each rubric. With several rubrics their names stand before those of dimensions.
        scenarios: ids.
        agents: whose scores are wanted, by name; default: everybody's.
        seats: whether a seat of an episode counts.
        episodes: whether an episode counts.
        reading: counts what is read.

    Raises:
        InputError: a score is not finite.
    """
    tally = reading if reading is not None else Reading()
    rubrics = _rubrics(store, judge_ids)
    for scenario in scenarios:
        last: dict[str, EpisodeSummary] = {}
        for summary in store.summaries(run=run, scenario=scenario):
            before = last.get(summary.item_key)
            if episodes(summary) and (before is None or before.attempt < summary.attempt):
                last[summary.item_key] = summary
        values = _values(store, run, rubrics, scenario, tally)
        for summary in last.values():
            yield from _of_episode(summary, values, tally, agents, seats)


def _of_episode(
    summary: EpisodeSummary,
    values: Mapping[tuple[str, str], Mapping[str, float]],
    tally: Reading,
    agents: Sequence[str] | None,
    seats: Callable[[EpisodeSummary, SeatRecord], bool],
) -> Iterator[SeatScore]:
    tally.families.add(summary.family)
    tally.judged += any((summary.id, seat.seat) in values for seat in summary.seats)
    for own in summary.seats:
        if (agents is not None and own.agent_name not in agents) or not seats(summary, own):
            continue
        counts = tally.counts[own.agent_name]
        counts.played += 1
        measured = values.get((summary.id, own.seat))
        if summary.ending is Ending.failed:
            counts.failed += 1
        elif not measured:
            counts.unscored += 1
        else:
            yield SeatScore(
                agent=own.agent_name,
                family=summary.family,
                scenario=summary.scenario_id,
                seat=own.seat,
                partners=tuple(other.agent_name for other in summary.seats if other.seat != own.seat),
                repeat=summary.repeat,
                episode=summary.id,
                values=measured,
            )


def _values(
    store: Store, run: str, rubrics: Mapping[str, tuple[Mapping[str, Any], str]], scenario: str, tally: Reading
) -> dict[tuple[str, str], dict[str, float]]:
    """(episode id, seat) → measure → value."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    for judge, (rubric, prefix) in rubrics.items():
        by_seat: dict[tuple[str, str], list[ScoreRow]] = defaultdict(list)
        for row in store.scores(run=run, judge_id=judge, scenario=scenario):
            by_seat[row.episode_id, row.seat].append(row)
        for key, rows in by_seat.items():
            found[key] = _measures(rows, rubric, prefix, tally)
    return found


def _measures(rows: Sequence[ScoreRow], rubric: Mapping[str, Any], prefix: str, tally: Reading) -> dict[str, float]:
    samples: dict[int, dict[str, tuple[float, float]]] = defaultdict(dict)
    for row in rows:
        if not (math.isfinite(row.score) and math.isfinite(row.rescaled)):
            raise InputError(
                f"episode {row.episode_id}: {row.dimension} of seat {row.seat!r} by {row.judge_id} is {row.score}, "
                "no finite number; delete that judgement and judge again"
            )
        samples[row.sample][row.dimension] = (row.score, row.rescaled)
    found: dict[str, list[float]] = defaultdict(list)
    weights = {d["name"]: float(d["weight"]) for d in rubric["dimensions"]}
    for _, scores in sorted(samples.items()):
        shares = {name: share for name, (_, share) in scores.items()}
        for name, share in shares.items():
            found[prefix + name].append(share)
        if any(weights.values()) and all(name in shares for name, weight in weights.items() if weight):
            found[OVERALL].append(weigh(shares, weights))
        if rubric["name"] == SOTOPIA and len(scores) == len(weights):
            found[SOTOPIA_MEAN].append(_mean([score for score, _ in scores.values()]))
    for name, values in found.items():
        if len(values) > 1:
            centre = _mean(values)
            tally.retest[name][0] += math.fsum((value - centre) ** 2 for value in values)
            tally.retest[name][1] += len(values) - 1
    return {name: _mean(values) for name, values in found.items()}


def _rubrics(store: Store, judge_ids: Sequence[str]) -> dict[str, tuple[Mapping[str, Any], str]]:
    """Judge id → its rubric as JSON data, and what stands before the names of its dimensions."""
    records = {record.id: record.spec["rubric"] for record in store.judges() if record.id in judge_ids}
    several = len({rubric["id"] for rubric in records.values()}) > 1
    return {id_: (rubric, f"{rubric['name']}/" if several else "") for id_, rubric in records.items()}


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
