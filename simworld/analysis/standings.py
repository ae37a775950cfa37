"""Who is better, and how sure that is: scores, wins and ratings from sums and counts, measure by measure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from simworld.analysis.arms import OVERALL
from simworld.analysis.games import Counted, GameCount, ScoreSum
from simworld.analysis.seat_scores import SOTOPIA_MEAN, SeatCount
from simworld.core.paired import ENOUGH_FAMILIES
from simworld.core.ratings import Game, Rating, rate
from simworld.core.stats import Estimate, mean_of_sums

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
    sums: dict[str, list[ScoreSum]] = defaultdict(list)
    games: dict[str, list[GameCount]] = defaultdict(list)
    for part in counted.sums:
        if part.agent in wanted:
            sums[part.dimension].append(part)
    for game in counted.games:
        if game.first in wanted and game.second in wanted:
            games[game.dimension].append(game)
    first = [name for name in (OVERALL, SOTOPIA_MEAN) if name in sums]
    chosen = tuple(measures) or (*first, *(name for name in sums if name not in first))
    tables = {
        name: _table(name, sums[name], games[name], agents, (ties or {}).get(name, 0.0), anchor, resamples, seed)
        for name, resamples in zip(chosen, (rounds, *([min(rounds, BESIDE)] * len(chosen))), strict=False)
    }
    families = len({part.family for parts in sums.values() for part in parts})
    found = dict(seats or {})
    return Standings(
        tables=tables,
        seats={agent: found.get(agent, SeatCount()) for agent in agents},
        families=families,
        anchor=anchor,
        warnings=tuple(_warnings(tables, families, anchor)),
    )


def _table(
    measure: str,
    sums: Sequence[ScoreSum],
    games: Sequence[GameCount],
    agents: Sequence[str],
    tie: float,
    anchor: str | None,
    rounds: int,
    seed: int,
) -> Table:
    by_agent: dict[str, dict[str, tuple[float, int]]] = defaultdict(dict)
    for part in sums:
        by_agent[part.agent][part.family] = (part.total, part.n)
    scores = {agent: mean_of_sums(groups, seed=seed) for agent, groups in by_agent.items()}
    ratings: dict[str, Rating] = {}
    groups: tuple[tuple[str, ...], ...] = ()
    if games:
        met = {name for game in games for name in (game.first, game.second)}
        found = rate(_results(games), anchor=anchor if anchor in met else None, rounds=rounds, seed=seed)
        ratings = {rating.agent: rating for rating in found.ratings}
        groups = found.groups
    groups += tuple((agent,) for agent in sorted(set(agents) - set(ratings)) if len(agents) > 1)
    standings = [Standing(agent=agent, score=scores.get(agent), rating=ratings.get(agent)) for agent in agents]
    return Table(
        measure=measure,
        standings=tuple(sorted(standings, key=_rank)),
        records=_records(games),
        games=sum(game.wins + game.ties + game.losses for game in games),
        ties=sum(game.ties for game in games),
        tie=tie,
        groups=groups,
    )


def _results(games: Iterable[GameCount]) -> list[Game]:
    return [
        Game(family=game.family, first=game.first, second=game.second, result=result, times=times)
        for game in games
        for result, times in ((1.0, game.wins), (0.5, game.ties), (0.0, game.losses))
        if times
    ]


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
