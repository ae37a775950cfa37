"""Sums and games worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simworld.results.seat_scores import SeatScore
from tests.simworld.results.counted import count, games, sums


def score(
    agent: str,
    value: float,
    *,
    seat: str = "s",
    partner: str = "p",
    repeat: int = 0,
    scenario: str = "x",
) -> SeatScore:
    return SeatScore(
        agent=agent,
        family=f"family of {scenario}",
        scenario=scenario,
        seat=seat,
        partners=(partner,),
        repeat=repeat,
        episode=f"{agent}{seat}{partner}{repeat}{scenario}",
        values={"goal": value},
    )


def outcomes(
    scores: Sequence[SeatScore], tie: float = 0.0
) -> dict[tuple[str, str], tuple[int, int, int]]:
    found = games(count(scores, {"goal": tie}))
    return {(first, second): result for (_, first, second, _), result in found.items()}


def test_the_higher_score_in_the_same_cell_wins() -> None:
    assert outcomes([score("b", 0.4), score("a", 0.7)]) == {("a", "b"): (1, 0, 0)}
    assert outcomes([score("a", 0.4), score("b", 0.7)]) == {("a", "b"): (0, 0, 1)}
    assert outcomes([score("a", 0.1 + 0.2), score("b", 0.3)]) == {("a", "b"): (0, 1, 0)}


def test_a_difference_below_the_deviation_is_a_tie() -> None:
    assert outcomes([score("a", 0.50), score("b", 0.45)], tie=0.1) == {("a", "b"): (0, 1, 0)}
    assert outcomes([score("a", 0.75), score("b", 0.50)], tie=0.25) == {("a", "b"): (1, 0, 0)}


@pytest.mark.parametrize(
    "other", [{"seat": "t"}, {"partner": "q"}, {"repeat": 1}, {"scenario": "y"}]
)
def test_another_cell_is_no_game(other: dict[str, str]) -> None:
    assert outcomes([score("a", 0.4), score("b", 0.7, **other)]) == {}  # type: ignore[arg-type]


def test_three_in_a_cell_play_three_games() -> None:
    found = outcomes([score("a", 0.1), score("b", 0.2), score("c", 0.2)])
    assert found == {("a", "b"): (0, 0, 1), ("a", "c"): (0, 0, 1), ("b", "c"): (0, 1, 0)}


def test_sums() -> None:
    found = count([score("a", 0.5), score("a", 0.25, seat="t")])
    assert games(found) == {}
    assert sums(found) == {("goal", "a", "family of x"): (0.75, 2)}


def test_what_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="goal of 'a' is not finite"):
        count([score("a", math.nan)])


CELLS = st.lists(
    st.tuples(
        st.sampled_from("abcd"), st.sampled_from("st"), st.sampled_from("pq"), st.floats(0, 1)
    ),
    unique_by=lambda cell: cell[:3],
)


@given(CELLS, st.randoms(use_true_random=False))
def test_order_does_not_matter(cells: list[tuple[str, str, str, float]], chance: object) -> None:
    scores = [
        score(agent, value, seat=seat, partner=partner) for agent, seat, partner, value in cells
    ]
    shuffled = list(scores)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    found = [(sums(counted), games(counted)) for counted in (count(shuffled), count(scores))]
    assert found[0] == found[1]


@given(CELLS)
def test_another_agent_leaves_the_games_of_others_alone(
    cells: list[tuple[str, str, str, float]],
) -> None:
    scores = [
        score(agent, value, seat=seat, partner=partner) for agent, seat, partner, value in cells
    ]

    fewer = count([one for one in scores if one.agent != "d"])
    others = {key: result for key, result in games(count(scores)).items() if "d" not in key[1:3]}
    assert others == games(fewer)


@given(
    st.lists(st.tuples(CELLS, st.sampled_from(["x", "y"])), min_size=2, max_size=2), st.booleans()
)
def test_scenarios_may_come_in_any_order(
    scenarios: list[tuple[list[tuple[str, str, str, float]], str]], same: bool
) -> None:
    parts = [
        [
            replace(
                score(agent, value, seat=seat, partner=partner, scenario=f"{name}{n}"),
                family="f" if same else name,
            )
            for agent, seat, partner, value in cells
        ]
        for n, (cells, name) in enumerate(scenarios)
    ]
    one, other = count([*parts[0], *parts[1]]), count([*parts[1], *parts[0]])
    assert (sums(one), games(one)) == (sums(other), games(other))
