"""What became of the arms of an evaluation: seats played, failed and unscored, and scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simworld.core.episode import Ending
from simworld.core.measures import OVERALL
from simworld.results.cells import SeatScore
from simworld.results.episode_scores import scores_of
from store import EpisodeSummary, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmSeat:
    """Where an arm plays: the cell, and the work item that it belongs to."""

    family: str
    scenario: str  # id
    seat: str
    partners: tuple[str, ...]  # agents in the other seats, in their order
    repeat: int
    item_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """What became of one arm. A seat counts once for each of its cells."""

    planned: int
    missing: int  # not played yet
    failed: int  # played, and the last attempt failed
    unscored: int  # played to an end, but without a value of the main measure
    scores: tuple[SeatScore, ...]  # under the arm's name

    @property
    def failed_share(self) -> float:
        """Of the seats that were played."""
        return self.failed / max(1, self.planned - self.missing)

    @property
    def unscored_share(self) -> float:
        """Of the seats that were played."""
        return self.unscored / max(1, self.planned - self.missing)


def arm_of(
    arm: str,
    places: Sequence[ArmSeat],
    episodes: Mapping[str, EpisodeSummary],
    seats: Mapping[tuple[str, str], Mapping[str, float]],
    *,
    main: str,
) -> Arm:
    """The arm of this name that plays these places.

    Args:
        arm: its name.
        places: all of the arm's.
        episodes: work item → its last attempt.
        seats: (episode id, seat) → measure → value, of the seats that have one.
        main: the measure without which a seat counts as unscored.
    """
    missing = failed = unscored = 0
    scores = []
    for place in places:
        summary = episodes.get(place.item_key)
        if summary is None:
            missing += 1
        elif summary.ending is Ending.failed:
            failed += 1
        else:
            values = seats.get((summary.id, place.seat), {})
            unscored += main not in values
            scores.append(
                SeatScore(
                    agent=arm,
                    family=place.family,
                    scenario=place.scenario,
                    seat=place.seat,
                    partners=place.partners,
                    repeat=place.repeat,
                    episode=summary.id,
                    values=values,
                )
            )
    return Arm(
        planned=len(places),
        missing=missing,
        failed=failed,
        unscored=unscored,
        scores=tuple(scores),
    )


def judged_seats(
    store: Store, judge_ids: Sequence[str], episode_ids: Sequence[str]
) -> dict[tuple[str, str], dict[str, float]]:
    """(episode id, seat) → dimension → score, and `overall`; samples of a judge are averaged.

    Dimensions keep the range of their rubric, as an evaluation shows them. With several rubrics,
    and so several judge ids, their names come before those of the dimensions; `overall` is a share
    of the range and needs no name.

    Raises:
        ValueError: a judge id is not in the store.
    """
    judges = [record for record in store.judges() if record.id in judge_ids]
    if unknown := set(judge_ids) - {judge.id for judge in judges}:
        raise ValueError(f"no judge {', '.join(sorted(unknown))} in {store.location}")
    several = len({judge.spec["rubric"]["id"] for judge in judges}) > 1
    found = {}
    for judge in judges:
        prefix = f"{judge.spec['rubric']['name']}/" if several else ""
        for key, scores in scores_of(store, [judge], episode_ids).items():
            of_seat = {prefix + name: score for name, score in sorted(scores.dimensions.items())}
            overall = {} if scores.overall is None else {OVERALL: scores.overall}
            found[key] = of_seat | overall
    return found
