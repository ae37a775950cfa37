"""Who is better: standings with ratings, and who won against whom."""

from __future__ import annotations

import pandas as pd

from simworld.analysis.questions.judge_choice import choose_judge
from simworld.analysis.questions.judge_measures import judge_measures
from simworld.analysis.questions.mean_scores import estimate_columns
from simworld.analysis.questions.query_source import QuerySource, noted, table
from simworld.analysis.questions.scope import one_run, scope
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
    results = _standings(source, measure, run, judge, tie, anchor)
    main = results.tables[measure]
    rows = []
    for standing in main.standings:
        rating, seats = standing.rating, results.seats[standing.agent]
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
    return noted(
        table(rows, columns | dict.fromkeys(("played", "failed", "unscored"), whole)),
        (*results.warnings, *main.notes),
    )


def games(
    source: QuerySource, *, measure: str, run: str | None, judge: str | None, tie: float
) -> pd.DataFrame:
    """See `Analysis.games`."""
    records = _standings(source, measure, run, judge, tie, None).tables[measure].win_records
    rows = [
        (*pair, record.wins, record.ties, record.losses, record.games)
        for pair, record in records.items()
    ]
    columns = {
        "agent": "",
        "opponent": "",
        **dict.fromkeys(("wins", "ties", "losses", "n"), "int64"),
    }
    return noted(table(rows, columns), ())


def _standings(
    source: QuerySource,
    measure: str,
    run: str | None,
    judge: str | None,
    tie: float,
    anchor: str | None,
) -> Standings:
    if not 0 <= tie < 1:
        raise InputError(f"tie is {tie}; it is a share of the range, at least 0 and below 1")
    run = one_run(source, run)
    among = scope(source, run=run, agents=() if anchor is None else (anchor,))
    chosen = choose_judge(source, judge, scope(source, run=run))
    (of,) = judge_measures(chosen, [measure])
    ties = {measure: tie * (1.0 if of.share else of.high - of.low)}
    agents = source.column(
        "SELECT agent_name FROM run_agents WHERE run = :run ORDER BY agent_name", {"run": run}
    )
    reading = ScoreTally()
    scores = read_scores(
        source.store, run, chosen.ids, seat_names(source, among), agents=agents, tally=reading
    )
    counted = count_games(scores, ties)
    there = [agent for agent in agents if agent in reading.seat_counts]
    return make_standings(
        counted,
        agents=there,
        measures=(measure,),
        seat_counts=reading.seat_counts,
        tie_thresholds=ties,
        anchor=anchor,
    )
