"""Results of a tournament from the store: its judge's scores, its standings, two of its agents side
by side.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from simworld.core.errors import InputError, MissingExtra
from simworld.core.measures import OVERALL
from simworld.judging.judge_spec import JudgeSpec
from simworld.judging.judge_warnings import cautions
from simworld.results.cells import SeatScores
from simworld.results.differences import Difference, compare_agents
from simworld.results.games import count_games
from simworld.results.multiplayer_ratings import EpisodeRanks, MultiplayerRating
from simworld.results.seat_scores import ScoreCounts, measure_scales, read_scores, retest_deviations
from simworld.results.standings import Standings, make_standings
from simworld.tournament.loading import Tournament
from simworld.tournament.tournament_plan import compared_seats
from store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What is known of a tournament by one judge."""

    judge: str
    judge_ids: tuple[str, ...]
    judged: int  # episodes with a score
    standings: Standings
    # scenarios with three and more seats; None where there is none
    tables: tuple[MultiplayerRating, ...] | None
    scales: Mapping[str, tuple[float, float]]  # measure → the ends of its scale
    cautions: tuple[str, ...] = ()  # what a reader must know of the judge, a line each


def tournament_results(
    tournament: Tournament, store: Store, judge: JudgeSpec, *, rounds: int = 1000
) -> Results:
    """The standings of a tournament as far as it is played and judged.

    Raises:
        InputError: nothing is played, the judge has scored nothing at all (the text says why), a
            score is not finite, or `tie: measured` has nothing to measure.
    """
    return results_for_ids(
        tournament, store, judge.name, judge_ids(store, tournament.name, judge), rounds=rounds
    )


def results_for_ids(
    tournament: Tournament, store: Store, judge: str, ids: Sequence[str], *, rounds: int = 1000
) -> Results:
    """As `tournament_results`, by the ids of one judge, one per rubric; `judge` is its name."""
    ties = _ties(tournament, store, ids)
    reading = ScoreCounts()
    tables = EpisodeRanks(OVERALL)
    counted = count_games(
        _adding_ranks(tables, read_tournament_scores(tournament, store, ids, reading)), ties
    )
    if not reading.counts:
        raise InputError(
            f"nothing of tournament {tournament.name!r} is in {store.location}; `simworld"
            " tournament run` plays it"
        )
    if not reading.judged:
        raise InputError(_nothing_scored(tournament, store, judge))
    dimensions = tournament.file.dimensions
    standings = make_standings(
        counted,
        agents=tournament.agents,
        measures=tuple(dict.fromkeys((OVERALL, *dimensions))) if dimensions else tuple(ties),
        seats=reading.counts,
        ties=ties,
        anchor=tournament.anchor,
        rounds=rounds,
    )
    rated = None
    if any(len(scenario.seats) > 2 for scenario in tournament.scenarios):
        try:
            rated = tables.ratings()
        except MissingExtra as error:
            standings = replace(standings, warnings=(*standings.warnings, str(error)))
    return Results(
        judge=judge,
        judge_ids=tuple(ids),
        judged=reading.judged,
        standings=standings,
        tables=rated,
        scales=measure_scales(store, ids),
        cautions=cautions(store, ids, run=tournament.name),
    )


def differences(
    tournament: Tournament, store: Store, judge: JudgeSpec, first: str, second: str
) -> dict[str, Difference]:
    """Measure → one agent less another. Raises InputError for an agent that is not in the
    tournament.
    """
    return differences_for_ids(
        tournament, store, judge_ids(store, tournament.name, judge), first, second
    )


def differences_for_ids(
    tournament: Tournament, store: Store, ids: Sequence[str], first: str, second: str
) -> dict[str, Difference]:
    """As `differences`, by the ids of one judge, one per rubric."""
    differences_ = compare_agents(
        read_tournament_scores(tournament, store, ids, agents=(first, second)), first, second
    )
    wanted = (OVERALL, *tournament.file.dimensions)
    return (
        {m: d for m, d in differences_.items() if m in wanted}
        if tournament.file.dimensions
        else differences_
    )


def read_tournament_scores(
    tournament: Tournament,
    store: Store,
    ids: Sequence[str],
    reading: ScoreCounts | None = None,
    *,
    agents: Sequence[str] | None = None,
    casts: frozenset[frozenset[str]] | None = None,
) -> Iterator[SeatScores]:
    """The scores of a tournament's agents in the seats that count.

    Args:
        tournament: whose.
        store: where it was played.
        ids: of the judge, one per rubric.
        reading: counts what is read.
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
        reading=reading,
    )


def judge_ids(store: Store, run: str, judge: JudgeSpec) -> list[str]:
    """The ids under which a judge has judged a run, one per rubric; none if it has not.

    Raises:
        InputError: it has judged with two models or versions, whose scores must not be mixed.
    """
    id_by_rubric: dict[str, str] = {}
    judged = store.scoring_judge_ids(run)
    for record in store.judges():
        if record.id not in judged or record.spec["spec"] != judge.content():
            continue
        rubric = record.spec["rubric"]["id"]
        if rubric in id_by_rubric:
            raise InputError(
                f"judge {judge.name!r} has judged {run!r} as {id_by_rubric[rubric]} and as"
                f" {record.id}, with different models; their scores are not comparable:"
                " remove the judgements of one"
            )
        id_by_rubric[rubric] = record.id
    return list(id_by_rubric.values())


def _ties(tournament: Tournament, store: Store, ids: Sequence[str]) -> dict[str, float]:
    tie = tournament.tie
    measures = measure_scales(store, ids)
    if tie != "measured":
        return {measure: tie * (high - low) for measure, (low, high) in measures.items()}
    measured = retest_deviations(
        store, tournament.name, ids, [scenario.id for scenario in tournament.scenarios]
    )
    if ids and not measured:
        raise InputError(
            "tie: measured: no episode was judged twice, so the judge's deviation is unknown; give"
            " a number"
        )
    return {measure: measured.get(measure, 0.0) for measure in measures}


def _adding_ranks(tables: EpisodeRanks, parts: Iterable[SeatScores]) -> Iterator[SeatScores]:
    """The parts as they come, each shown to the tables first."""
    for part in parts:
        tables.add(part)
        yield part


def _nothing_scored(tournament: Tournament, store: Store, judge: str) -> str:
    """Why a judge has no score of what was played."""
    played = [
        summary
        for summary in store.episode_summaries(run=tournament.name, limit=100)
        if summary.failure is None
    ]
    if not played:
        return (
            f"every episode of tournament {tournament.name!r} failed, so nothing can be compared;"
            " see `simworld episode list`"
        )
    for stored in (judgement for summary in played for judgement in store.judgements(summary.id)):
        if stored.judge_name == judge and stored.judgement.failure is not None:
            why = f"its judgements failed, like this one: {stored.judgement.failure}"
            break
    else:
        why = "it has not judged them yet"
    where = f"judge {judge!r} scored no episode of tournament {tournament.name!r}"
    return f"{where}: {why}; `simworld tournament run --retry-failed` tries again"
