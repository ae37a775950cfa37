"""What became of the arms of an evaluation: seats played, failed and unscored, and scores by
circumstance.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from simworld.core.episode import Ending
from simworld.core.measures import OVERALL as OVERALL
from simworld.core.rewards import weighted_mean
from simworld.stats.paired_comparison import Circumstance
from store import EpisodeSummary, ScoreRow, Store

Values = Mapping[str, Mapping[Circumstance, float]]  # measure → circumstance → value


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmSeat:
    """Where an arm plays: the seat that is compared, and the work item it belongs to."""

    circumstance: Circumstance
    item_key: str

    @property
    def seat(self) -> str:
        """The seat that the arm plays."""
        return self.circumstance.seat


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """What became of one arm. A seat counts once for each of its circumstances."""

    planned: int
    missing: int  # not played yet
    failed: int  # played, and the last attempt failed
    unscored: int  # played to an end, but without a value of the main measure
    values: Values = field(default_factory=dict)

    @property
    def failed_share(self) -> float:
        """Of the seats that were played."""
        return self.failed / max(1, self.planned - self.missing)

    @property
    def unscored_share(self) -> float:
        """Of the seats that were played."""
        return self.unscored / max(1, self.planned - self.missing)


def latest(store: Store, run: str) -> dict[str, EpisodeSummary]:
    """Work item → its last attempt, for the items of a run that were played."""
    found: dict[str, EpisodeSummary] = {}
    for summary in store.summaries(run=run):
        other = found.get(summary.item_key)
        if other is None or other.attempt < summary.attempt:
            found[summary.item_key] = summary
    return found


def arm_of(
    places: Sequence[ArmSeat],
    episodes: Mapping[str, EpisodeSummary],
    seats: Mapping[tuple[str, str], Mapping[str, float]],
    *,
    main: str,
) -> Arm:
    """The arm that plays these places.

    Args:
        places: all of the arm's.
        episodes: work item → its last attempt (`latest`).
        seats: (episode id, seat) → measure → value, of the seats that have one.
        main: the measure without which a seat counts as unscored.
    """
    missing = failed = unscored = 0
    values: dict[str, dict[Circumstance, float]] = defaultdict(dict)
    for place in places:
        summary = episodes.get(place.item_key)
        if summary is None:
            missing += 1
        elif summary.ending is Ending.failed:
            failed += 1
        else:
            measured = seats.get((summary.id, place.seat), {})
            unscored += main not in measured
            for name, value in measured.items():
                values[name][place.circumstance] = value
    return Arm(
        planned=len(places), missing=missing, failed=failed, unscored=unscored, values=dict(values)
    )


def judged_seats(
    store: Store, run: str, judge_ids: Sequence[str]
) -> dict[tuple[str, str], dict[str, float]]:
    """(episode id, seat) → dimension → score, and `overall`; samples of a judge are averaged.

    Dimensions keep the range of their rubric. With several rubrics, and so several judge ids, their
    names come before those of the dimensions; `overall` is a share of the range and needs no name.

    Raises:
        ValueError: a judge id is not in the store.
    """
    records = {record.id: record.spec for record in store.judges()}
    if unknown := [id_ for id_ in judge_ids if id_ not in records]:
        raise ValueError(f"no judge {', '.join(unknown)} in {store.where}")
    found: dict[tuple[str, str], dict[str, float]] = {}
    for id_ in judge_ids:
        rubric = records[id_]["rubric"]
        weights = {d["name"]: float(d["weight"]) for d in rubric["dimensions"]}
        prefix = (
            f"{rubric['name']}/" if len({records[j]["rubric"]["id"] for j in judge_ids}) > 1 else ""
        )
        for seat, rows in _by_seat(store.scores(run=run, judge_id=id_)).items():
            names = dict.fromkeys(row.dimension for row in rows)
            scores = {n: _mean([row.score for row in rows if row.dimension == n]) for n in names}
            shares = {n: _mean([row.rescaled for row in rows if row.dimension == n]) for n in names}
            measured = {prefix + name: score for name, score in scores.items()}
            if all(name in shares for name, weight in weights.items() if weight) and any(
                weights.values()
            ):
                measured[OVERALL] = weighted_mean(shares, weights)
            found[seat] = measured
    return found


def _by_seat(rows: Iterable[ScoreRow]) -> dict[tuple[str, str], list[ScoreRow]]:
    found: dict[tuple[str, str], list[ScoreRow]] = defaultdict(list)
    for row in rows:
        found[row.episode_id, row.seat].append(row)
    return found


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
