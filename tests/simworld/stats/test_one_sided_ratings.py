"""Ratings that the games leave open, on results whose bounds are known."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simworld.stats.ratings import POINTS_PER_THETA, Rating
from tests.simworld.stats.games import Game, rate


def games(*results: tuple[str, str, float], families: int = 6, times: int = 2) -> list[Game]:
    """The same results in every family."""
    return [
        Game(family=f"f{number}", first=first, second=second, result=result, times=times)
        for number in range(families)
        for first, second, result in results
    ]


def ratings(played: list[Game], anchor: str | None = None) -> dict[str, Rating]:
    return {rating.agent: rating for rating in rate(played, anchor=anchor, rounds=100).ratings}


def ends(played: list[Game], anchor: str | None = None) -> dict[str, str]:
    """Agent → which of its ends are open."""
    found = ratings(played, anchor)
    words = {
        (False, False): "",
        (True, False): "below",
        (False, True): "above",
        (True, True): "both",
    }
    return {name: words[one.low == -math.inf, one.high == math.inf] for name, one in found.items()}


@pytest.mark.parametrize("families", [2, 6, 24])
def test_who_won_every_game_has_the_exact_lower_bound_of_its_chance(families: int) -> None:
    # A chance p of winning a family gives F wins of F in 5 % of the cases where p^F = 0.05; p is
    # odds, and odds are points.
    p = 0.05 ** (1 / families)
    bound = POINTS_PER_THETA * math.log(p / (1 - p))
    found = ratings(games(("a", "b", 1), families=families), anchor="b")["a"]
    assert found.high == math.inf
    assert found.low == pytest.approx(1000 + bound, abs=1)
    assert 1000 + bound < found.points < math.inf
    lost = ratings(games(("a", "b", 1), families=families), anchor="a")["b"]
    assert lost.low == -math.inf
    assert lost.high == pytest.approx(1000 - bound, abs=1)


def test_more_games_of_the_same_families_do_not_make_it_surer() -> None:
    once, often = (ratings(games(("a", "b", 1), times=times), "b")["a"] for times in (1, 100))
    assert once.low == pytest.approx(often.low)


def test_games_against_who_always_loses_say_nothing_of_the_best() -> None:
    chain = games(("win", "mid", 1), ("win", "lose", 1), ("mid", "lose", 1))
    assert ends(chain, "mid") == {"win": "above", "mid": "", "lose": "below"}
    alone = ratings(games(("win", "mid", 1)), "mid")["win"]
    assert ratings(chain, "mid")["win"].low == pytest.approx(alone.low, abs=1)


def test_without_an_anchor_the_middle_of_a_chain_has_no_bound_at_all() -> None:
    chain = games(("win", "mid", 1), ("win", "lose", 1), ("mid", "lose", 1))
    assert ends(chain) == {"win": "above", "mid": "both", "lose": "below"}


def test_who_took_points_from_each_other_keep_their_intervals() -> None:
    others = [("b", "c", 1.0), ("c", "d", 1.0), ("d", "b", 1.0)]
    played = games(*(("a", name, 1.0) for name in "bcd"), *others)
    assert ends(played) == {"a": "above", "b": "", "c": "", "d": ""}
    assert ends(played, "a") == {"a": "", "b": "below", "c": "below", "d": "below"}


def test_two_who_never_lose_to_the_others_are_open_both() -> None:
    played = games(
        *((strong, weak, 1.0) for strong in "ab" for weak in "cd"), ("a", "b", 0.5), ("c", "d", 0.5)
    )
    assert ends(played) == {"a": "above", "b": "above", "c": "below", "d": "below"}


def test_half_a_point_is_a_bound() -> None:
    played = [*games(("a", "b", 1)), Game(family="f0", first="b", second="a", result=0.5)]
    assert ends(played) == {"a": "", "b": ""}


def test_one_family_bounds_nothing_and_the_open_end_is_said_all_the_same() -> None:
    found = ratings(games(("a", "b", 1), families=1))
    assert (found["a"].low, found["a"].high, found["b"].low, found["b"].high) == (
        None,
        math.inf,
        -math.inf,
        None,
    )


def test_groups_that_never_met_are_judged_each_by_itself() -> None:
    played = games(("a", "b", 1), ("c", "d", 1), ("d", "c", 1))
    assert ends(played, "c") == {"a": "above", "b": "below", "c": "", "d": ""}


@given(st.integers(2, 5), st.integers(0, 10_000))
def test_an_agent_is_open_above_exactly_if_better_and_better_fits(agents: int, seed: int) -> None:
    # With all others tied to an anchor, moving one agent up without end costs likelihood exactly
    # where it lost a point.
    draw = random.Random(seed)
    names = [f"a{i}" for i in range(agents)]
    ring = (
        [(names[i], names[(i + 1) % (agents - 1)], 0.5) for i in range(agents - 1)]
        if agents > 2
        else []
    )
    last = [(names[-1], name, draw.choice([0.0, 0.5, 1.0])) for name in names[:-1]]
    found = ends(games(*[g for g in ring if g[0] != g[1]], *last, families=2), names[0])[names[-1]]
    scores = {result for _, _, result in last}
    assert found == ("above" if scores == {1.0} else "below" if scores == {0.0} else "")
