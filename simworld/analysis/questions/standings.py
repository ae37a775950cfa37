"""Who is better: standings with ratings, and who won against whom."""

from __future__ import annotations

import pandas as pd

from simworld.analysis.games import Counted, count
from simworld.analysis.questions.judges import choose_judge
from simworld.analysis.questions.names import one_run, scope
from simworld.analysis.questions.scores import GROUPS, cells, seats_played
from simworld.analysis.questions.seat_scores import seat_scores
from simworld.analysis.questions.seat_values import seat_values
from simworld.analysis.questions.source import Source, noted, table
from simworld.analysis.seat_scores import SeatCount
from simworld.analysis.standings import Standings, make_standings
from simworld.core.errors import InputError


def standings(
    source: Source, *, measure: str, run: str | None, judge: str | None, tie: float, anchor: str | None
) -> pd.DataFrame:
    """See `Analysis.standings`."""
    found = _standings(source, measure, run, judge, tie, anchor)
    rows = []
    for standing in found.tables[measure].standings:
        rating, seats = standing.rating, found.seats[standing.agent]
        points = (None, None, None) if rating is None else (rating.points, rating.low, rating.high)
        games = (0, 0, 0) if rating is None else (rating.games, rating.wins, rating.ties)
        lost = games[0] - games[1] - games[2]
        rows.append(
            (standing.agent, *points, *games, lost, *cells(standing.score), seats.played, seats.failed, seats.unscored)
        )
    number, whole = "float64", "int64"
    columns = {"agent": "", **dict.fromkeys(("rating", "rating_low", "rating_high"), number)}
    columns |= dict.fromkeys(("games", "wins", "ties", "losses"), whole)
    columns |= {**dict.fromkeys(("mean", "low", "high"), number), "n": whole, "families": whole}
    return noted(table(rows, columns | dict.fromkeys(("played", "failed", "unscored"), whole)), found.warnings)


def games(source: Source, *, measure: str, run: str | None, judge: str | None, tie: float) -> pd.DataFrame:
    """See `Analysis.games`."""
    records = _standings(source, measure, run, judge, tie, None).tables[measure].records
    rows = [(*pair, record.wins, record.ties, record.losses, record.games) for pair, record in records.items()]
    return noted(
        table(rows, {"agent": "", "opponent": "", **dict.fromkeys(("wins", "ties", "losses", "n"), "int64")}), ()
    )


def _standings(
    source: Source, measure: str, run: str | None, judge: str | None, tie: float, anchor: str | None
) -> Standings:
    if not 0 <= tie < 1:
        raise InputError(f"tie is {tie}; it is a share of the range, at least 0 and below 1")
    among = scope(source, run=one_run(source, run))
    chosen = choose_judge(source, judge, among)
    values = seat_values(source, chosen, among, (measure,))
    seats = seats_played(source, among, {"agent": GROUPS["agent"]})
    agents = [key[0] for key in seats]
    if anchor is not None:
        scope(source, run=among.run, agents=(anchor,))
    (of,) = values.measures
    width = 1.0 if of.share else of.high - of.low
    counted: Counted = count(seat_scores(source, values, among), {measure: tie * width})
    scored = {agent: sum(part.n for part in counted.sums if part.agent == agent) for agent in agents}
    counts = {
        agent: SeatCount(played=played, failed=failed, unscored=played - failed - scored[agent])
        for (agent,), (played, failed) in seats.items()
    }
    return make_standings(
        counted, agents=agents, measures=(measure,), seats=counts, ties={measure: tie * width}, anchor=anchor
    )
