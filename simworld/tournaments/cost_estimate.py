"""What a tournament will cost: episodes from its plan, tokens and minutes from what earlier
episodes in the database took.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from simworld.core.episode import Ending
from simworld.judging.judge_spec import JudgeSpec
from simworld.judging.judging_pass import NO_JUDGE
from simworld.results.last_attempts import last_attempts
from simworld.tournaments.loaded_tournament import Tournament
from simworld.tournaments.measured_rates import judging_minutes, measure_pace, playing_minutes
from simworld.tournaments.swiss_points import swiss_points
from simworld.tournaments.tournament_plan import plan_matches, plan_tournament
from store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class CostEstimate:
    """What is left to play and to judge, and what it will take. None: nothing was measured, so it
    is unknown.
    """

    episodes: int  # planned
    played: int  # of them
    failed: int  # of those played
    left: int  # to play
    judgements: int  # to make, of episodes that are played and of those to play
    tokens: int | None  # to be written
    tokens_read: int | None
    minutes: float | None  # of playing
    judging_minutes: float | None
    unmeasured: tuple[str, ...]  # agents without an episode in the database
    upper_bound: bool  # Swiss: the pairs of rounds to come may share casts with those before


PricedItem = tuple[str, tuple[str, ...], int]  # scenario name, agents in the order of seats, repeat


def estimate_cost(
    tournament: Tournament, store: Store | None, *, retry_failed: bool = False
) -> CostEstimate:
    """The price of what is not played and judged yet; loads no model.

    Args:
        tournament: whose.
        store: None where there is no database yet.
        retry_failed: what failed is to be played again.
    """
    items = _planned_items(tournament, store)
    failed = _failed_by_item(tournament, store) if store else {}
    to_play = [item for item in items if item not in failed or (retry_failed and failed[item])]
    written, read, unmeasured = _estimate_tokens(tournament, store, to_play)
    to_judge = {
        judge.name: judge.samples * len(to_play) + _count_unjudged(tournament, store, judge)
        for judge in tournament.judges
    }
    minutes_by_judge = (
        [judging_minutes(store, name, count) for name, count in to_judge.items()]
        if store
        else [None]
    )
    measured = [minutes for minutes in minutes_by_judge if minutes is not None]
    return CostEstimate(
        episodes=len(items),
        played=sum(item in failed for item in items),
        failed=sum(failed[item] for item in items if item in failed),
        left=len(to_play),
        judgements=sum(to_judge.values()),
        tokens=written,
        tokens_read=read,
        minutes=None
        if store is None or written is None
        else playing_minutes(store, episodes=len(to_play), tokens=written),
        judging_minutes=sum(measured) if len(measured) == len(minutes_by_judge) else None,
        unmeasured=unmeasured,
        upper_bound=tournament.file.format == "swiss",
    )


def _planned_items(tournament: Tournament, store: Store | None) -> set[PricedItem]:
    plan = plan_tournament(
        tournament, plan_matches(tournament, swiss_points(tournament, store) if store else None)
    )
    return {
        (scenario.name, tuple(cast.values()), repeat)
        for scenario, cast in plan.seatings()
        for repeat in range(tournament.file.repeats)
    }


def _failed_by_item(tournament: Tournament, store: Store) -> Mapping[PricedItem, bool]:
    """What is played → whether its last attempt failed."""
    return {
        (summary.scenario_name, tuple(seat.agent_name for seat in summary.seats), summary.repeat): (
            summary.ending is Ending.failed
        )
        for scenario in tournament.scenarios
        for summary in last_attempts(
            store.episode_summaries(run=tournament.name, scenario=scenario.id)
        ).values()
    }


def _estimate_tokens(
    tournament: Tournament, store: Store | None, to_play: list[PricedItem]
) -> tuple[int | None, int | None, tuple[str, ...]]:
    """Tokens to be written and to be read, and the agents of whom nothing is known."""
    names = sorted({name for _, cast, _ in to_play for name in cast})
    paces = {n: pace for n in names if store and (pace := measure_pace(store, n)) is not None}
    if unmeasured := tuple(name for name in names if name not in paces):
        return None, None, unmeasured
    turn_limits = {scenario.name: scenario.limits.turns for scenario in tournament.scenarios}
    written = read = 0.0
    for scenario, cast, _ in to_play:
        for name in cast:
            pace = paces[name]
            turns = min(turn_limits[scenario], pace.turns) / len(cast)
            written, read = written + turns * pace.written, read + turns * pace.read
    return round(written), round(read), ()


def _count_unjudged(tournament: Tournament, store: Store | None, judge: JudgeSpec) -> int:
    """Judgements that a judge has not made yet of what is played; one that failed is made."""
    if store is None:
        return 0
    spec = judge.content()
    # one for each rubric
    judge_ids = [record.id for record in store.judges() if record.spec.get("spec") == spec] or [
        NO_JUDGE
    ]
    return sum(
        len(
            set.intersection(
                *(set(store.unjudged(id_, sample, run=tournament.name)) for id_ in judge_ids)
            )
        )
        for sample in range(judge.samples)
    )
