"""Who is better: standings with ratings, and who won against whom."""

from __future__ import annotations

import pandas as pd

from simworld.analysis.questions.judge_choice import choose_judge
from simworld.analysis.questions.judge_measures import judge_measures
from simworld.analysis.questions.mean_scores import estimate_columns
from simworld.analysis.questions.query_source import QuerySource, to_frame, with_notes
from simworld.analysis.questions.scope import resolve_run, resolve_scope
from simworld.analysis.questions.seat_frames import seat_names
from simworld.core.errors import InputError
from simworld.results.games import count_games
from simworld.results.score_reading import ScoreTally, read_scores
from simworld.results.standings import Standings, make_standings


def standings(
    source: QuerySource,
    *,
    measure: str,
    run: str | None,
    judge: str | None,
    tie: float,
    anchor: str | None,
) -> pd.DataFrame:
    """See `Analysis.standings`."""
    return standings_frame(_compute_standings(source, measure, run, judge, tie, anchor), measure)


def standings_frame(standings: Standings, measure: str) -> pd.DataFrame:
    """Standings on one measure with the columns of `Analysis.standings`."""
    table = standings.tables[measure]
    rows = []
    for standing in table.standings:
        rating, seats = standing.rating, standings.seats[standing.agent]
        points = (None, None, None) if rating is None else (rating.points, rating.low, rating.high)
        games = (0, 0, 0) if rating is None else (rating.games, rating.wins, rating.ties)
        lost = games[0] - games[1] - games[2]
        counts = (seats.played, seats.failed, seats.unscored)
        rows.append(
            (standing.agent, *points, *games, lost, *estimate_columns(standing.score), *counts)
        )
    number, whole = "float64", "int64"
    columns = {"agent": "", **dict.fromkeys(("rating", "rating_low", "rating_high"), number)}
    columns |= dict.fromkeys(("games", "wins", "ties", "losses"), whole)
    columns |= {**dict.fromkeys(("mean", "low", "high"), number), "n": whole, "families": whole}
    return with_notes(
        to_frame(rows, columns | dict.fromkeys(("played", "failed", "unscored"), whole)),
        (*standings.warnings, *table.notes),
    )


def games(
    source: QuerySource, *, measure: str, run: str | None, judge: str | None, tie: float
) -> pd.DataFrame:
    """See `Analysis.games`."""
    records = _compute_standings(source, measure, run, judge, tie, None).tables[measure].win_records
    rows = [
        (*pair, record.wins, record.ties, record.losses, record.games)
        for pair, record in records.items()
    ]
    counts = dict.fromkeys(("wins", "ties", "losses", "n"), "int64")
    columns = {"agent": "", "opponent": "", **counts}
    return with_notes(to_frame(rows, columns), ())


def _compute_standings(
    source: QuerySource,
    measure: str,
    run: str | None,
    judge: str | None,
    tie: float,
    anchor: str | None,
) -> Standings:
    if not 0 <= tie < 1:
        raise InputError(f"tie is {tie}; it is a share of the range, at least 0 and below 1")
    run = resolve_run(source, run)
    scope = resolve_scope(source, run=run, agents=() if anchor is None else (anchor,))
    choice = choose_judge(source, judge, resolve_scope(source, run=run))
    (scale,) = judge_measures(choice, [measure])
    thresholds = {measure: tie * (1.0 if scale.is_share else scale.high - scale.low)}
    agents = source.column(
        "SELECT agent_name FROM run_agents WHERE run = :run ORDER BY agent_name", {"run": run}
    )
    tally = ScoreTally()
    scores = read_scores(
        source.store, run, choice.ids, seat_names(source, scope), agents=agents, tally=tally
    )
    counts = count_games(scores, thresholds)
    seen = [agent for agent in agents if agent in tally.seat_counts]
    return make_standings(
        counts,
        agents=seen,
        measures=(measure,),
        seat_counts=tally.seat_counts,
        tie_thresholds=thresholds,
        anchor=anchor,
    )
