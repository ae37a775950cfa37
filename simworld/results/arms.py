"""What became of the arms of an evaluation: seats played, failed and unscored, and scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simworld.core.episode import Ending
from simworld.core.measures import OVERALL
from simworld.results.episode_scores import read_episode_scores
from simworld.results.seat_scores import SeatScore
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


def tally_arm(
    arm: str,
    arm_seats: Sequence[ArmSeat],
    episodes: Mapping[str, EpisodeSummary],
    seat_values: Mapping[tuple[str, str], Mapping[str, float]],
    *,
    main_measure: str,
) -> Arm:
    """The arm of this name that plays these places.

    Args:
        arm: its name.
        arm_seats: all of the arm's.
        episodes: work item → its last attempt.
        seat_values: (episode id, seat) → measure → value, of the seats that have one.
        main_measure: the measure without which a seat counts as unscored.
    """
    missing = failed = unscored = 0
    scores = []
    for arm_seat in arm_seats:
        summary = episodes.get(arm_seat.item_key)
        if summary is None:
            missing += 1
        elif summary.ending is Ending.failed:
            failed += 1
        else:
            values = seat_values.get((summary.id, arm_seat.seat), {})
            unscored += main_measure not in values
            scores.append(
                SeatScore(
                    agent=arm,
                    family=arm_seat.family,
                    scenario=arm_seat.scenario,
                    seat=arm_seat.seat,
                    partners=arm_seat.partners,
                    repeat=arm_seat.repeat,
                    episode=summary.id,
                    values=values,
                )
            )
    return Arm(
        planned=len(arm_seats),
        missing=missing,
        failed=failed,
        unscored=unscored,
        scores=tuple(scores),
    )


def scores_by_seat(
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
    scores = {}
    for judge in judges:
        prefix = f"{judge.spec['rubric']['name']}/" if several else ""
        for key, given in read_episode_scores(store, [judge], episode_ids).items():
            values = {prefix + name: score for name, score in sorted(given.dimensions.items())}
            overall = {} if given.overall is None else {OVERALL: given.overall}
            scores[key] = values | overall
    return scores
