"""Who is better, and how sure that is: scores, wins and ratings from sums and counts, measure by
measure.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from simworld.core.arrays import Ints
from simworld.core.counts import counted
from simworld.core.measures import OVERALL, SOTOPIA_MEAN
from simworld.results.games import GameCounts
from simworld.results.score_reading import SeatCount
from simworld.stats.intervals import Estimate, means_from_sums
from simworld.stats.paired_tests import ENOUGH_FAMILIES
from simworld.stats.ratings import Rating, fit_ratings

SECONDARY_ROUNDS = 400  # bootstrap resamples of ratings on other measures than the first
_MIN_WIDTH = 1e-3  # points; a narrower interval counts as one of no width


@dataclass(frozen=True, slots=True, kw_only=True)
class WinRecord:
    """Games of one agent against another."""

    wins: int
    ties: int
    losses: int

    @property
    def games(self) -> int:
        """All of them."""
        return self.wins + self.ties + self.losses


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One agent on one measure. What nothing is known of is None."""

    agent: str
    score: Estimate | None  # mean with an interval over families
    rating: Rating | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureStandings:
    """All agents on one measure, the best rating first; without a rating, the best score first."""

    measure: str
    standings: tuple[Standing, ...]
    win_records: Mapping[tuple[str, str], WinRecord]  # (agent, opponent), both ways round
    games: int
    ties: int
    tie_threshold: float  # a difference below it is a tie
    # agents that games link; ratings compare within a group only
    groups: tuple[tuple[str, ...], ...]
    anchor: str | None  # the agent that has 1000 points here by definition

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know of intervals of ratings that are open, or of no width; a line for
        each kind.
        """
        ways: dict[str, list[str]] = {}
        for standing in self.standings:
            if (
                standing.rating is not None
                and (why := _explain_interval(standing.rating))
                and standing.agent != self.anchor
            ):
                ways.setdefault(why, []).append(standing.agent)
        return tuple(f"{', '.join(agents)} {why}" for why, agents in ways.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Standings:
    """The tables of a tournament, the deciding measure first."""

    tables: Mapping[str, MeasureStandings]
    seats: Mapping[str, SeatCount]  # agent → seats played, failed and unscored
    families: int
    anchor: str | None
    warnings: tuple[str, ...]


def make_standings(
    counts: GameCounts,
    *,
    agents: Sequence[str],
    measures: Collection[str] = (),
    seat_counts: Mapping[str, SeatCount] | None = None,
    tie_thresholds: Mapping[str, float] | None = None,
    anchor: str | None = None,
    rounds: int = 1000,
    seed: int = 0,
) -> Standings:
    """Standings from sums and counts.

    Args:
        counts: by agent; agents that are not wanted are left out.
        agents: who is in the standings, also without a score.
        measures: in this order; default: all, `overall` and `sotopia_mean` first.
        seat_counts: what became of the seats that each agent played.
        tie_thresholds: measure → the difference below which games were counted as ties.
        anchor: the agent with 1000 points; default: the mean of all has them.
        rounds: bootstrap resamples of the first measure's ratings; of the others' at most 400, for
            they only stand beside it.
        seed: of the resampling.
    """
    indices = [counts.agents.index(agent) for agent in sorted(agents) if agent in counts.agents]
    chosen = tuple(measures) or tuple(
        m for m in sorted(counts.measures, key=_measure_order) if _has_scores(counts, indices, m)
    )
    scores = _mean_scores(counts, indices, seed)
    tables = {}
    for name in chosen:
        tie_threshold = (tie_thresholds or {}).get(name, 0.0)
        resamples = rounds if name == chosen[0] else min(rounds, SECONDARY_ROUNDS)
        tables[name] = _measure_standings(
            name, counts, indices, scores, agents, tie_threshold, anchor, resamples, seed
        )
    families = int(counts.score_counts[:, indices].any(axis=(1, 2)).sum())
    count_by_agent = dict(seat_counts or {})
    return Standings(
        tables=tables,
        seats={agent: count_by_agent.get(agent, SeatCount()) for agent in agents},
        families=families,
        anchor=anchor,
        warnings=tuple(_warnings(tables, families, anchor)),
    )


def _explain_interval(rating: Rating) -> str:
    if not rating.unbounded:
        no_width = (
            rating.low is not None
            and rating.high is not None
            and rating.high - rating.low < _MIN_WIDTH
        )
        return (
            "had the same results in every family: the interval has no width, which is no certainty"
            if no_width
            else ""
        )
    lost = rating.games - rating.wins - rating.ties
    if rating.low == -math.inf and rating.high == math.inf:
        return (
            "won every game against agents below and lost every game to agents above: no bound on"
            " either side"
        )
    if rating.high == math.inf:
        why = "won every game" if rating.wins == rating.games else "lost no points to agents below"
        return f"{why}: only a lower bound of the rating is known"
    why = "lost every game" if lost == rating.games else "took no points from agents above"
    return f"{why}: only an upper bound of the rating is known"


def _measure_order(measure: str) -> tuple[int, str]:
    return (
        (OVERALL, SOTOPIA_MEAN).index(measure) if measure in (OVERALL, SOTOPIA_MEAN) else 2
    ), measure


def _has_scores(counts: GameCounts, indices: Sequence[int], measure: str) -> bool:
    return bool(counts.score_counts[:, indices, counts.measures.index(measure)].any())


def _mean_scores(
    counts: GameCounts, indices: Sequence[int], seed: int
) -> dict[tuple[str, str], Estimate]:
    """(Measure, agent) → mean score."""
    keys = [(measure, counts.agents[agent]) for agent in indices for measure in counts.measures]
    shape = (len(counts.families), len(keys))
    totals, numbers = (
        counts.score_sums[:, indices].reshape(shape),
        counts.score_counts[:, indices].reshape(shape),
    )
    estimates = means_from_sums(totals, numbers, seed=seed)
    return {key: mean for key, mean in zip(keys, estimates, strict=True) if mean is not None}


def _measure_standings(
    measure: str,
    counts: GameCounts,
    indices: Sequence[int],
    scores: Mapping[tuple[str, str], Estimate],
    agents: Sequence[str],
    tie_threshold: float,
    anchor: str | None,
    rounds: int,
    seed: int,
) -> MeasureStandings:
    names, wins, ties = _games_on_measure(counts, indices, measure)
    ratings: dict[str, Rating] = {}
    groups: tuple[tuple[str, ...], ...] = ()
    rated_anchor = anchor if anchor in names else None
    if names:
        rated = fit_ratings(names, wins, ties, anchor=rated_anchor, rounds=rounds, seed=seed)
        ratings = {rating.agent: rating for rating in rated.ratings}
        groups = rated.groups
    groups += tuple((agent,) for agent in sorted(set(agents) - set(ratings)) if len(agents) > 1)
    standings = [
        Standing(agent=agent, score=scores.get((measure, agent)), rating=ratings.get(agent))
        for agent in agents
    ]
    records = _win_records(names, wins.sum(0), ties.sum(0))
    return MeasureStandings(
        measure=measure,
        standings=tuple(sorted(standings, key=_sort_key)),
        win_records=records,
        games=sum(record.games for record in records.values()) // 2,
        ties=sum(record.ties for record in records.values()) // 2,
        tie_threshold=tie_threshold,
        groups=groups,
        anchor=rated_anchor,
    )


def _games_on_measure(
    counts: GameCounts, indices: Sequence[int], measure: str
) -> tuple[list[str], Ints, Ints]:
    """The agents that have games, in order, and their wins and ties (families, K, K) in the
    families that have games.
    """
    if measure not in counts.measures:
        return [], *np.zeros((2, 0, 0, 0), dtype=np.int64)
    m = counts.measures.index(measure)
    wins, ties = (games[:, indices][:, :, indices, m] for games in (counts.wins, counts.ties))
    played = wins + wins.swapaxes(1, 2) + ties
    families, met = np.flatnonzero(played.any(axis=(1, 2))), np.flatnonzero(played.any(axis=(0, 1)))
    names = [counts.agents[indices[i]] for i in met.tolist()]
    return names, wins[np.ix_(families, met, met)], ties[np.ix_(families, met, met)]


def _win_records(names: Sequence[str], wins: Ints, ties: Ints) -> dict[tuple[str, str], WinRecord]:
    return {
        (names[i], names[j]): WinRecord(
            wins=int(wins[i, j]), ties=int(ties[i, j]), losses=int(wins[j, i])
        )
        for i, j in np.argwhere(wins + wins.T + ties).tolist()
    }


def _sort_key(standing: Standing) -> tuple[float, float, str]:
    points = -standing.rating.points if standing.rating else float("inf")
    return points, -standing.score.mean if standing.score else float("inf"), standing.agent


def _warnings(
    tables: Mapping[str, MeasureStandings], families: int, anchor: str | None
) -> Iterable[str]:
    if families == 1:
        yield (
            f"1 family of scenarios: no intervals; they need at least 2, and {ENOUGH_FAMILIES} to"
            " be trusted"
        )
    elif 1 < families < ENOUGH_FAMILIES:
        yield (
            f"{counted(families, 'family', 'families')}: fewer than {ENOUGH_FAMILIES}, so intervals"
            " are rough"
        )
    for table in list(tables.values())[:1]:
        rated = {standing.agent for standing in table.standings if standing.rating}
        if not table.games:
            yield (
                "no two agents have a score in the same cell, so there are no games and no ratings"
            )
        elif len(table.groups) > 1:
            names = " | ".join(", ".join(group) for group in table.groups)
            yield f"{table.measure}: ratings compare only within a group, for no games link {names}"
        if table.games and table.ties == table.games:
            ties = counted(table.games, "game is a tie", "games are ties")
            yield f"{table.measure}: all {ties}, so nothing tells the agents apart"
        if anchor is not None and table.games and anchor not in rated:
            yield (
                f"the anchor {anchor!r} has no games, so the mean of all agents has 1000 points"
                " instead"
            )
