"""Standings from sums and counts, worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from simworld.analysis.games import Counted
from simworld.analysis.seat_scores import SeatCount
from simworld.analysis.standings import Record, Standings, make_standings

Scored = tuple[str, str, float, int]  # agent, family, total, n
Games = tuple[str, str, str, int, int, int]  # first, second, family, won, tied, lost


def counted(scored: Sequence[Scored] = (), games: Sequence[Games] = ()) -> Counted:
    """Sums and counts on the one measure `overall`."""
    families = sorted({row[1] for row in scored} | {row[2] for row in games})
    agents = sorted({row[0] for row in scored} | {name for row in games for name in row[:2]})
    each, pairs = (len(families), len(agents), 1), (len(families), len(agents), len(agents), 1)
    made = Counted(
        families=tuple(families),
        agents=tuple(agents),
        measures=("overall",),
        totals=np.zeros(each),
        numbers=np.zeros(each, dtype=np.int64),
        wins=np.zeros(pairs, dtype=np.int64),
        ties=np.zeros(pairs, dtype=np.int64),
    )
    for agent, family, total, n in scored:
        place = families.index(family), agents.index(agent), 0
        made.totals[place], made.numbers[place] = total, n
    for first, second, family, won, tied, lost in games:
        f, i, j = families.index(family), agents.index(first), agents.index(second)
        made.wins[f, i, j], made.wins[f, j, i] = won, lost
        made.ties[f, i, j] = made.ties[f, j, i] = tied
    return made


def standings(counts: Counted, agents: str = "ab", **settings: object) -> Standings:
    return make_standings(counts, agents=tuple(agents), rounds=200, **settings)  # type: ignore[arg-type]


SCORED: list[Scored] = [("a", "f", 1.0, 4), ("a", "g", 1.0, 1), ("b", "f", 1.0, 2), ("b", "g", 1.0, 2)]
GAMES: list[Games] = [("a", "b", "f", 3, 0, 1), ("a", "b", "g", 3, 1, 1)]
SMALL = counted(SCORED, GAMES)


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
    counts = counted(games=[("a", "b", "f", 1, 0, 0), ("c", "d", "f", 1, 0, 0)])
    found = standings(counts, "abcd", measures=("overall",))
    assert any("no games link a, b | c, d" in warning for warning in found.warnings)


def test_no_games() -> None:
    found = standings(counted(SCORED))
    assert [s.agent for s in found.tables["overall"].standings] == ["b", "a"]  # by score
    assert found.warnings[-1] == "no two agents have a score in the same cell, so there are no games and no ratings"


def test_an_agent_that_is_not_asked_for_is_left_out_of_everything() -> None:
    more = counted([*SCORED, ("z", "h", 9.0, 9)], [*GAMES, ("a", "z", "h", 5, 0, 0)])
    assert standings(more).tables == standings(SMALL).tables
    assert standings(more).families == 2


def test_seats_of_everybody_are_counted() -> None:
    found = standings(SMALL, seats={"a": SeatCount(played=6, failed=1)})
    assert found.seats == {"a": SeatCount(played=6, failed=1), "b": SeatCount()}
