"""Two agents side by side: the effect size by hand, and the numbers of families against published
tables."""

from __future__ import annotations

import math

import pytest

from simworld.results.differences import compare_agents, families_needed
from simworld.results.seat_scores import SeatScore, to_score_tables


def score(agent: str, family: int, value: float, partner: str = "p") -> SeatScore:
    return SeatScore(
        agent=agent,
        family=f"f{family}",
        scenario=f"x{family}",
        seat="s",
        partners=(partner,),
        repeat=0,
        episode=f"{agent}{family}{partner}",
        values={"overall": value, "goal": value, "secret": 0.5},
    )


@pytest.mark.parametrize(
    ("effect", "families"), [(0.2, 199), (0.5, 34), (0.8, 15), (1.0, 10), (-0.5, 34)]
)
def test_families_needed(effect: float, families: int) -> None:
    # Faul et al. (2007), G*Power: two-sided paired t test, alpha .05, power .80.
    assert families_needed(effect) == families


def test_a_tiny_effect_is_never_settled() -> None:
    assert families_needed(1e-5) is None


def test_differences_by_hand() -> None:
    gaps = [0.1, 0.2, 0.3]  # mean .2, standard deviation .1
    scores = [score("a", i, 0.5 + gap) for i, gap in enumerate(gaps)] + [
        score("b", i, 0.5) for i in range(3)
    ]
    scores += [score("a", 0, 0.9, partner="q"), score("c", 1, 0.9)]  # no pair
    found = compare_agents(to_score_tables(scores), "a", "b")
    assert list(found) == ["overall", "goal", "secret"]
    overall, secret = found["overall"], found["secret"]
    assert overall.comparison.mean == pytest.approx(0.2)
    assert overall.effect_size == pytest.approx(2.0)
    assert overall.comparison.z == pytest.approx(2 * math.sqrt(3))
    assert overall.families_needed == families_needed(2.0)
    assert (overall.comparison.pairs, overall.comparison.families) == (3, 3)
    assert (overall.comparison.p_holm, secret.effect_size, secret.families_needed) == (
        None,
        None,
        None,
    )
    # secret has no p, so one test was made
    assert found["goal"].comparison.p_holm == found["goal"].comparison.p
    assert compare_agents(to_score_tables(scores), "b", "a")["goal"].effect_size == pytest.approx(
        -2.0
    )


def test_agents_without_a_common_cell() -> None:
    assert compare_agents(to_score_tables([score("a", 0, 0.5), score("b", 1, 0.5)]), "a", "b") == {}
