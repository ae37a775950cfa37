"""Ratings worked out by hand, against another implementation, and on simulated tournaments."""

import math
import random

import choix
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simworld.stats.bradley_terry import fit_bradley_terry
from simworld.stats.ratings import POINTS_PER_THETA
from tests.simworld.stats.games import Game, rate


def game(first: str, second: str, result: float, family: str = "f") -> Game:
    return Game(family=family, first=first, second=second, result=result)


def points(games: list[Game], **settings: object) -> dict[str, float]:
    return {r.agent: r.points for r in rate(games, rounds=10, **settings).ratings}


def test_three_wins_of_four_are_odds_of_three_to_one() -> None:
    found = points([game("a", "b", 1)] * 3 + [game("b", "a", 1)], ridge=1e-9)
    assert found["a"] - found["b"] == pytest.approx(400 * math.log10(3), abs=1e-3)
    assert found["a"] + found["b"] == pytest.approx(2000)


def test_equal_agents_that_tie_half_of_their_games() -> None:
    # P(tie) = ν / (2 + ν) = ½, so ν = 2.
    ratings = rate(
        [game("a", "b", 1), game("a", "b", 0), game("a", "b", 0.5), game("b", "a", 0.5)], ridge=1e-9
    )
    _, tie = fit_bradley_terry(np.array([[[1.0]], [[1.0]], [[2.0]]]), 2, 1e-9)
    assert tie == pytest.approx(2, abs=1e-6)
    assert [r.points for r in ratings.ratings] == pytest.approx([1000, 1000])
    assert [(r.games, r.wins, r.ties) for r in ratings.ratings] == [(4, 1, 2), (4, 1, 2)]


def test_the_anchor_has_a_thousand_points() -> None:
    games = [game("a", "b", 1), game("b", "c", 1), game("c", "a", 0.5)]
    free, tied_down = points(games), points(games, anchor="c")
    assert tied_down["c"] == 1000
    assert tied_down["a"] - tied_down["b"] == pytest.approx(free["a"] - free["b"])


def test_who_always_wins_stays_finite() -> None:
    found = points([game("a", "b", 1)] * 50)
    assert 1000 < found["a"] < 3000


def test_all_ties_are_equal_agents() -> None:
    assert points([game("a", "b", 0.5)] * 20)["a"] == pytest.approx(1000)


def test_a_game_may_stand_for_several() -> None:
    several = [
        Game(family="f", first="a", second="b", result=1, times=3),
        game("a", "b", 0),
        game("b", "a", 0.5, "g"),
    ]
    one_by_one = [game("a", "b", 1)] * 3 + several[1:]
    assert rate(several, rounds=50) == rate(one_by_one, rounds=50)


def test_one_family_gives_no_interval() -> None:
    first, second = rate([game("a", "b", 1), game("a", "b", 0)]).ratings
    assert first.low is first.high is second.low is None


def test_groups_that_never_met_are_named() -> None:
    ratings = rate([game("a", "b", 1), game("c", "d", 0)], rounds=10)
    assert ratings.groups == (("a", "b"), ("c", "d"))
    chain = [game("a", "e", 1), game("e", "c", 0.5), game("d", "b", 1)]
    assert rate(chain, rounds=10).groups == (("a", "c", "e"), ("b", "d"))


@pytest.mark.parametrize(
    ("games", "settings", "text"),
    [
        ([game("a", "b", 1)], {"anchor": "c"}, "anchor 'c'"),
        ([game("a", "b", 1)], {"ridge": 0}, "ridge"),
    ],
)
def test_what_cannot_be_rated(games: list[Game], settings: dict[str, object], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        rate(games, **settings)


@settings(max_examples=30, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_games_and_of_seats_does_not_matter(shuffle: random.Random) -> None:
    games = simulated(np.random.default_rng(3), agents=4, families=6, ties=0.5)[1]
    mixed = [
        g if shuffle.random() < 0.5 else game(g.second, g.first, 1 - g.result, g.family)
        for g in shuffle.sample(games, len(games))
    ]
    assert rate(mixed, rounds=50) == rate(games, rounds=50)


def test_without_ties_it_is_what_choix_finds() -> None:
    _, games = simulated(np.random.default_rng(1), agents=6, families=20, ties=0.0)
    pairs = [(g.first, g.second) if g.result else (g.second, g.first) for g in games]
    theirs = choix.opt_pairwise(
        6, [(int(won[1:]), int(lost[1:])) for won, lost in pairs], alpha=0.05
    )  # its penalty has no ½
    ours = points(games, ridge=0.1)
    assert [ours[f"a{i}"] - 1000 for i in range(6)] == pytest.approx(
        list(POINTS_PER_THETA * (theirs - theirs.mean())), abs=1e-2
    )


@pytest.mark.slow
def test_intervals_cover_the_truth() -> None:
    """400 tournaments of 30 families, half of them with families that favour some agents: 92 to 98
    % are covered."""
    for spread in (0.0, 0.4):
        covered = total = 0
        for seed in range(200):
            strengths, games = simulated(
                np.random.default_rng(seed), agents=5, families=30, ties=0.4, spread=spread
            )
            for rating in rate(games, rounds=500, seed=seed).ratings:
                truth = 1000 + POINTS_PER_THETA * strengths[int(rating.agent[1:])]
                assert rating.low is not None
                assert rating.high is not None
                covered += rating.low <= truth <= rating.high
                total += 1
        assert 0.92 <= covered / total <= 0.98, (spread, covered, total)


def simulated(
    rng: np.random.Generator, *, agents: int, families: int, ties: float, spread: float = 0.0
) -> tuple[np.ndarray, list[Game]]:
    """Strengths that average 0, and two games of every pair in every family; families shift
    strengths by `spread`."""
    strengths = rng.normal(0, 0.5, agents)
    strengths -= strengths.mean()
    games = []
    for family in range(families):
        theta = strengths + rng.normal(0, spread, agents)
        for i in range(agents):
            for j in range(i + 1, agents):
                for _ in range(2):
                    a, b = np.exp(theta[i]), np.exp(theta[j])
                    u = rng.random() * (a + b + ties * np.sqrt(a * b))
                    games.append(
                        game(
                            f"a{i}", f"a{j}", 1 if u < a else 0 if u < a + b else 0.5, f"f{family}"
                        )
                    )
    return strengths, games
