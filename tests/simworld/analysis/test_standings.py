"""Standings from sums and counts, worked out by hand."""

from __future__ import annotations

import math

import pytest

from simworld.analysis.games import Counted, GameCount, ScoreSum
from simworld.analysis.seat_scores import SeatCount
from simworld.analysis.standings import Record, Standings, make_standings


def scored(agent: str, family: str, total: float, n: int) -> ScoreSum:
    return ScoreSum(dimension="overall", agent=agent, family=family, total=total, n=n)


def games(first: str, second: str, family: str, wins: int, ties: int, losses: int) -> GameCount:
    return GameCount(
        dimension="overall", first=first, second=second, family=family, wins=wins, ties=ties, losses=losses
    )


def standings(counted: Counted, agents: str = "ab", **settings: object) -> Standings:
    return make_standings(counted, agents=tuple(agents), rounds=200, **settings)  # type: ignore[arg-type]


SMALL = Counted(
    sums=(scored("a", "f", 1.0, 4), scored("a", "g", 1.0, 1), scored("b", "f", 1.0, 2), scored("b", "g", 1.0, 2)),
    games=(games("a", "b", "f", 3, 0, 1), games("a", "b", "g", 3, 1, 1)),
)


def test_scores_records_and_points() -> None:
    table = standings(SMALL).tables["overall"]
    a, b = table.standings
    assert (a.agent, b.agent) == ("a", "b")
    assert a.score is not None
    assert b.score is not None
    assert (a.score.mean, a.score.n, a.score.families) == (0.4, 5, 2)  # 2 / 5: every cell counts the same
    # Resampled families: f twice is 1/4, g twice is 1.
    assert (a.score.low, a.score.high) == (0.25, 1.0)
    assert (b.score.mean, b.score.low, b.score.high) == (0.5, 0.5, 0.5)
    assert table.records == {("a", "b"): Record(wins=6, ties=1, losses=2), ("b", "a"): Record(wins=2, ties=1, losses=6)}
    assert (table.games, table.ties, table.groups) == (9, 1, (("a", "b"),))
    assert a.rating is not None
    assert b.rating is not None
    assert (a.rating.games, a.rating.wins, a.rating.ties) == (9, 6, 1)
    assert a.rating.points + b.rating.points == pytest.approx(2000)
    # 6 of 8 decided games are odds of three to one, which the ridge pulls in a little.
    assert 0 < a.rating.points - b.rating.points < 400 * math.log10(3)


def test_the_anchor() -> None:
    table = standings(SMALL, anchor="b").tables["overall"]
    assert {s.agent: round(s.rating.points) for s in table.standings if s.rating}["b"] == 1000


def test_an_anchor_without_games_is_a_warning() -> None:
    found = standings(SMALL, "abc", anchor="c")
    assert any("the anchor 'c' has no games" in warning for warning in found.warnings)


def test_agents_that_never_met_are_named() -> None:
    counted = Counted(sums=(), games=(games("a", "b", "f", 1, 0, 0), games("c", "d", "f", 1, 0, 0)))
    found = standings(counted, "abcd", measures=("overall",))
    assert any("no games link a, b | c, d" in warning for warning in found.warnings)


def test_no_games() -> None:
    found = standings(Counted(sums=SMALL.sums, games=()))
    assert [s.agent for s in found.tables["overall"].standings] == ["b", "a"]  # by score
    assert found.warnings[-1] == "no two agents have a score in the same cell, so there are no games and no ratings"


def test_an_agent_that_is_not_asked_for_is_left_out_of_everything() -> None:
    more = Counted(sums=(*SMALL.sums, scored("z", "h", 9.0, 9)), games=(*SMALL.games, games("a", "z", "h", 5, 0, 0)))
    assert standings(more).tables == standings(SMALL).tables
    assert standings(more).families == 2


def test_order_does_not_matter() -> None:
    turned = Counted(sums=SMALL.sums[::-1], games=SMALL.games[::-1])
    assert standings(turned) == standings(SMALL)


def test_seats_of_everybody_are_counted() -> None:
    found = standings(SMALL, seats={"a": SeatCount(played=6, failed=1)})
    assert found.seats == {"a": SeatCount(played=6, failed=1), "b": SeatCount()}
