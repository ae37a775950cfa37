"""Who is better, and how sure that is: scores, wins and ratings from sums and counts, measure by measure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from simworld.analysis.games import Counted, GameCount, ScoreSum
from simworld.analysis.seat_scores import SeatCount
from simworld.core.measures import OVERALL, SOTOPIA_MEAN
from simworld.core.paired import ENOUGH_FAMILIES
from simworld.core.ratings import Rating, Ratings, rate_counts
from simworld.core.stats import Estimate, means_of_sums

BESIDE = 400  # bootstrap resamples of ratings on other measures than the first


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
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
class Table:
    """All agents on one measure, the best rating first; without a rating, the best score first."""

    measure: str
    standings: tuple[Standing, ...]
    records: Mapping[tuple[str, str], Record]  # (agent, opponent), both ways round
    games: int
    ties: int
    tie: float  # a difference below it is a tie
    groups: tuple[tuple[str, ...], ...]  # agents that games link; ratings compare within a group only


@dataclass(frozen=True, slots=True, kw_only=True)
class Standings:
    """The tables of a tournament, the deciding measure first."""

    tables: Mapping[str, Table]
    seats: Mapping[str, SeatCount]  # agent → seats played, failed and unscored
    families: int
    anchor: str | None
    warnings: tuple[str, ...]


def make_standings(
    counted: Counted,
    *,
    agents: Sequence[str],
    measures: Collection[str] = (),
    seats: Mapping[str, SeatCount] | None = None,
    ties: Mapping[str, float] | None = None,
    anchor: str | None = None,
    rounds: int = 1000,
    seed: int = 0,
) -> Standings:
    """Standings from sums and counts.

    Args:
        counted: by agent; agents that are not wanted are left out.
        agents: who is in the standings, also without a score.
        measures: in this order; default: all, `overall` and `sotopia_mean` first.
        seats: what became of the seats that each agent played.
        ties: measure → the difference below which games were counted as ties.
        anchor: the agent with 1000 points; default: the mean of all has them.
        rounds: bootstrap resamples of the first measure's ratings; of the others' at most 400, for they only stand beside it.
        seed: of the resampling.
    """
    wanted = set(agents)
    sums = [part for part in counted.sums if part.agent in wanted]
    games: dict[str, list[GameCount]] = defaultdict(list)
    for game in counted.games:
        if game.first in wanted and game.second in wanted:
            games[game.dimension].append(game)
    known = dict.fromkeys(part.dimension for part in sums)
    first = [name for name in (OVERALL, SOTOPIA_MEAN) if name in known]
    chosen = tuple(measures) or (*first, *(name for name in known if name not in first))
    scores = _scores(sums, seed)
    tables = {
        name: _table(name, scores, games[name], agents, (ties or {}).get(name, 0.0), anchor, resamples, seed)
        for name, resamples in zip(chosen, (rounds, *([min(rounds, BESIDE)] * len(chosen))), strict=False)
    }
    families = len({part.family for part in sums})
    found = dict(seats or {})
    return Standings(
        tables=tables,
        seats={agent: found.get(agent, SeatCount()) for agent in agents},
        families=families,
        anchor=anchor,
        warnings=tuple(_warnings(tables, families, anchor)),
    )


def _scores(sums: Sequence[ScoreSum], seed: int) -> dict[tuple[str, str], Estimate]:
    """(Measure, agent) → mean score."""
    families = {family: i for i, family in enumerate(sorted({part.family for part in sums}))}
    columns = {key: i for i, key in enumerate(dict.fromkeys((part.dimension, part.agent) for part in sums))}
    totals, counts = np.zeros((2, len(families), len(columns)))
    for part in sums:
        place = families[part.family], columns[part.dimension, part.agent]
        totals[place], counts[place] = part.total, part.n
    estimates = means_of_sums(totals, counts, seed=seed)
    return {key: found for key, found in zip(columns, estimates, strict=True) if found is not None}


def _table(
    measure: str,
    scores: Mapping[tuple[str, str], Estimate],
    games: Sequence[GameCount],
    agents: Sequence[str],
    tie: float,
    anchor: str | None,
    rounds: int,
    seed: int,
) -> Table:
    ratings: dict[str, Rating] = {}
    groups: tuple[tuple[str, ...], ...] = ()
    if games:
        found = _rate(games, anchor, rounds, seed)
        ratings = {rating.agent: rating for rating in found.ratings}
        groups = found.groups
    groups += tuple((agent,) for agent in sorted(set(agents) - set(ratings)) if len(agents) > 1)
    standings = [
        Standing(agent=agent, score=scores.get((measure, agent)), rating=ratings.get(agent)) for agent in agents
    ]
    return Table(
        measure=measure,
        standings=tuple(sorted(standings, key=_rank)),
        records=_records(games),
        games=sum(game.wins + game.ties + game.losses for game in games),
        ties=sum(game.ties for game in games),
        tie=tie,
        groups=groups,
    )


def _rate(games: Sequence[GameCount], anchor: str | None, rounds: int, seed: int) -> Ratings:
    agents = sorted({name for game in games for name in (game.first, game.second)})
    place = {agent: i for i, agent in enumerate(agents)}
    families = {family: i for i, family in enumerate(sorted({game.family for game in games}))}
    wins, ties = np.zeros((2, len(families), len(agents), len(agents)))
    for game in games:
        family, first, second = families[game.family], place[game.first], place[game.second]
        wins[family, first, second], wins[family, second, first] = game.wins, game.losses
        ties[family, first, second] = ties[family, second, first] = game.ties
    return rate_counts(agents, wins, ties, anchor=anchor if anchor in place else None, rounds=rounds, seed=seed)


def _records(games: Iterable[GameCount]) -> dict[tuple[str, str], Record]:
    found: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for game in games:
        for key, outcome in (
            ((game.first, game.second), (game.wins, game.ties, game.losses)),
            ((game.second, game.first), (game.losses, game.ties, game.wins)),
        ):
            found[key] = [a + b for a, b in zip(found[key], outcome, strict=True)]
    return {key: Record(wins=won, ties=tied, losses=lost) for key, (won, tied, lost) in sorted(found.items())}


def _rank(standing: Standing) -> tuple[float, float, str]:
    points = -standing.rating.points if standing.rating else float("inf")
    return points, -standing.score.mean if standing.score else float("inf"), standing.agent


def _warnings(tables: Mapping[str, Table], families: int, anchor: str | None) -> Iterable[str]:
    if families == 1:
        yield f"1 family of scenarios: no intervals; they need at least 2, and {ENOUGH_FAMILIES} to be trusted"
    elif 1 < families < ENOUGH_FAMILIES:
        yield f"{families} families: fewer than {ENOUGH_FAMILIES}, so intervals are rough"
    for table in list(tables.values())[:1]:
        rated = {standing.agent for standing in table.standings if standing.rating}
        if not table.games:
            yield "no two agents have a score in the same cell, so there are no games and no ratings"
        elif len(table.groups) > 1:
            names = " | ".join(", ".join(group) for group in table.groups)
            yield f"{table.measure}: ratings compare only within a group, for no games link {names}"
        if table.games and table.ties == table.games:
            yield f"{table.measure}: all {table.games} games are ties, so nothing tells the agents apart"
        if anchor is not None and table.games and anchor not in rated:
            yield f"the anchor {anchor!r} has no games, so the mean of all agents has 1000 points instead"
