"""Standings from sums and counts, worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from simworld.results.games import GameCounts
from simworld.results.score_reading import SeatCount
from simworld.results.seat_scores import SeatScore
from simworld.results.standings import Standing, Standings, WinRecord, make_standings
from tests.simworld.results.counted import count

Scored = tuple[str, str, float, int]  # agent, family, total, n
Games = tuple[str, str, str, int, int, int]  # first, second, family, won, tied, lost


def counted(scored: Sequence[Scored] = (), games: Sequence[Games] = ()) -> GameCounts:
    """Sums and counts on the one measure `overall`."""
    families = sorted({row[1] for row in scored} | {row[2] for row in games})
    agents = sorted({row[0] for row in scored} | {name for row in games for name in row[:2]})
    each, pairs = (len(families), len(agents), 1), (len(families), len(agents), len(agents), 1)
    made = GameCounts(
        families=tuple(families),
        agents=tuple(agents),
        measures=("overall",),
        score_sums=np.zeros(each),
        score_counts=np.zeros(each, dtype=np.int64),
        wins=np.zeros(pairs, dtype=np.int64),
        ties=np.zeros(pairs, dtype=np.int64),
    )
    for agent, family, total, n in scored:
        place = families.index(family), agents.index(agent), 0
        made.score_sums[place], made.score_counts[place] = total, n
    for first, second, family, won, tied, lost in games:
        f, i, j = families.index(family), agents.index(first), agents.index(second)
        made.wins[f, i, j], made.wins[f, j, i] = won, lost
        made.ties[f, i, j] = made.ties[f, j, i] = tied
    return made


def standings(counts: GameCounts, agents: str = "ab", **settings: object) -> Standings:
    return make_standings(counts, agents=tuple(agents), rounds=200, **settings)  # type: ignore[arg-type]


SCORED: list[Scored] = [
    ("a", "f", 1.0, 4),
    ("a", "g", 1.0, 1),
    ("b", "f", 1.0, 2),
    ("b", "g", 1.0, 2),
]
GAMES: list[Games] = [("a", "b", "f", 3, 0, 1), ("a", "b", "g", 3, 1, 1)]
SMALL = counted(SCORED, GAMES)


def test_scores_records_and_points() -> None:
    table = standings(SMALL).tables["overall"]
    a, b = table.standings
    assert (a.agent, b.agent) == ("a", "b")
    assert a.score is not None
    assert b.score is not None
    # 2 / 5: every cell counts the same
    assert (a.score.mean, a.score.n, a.score.families) == (0.4, 5, 2)
    # Resampled families: f twice is 1/4, g twice is 1.
    assert (a.score.low, a.score.high) == (0.25, 1.0)
    assert (b.score.mean, b.score.low, b.score.high) == (0.5, 0.5, 0.5)
    assert table.win_records == {
        ("a", "b"): WinRecord(wins=6, ties=1, losses=2),
        ("b", "a"): WinRecord(wins=2, ties=1, losses=6),
    }
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


@pytest.mark.parametrize(
    ("games", "notes"),
    [
        (
            [("a", "b", family, 2, 0, 0) for family in "fg"],
            ("a won every game: only a lower bound of the rating is known",
             "b lost every game: only an upper bound of the rating is known"),
        ),
        (
            [(strong, weak, family, 1, 0, 0) for strong in "ab" for weak in "cd" for family in "fg"]
            + [("a", "b", "f", 1, 0, 1), ("c", "d", "g", 0, 1, 0)],
            ("a, b lost no points to agents below: only a lower bound of the rating is known",
             "c, d took no points from agents above: only an upper bound of the rating is known"),
        ),
        (
            [("a", "b", family, 1, 0, 0) for family in "fg"] + [("b", "c", family, 1, 0, 0) for family in "fg"],
            ("a won every game: only a lower bound of the rating is known",
             "b won every game against agents below and lost every game to agents above: no bound on either side",
             "c lost every game: only an upper bound of the rating is known"),
        ),
        (
            [("a", "b", family, 1, 0, 1) for family in "fg"],
            ("a, b had the same results in every family: the interval has no width, which is no certainty",),
        ),
        (GAMES, ()),
    ],
)  # fmt: skip
def test_intervals_that_are_none_are_noted(games: list[Games], notes: tuple[str, ...]) -> None:
    agents = "".join(sorted({name for row in games for name in row[:2]}))
    assert (
        standings(counted(games=games), agents, measures=("overall",)).tables["overall"].notes
        == notes
    )


def test_the_anchor_is_sure_by_definition() -> None:
    found = standings(
        counted(games=[("a", "b", family, 1, 0, 0) for family in "fg"]),
        anchor="a",
        measures=("overall",),
    )
    assert found.tables["overall"].notes == (
        "b lost every game: only an upper bound of the rating is known",
    )


def test_no_games() -> None:
    found = standings(counted(SCORED))
    assert [s.agent for s in found.tables["overall"].standings] == ["b", "a"]  # by score
    assert (
        found.warnings[-1]
        == "no two agents have a score in the same cell, so there are no games and no ratings"
    )


def test_an_agent_that_is_not_asked_for_is_left_out_of_everything() -> None:
    more = counted([*SCORED, ("z", "h", 9.0, 9)], [*GAMES, ("a", "z", "h", 5, 0, 0)])
    assert standings(more).tables == standings(SMALL).tables
    assert standings(more).families == 2


def test_seats_of_everybody_are_counted() -> None:
    found = standings(SMALL, seat_counts={"a": SeatCount(played=6, failed=1)})
    assert found.seats == {"a": SeatCount(played=6, failed=1), "b": SeatCount()}


STRENGTHS = {"a": 0.06, "b": 0.02, "c": -0.02, "d": -0.06}


def played(draw: np.random.Generator, families: int) -> GameCounts:
    """Two seats in each family; families suit some agents more than others, and the games of a cell
    hang on each other."""
    scores = []
    for family in range(families):
        suits = {agent: draw.normal(0, 0.08) for agent in STRENGTHS}
        for seat in "st":
            for agent, strength in STRENGTHS.items():
                value = 0.5 + strength + suits[agent] + draw.normal(0, 0.08)
                scores.append(
                    SeatScore(
                        agent=agent, family=f"f{family}", scenario=f"x{family}", seat=seat, partners=("p",), repeat=0,
                        episode=f"{family}{seat}{agent}", values={"overall": value},
                    )
                )  # fmt: skip
    return count(scores, {"overall": 0.03})


def inside(low: float | None, value: float, high: float | None) -> bool:
    return low is not None and high is not None and low <= value <= high


@pytest.mark.slow
@pytest.mark.parametrize(("families", "least"), [(30, 0.92), (6, 0.90)])
def test_intervals_of_whole_tournaments_cover_the_truth(families: int, least: float) -> None:
    """In 400 tournaments 92 to 98 % of the intervals of points, and of means, hold the true value;
    with 6 families a few less.

    The true points are those of a tournament of 4,000 families: no Bradley–Terry model made these
    games.
    """

    def table(draw: np.random.Generator, families: int, rounds: int) -> dict[str, Standing]:
        found = make_standings(
            played(draw, families), agents=tuple(STRENGTHS), rounds=rounds
        ).tables["overall"]
        return {standing.agent: standing for standing in found.standings}

    truth = table(np.random.default_rng(1), 4000, 2)
    points = means = 0
    for seed in range(400):
        for agent, standing in table(np.random.default_rng(100 + seed), families, 400).items():
            rating, score, true = standing.rating, standing.score, truth[agent].rating
            assert rating is not None
            assert score is not None
            assert true is not None
            points += inside(rating.low, true.points, rating.high)
            means += inside(score.low, 0.5 + STRENGTHS[agent], score.high)
    assert least <= points / 1600 <= 0.98, points / 1600
    assert least <= means / 1600 <= 0.98, means / 1600
