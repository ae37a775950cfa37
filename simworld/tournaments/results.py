"""Results of a tournament from the store: its judge's scores, its standings, two of its agents side
by side.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from simworld.core.errors import InputError, MissingExtra
from simworld.core.measures import OVERALL
from simworld.judging.judge_spec import JudgeSpec
from simworld.judging.judge_warnings import judge_warnings
from simworld.results.differences import Difference, compare_agents
from simworld.results.games import count_games
from simworld.results.multiplayer_ratings import MultiplayerRater, MultiplayerRating
from simworld.results.score_reading import (
    ScoreTally,
    measure_scales,
    read_scores,
    retest_deviations,
)
from simworld.results.seat_scores import SeatScores
from simworld.results.standings import Standings, make_standings
from simworld.tournaments.loaded_tournament import Tournament
from simworld.tournaments.tournament_plan import compared_seats
from store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class TournamentResult:
    """What is known of a tournament by one judge."""

    judge: str
    judge_ids: tuple[str, ...]
    judged_episodes: int  # episodes with a score
    standings: Standings
    # scenarios with three and more seats; None where there is none
    multiplayer_ratings: tuple[MultiplayerRating, ...] | None
    scales: Mapping[str, tuple[float, float]]  # measure → the ends of its scale
    cautions: tuple[str, ...] = ()  # what a reader must know of the judge, a line each


def tournament_results(
    tournament: Tournament, store: Store, judge: JudgeSpec, *, rounds: int = 1000
) -> TournamentResult:
    """The standings of a tournament as far as it is played and judged.

    Raises:
        InputError: nothing is played, the judge has scored nothing at all (the text says why), a
            score is not finite, or `tie: measured` has nothing to measure.
    """
    return results_by_ids(
        tournament, store, judge.name, find_judge_ids(store, tournament.name, judge), rounds=rounds
    )


def results_by_ids(
    tournament: Tournament, store: Store, judge: str, ids: Sequence[str], *, rounds: int = 1000
) -> TournamentResult:
    """As `tournament_results`, by the ids of one judge, one per rubric; `judge` is its name."""
    thresholds = _tie_thresholds(tournament, store, ids)
    tally = ScoreTally()
    rater = MultiplayerRater(OVERALL)
    counts = count_games(
        _add_to_rater(rater, read_tournament_scores(tournament, store, ids, tally)), thresholds
    )
    if not tally.seat_counts:
        raise InputError(
            f"nothing of tournament {tournament.name!r} is in {store.location}; `simworld"
            " tournament run` plays it"
        )
    if not tally.judged_episodes:
        raise InputError(_explain_no_scores(tournament, store, judge))
    dimensions = tournament.file.dimensions
    standings = make_standings(
        counts,
        agents=tournament.agents,
        measures=tuple(dict.fromkeys((OVERALL, *dimensions))) if dimensions else tuple(thresholds),
        seat_counts=tally.seat_counts,
        tie_thresholds=thresholds,
        anchor=tournament.anchor,
        rounds=rounds,
    )
    multiplayer_ratings = None
    if any(len(scenario.seats) > 2 for scenario in tournament.scenarios):
        try:
            multiplayer_ratings = rater.ratings()
        except MissingExtra as error:
            standings = replace(standings, warnings=(*standings.warnings, str(error)))
    return TournamentResult(
        judge=judge,
        judge_ids=tuple(ids),
        judged_episodes=tally.judged_episodes,
        standings=standings,
        multiplayer_ratings=multiplayer_ratings,
        scales=measure_scales(store, ids),
        cautions=judge_warnings(store, ids, run=tournament.name),
    )


def compare_tournament_agents(
    tournament: Tournament, store: Store, judge: JudgeSpec, first: str, second: str
) -> dict[str, Difference]:
    """Measure → one agent less another. Raises InputError for an agent that is not in the
    tournament.
    """
    return compare_by_ids(
        tournament, store, find_judge_ids(store, tournament.name, judge), first, second
    )


def compare_by_ids(
    tournament: Tournament, store: Store, ids: Sequence[str], first: str, second: str
) -> dict[str, Difference]:
    """As `compare_tournament_agents`, by the ids of one judge, one per rubric."""
    differences = compare_agents(
        read_tournament_scores(tournament, store, ids, agents=(first, second)), first, second
    )
    measures = (OVERALL, *tournament.file.dimensions)
    return (
        {m: d for m, d in differences.items() if m in measures}
        if tournament.file.dimensions
        else differences
    )


def read_tournament_scores(
    tournament: Tournament,
    store: Store,
    ids: Sequence[str],
    tally: ScoreTally | None = None,
    *,
    agents: Sequence[str] | None = None,
    casts: frozenset[frozenset[str]] | None = None,
) -> Iterator[SeatScores]:
    """The scores of a tournament's agents in the seats that count.

    Args:
        tournament: whose.
        store: where it was played.
        ids: of the judge, one per rubric.
        tally: counts what is read.
        agents: names; default: all.
        casts: only episodes whose agents are one of these sets.
    """
    seats = compared_seats(tournament)

    def compared(scenario: str, cast: Mapping[str, str]) -> Collection[str]:
        return seats(scenario, cast) if casts is None or frozenset(cast.values()) in casts else ()

    return read_scores(
        store,
        tournament.name,
        ids,
        {scenario.id: [seat.name for seat in scenario.seats] for scenario in tournament.scenarios},
        agents=tournament.agents if agents is None else agents,
        compared=compared,
        tally=tally,
    )


def find_judge_ids(store: Store, run: str, judge: JudgeSpec) -> list[str]:
    """The ids under which a judge has judged a run, one per rubric; none if it has not.

    Raises:
        InputError: it has judged with two models or versions, whose scores must not be mixed.
    """
    id_by_rubric: dict[str, str] = {}
    ids_with_judgements = store.scoring_judge_ids(run)
    for record in store.judges():
        if record.id not in ids_with_judgements or record.spec["spec"] != judge.content():
            continue
        rubric_id = record.spec["rubric"]["id"]
        if rubric_id in id_by_rubric:
            raise InputError(
                f"judge {judge.name!r} has judged {run!r} as {id_by_rubric[rubric_id]} and as"
                f" {record.id}, with different models; their scores are not comparable:"
                " remove the judgements of one"
            )
        id_by_rubric[rubric_id] = record.id
    return list(id_by_rubric.values())


def _tie_thresholds(tournament: Tournament, store: Store, ids: Sequence[str]) -> dict[str, float]:
    tie = tournament.tie
    scales = measure_scales(store, ids)
    if tie != "measured":
        return {measure: tie * (high - low) for measure, (low, high) in scales.items()}
    deviations = retest_deviations(
        store, tournament.name, ids, [scenario.id for scenario in tournament.scenarios]
    )
    if ids and not deviations:
        raise InputError(
            "tie: measured: no episode was judged twice, so the judge's deviation is unknown; give"
            " a number"
        )
    return {measure: deviations.get(measure, 0.0) for measure in scales}


def _add_to_rater(rater: MultiplayerRater, tables: Iterable[SeatScores]) -> Iterator[SeatScores]:
    """The parts as they come, each shown to the rater first."""
    for table in tables:
        rater.add_scores(table)
        yield table


def _explain_no_scores(tournament: Tournament, store: Store, judge: str) -> str:
    """Why a judge has no score of what was played."""
    ended = [
        summary
        for summary in store.episode_summaries(run=tournament.name, limit=100)
        if summary.failure is None
    ]
    if not ended:
        return (
            f"every episode of tournament {tournament.name!r} failed, so nothing can be compared;"
            " see `simworld episode list`"
        )
    for stored in (judgement for summary in ended for judgement in store.judgements(summary.id)):
        if stored.judge_name == judge and stored.judgement.failure is not None:
            reason = f"its judgements failed, like this one: {stored.judgement.failure}"
            break
    else:
        reason = "it has not judged them yet"
    subject = f"judge {judge!r} scored no episode of tournament {tournament.name!r}"
    return f"{subject}: {reason}; `simworld tournament run --retry-failed` tries again"
