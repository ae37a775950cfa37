"""Rewards: shares that sum to the episode's score however they are placed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simworld.core.credit_assignment import (
    CreditAssignment,
    credit_at_end,
    credit_by_changes,
    credit_by_measurement,
    credit_by_weights,
    credit_uniformly,
    family_means,
)
from simworld.core.measures import weighted_mean

SCORE = st.floats(-1, 1)
WEIGHTS = st.lists(st.floats(0, 1e300), min_size=1, max_size=30)


def test_dimensions_are_weighed_and_those_without_a_weight_do_not_count() -> None:
    assert weighted_mean(
        {"goal": 1.0, "tone": 0.5, "rules": 0.0}, {"goal": 3.0, "tone": 1.0}
    ) == pytest.approx(0.875)


def test_weights_must_weigh_something() -> None:
    with pytest.raises(ValueError, match="sum to 0"):
        weighted_mean({"goal": 1.0}, {"goal": 0.0})


def test_a_dimension_that_was_not_judged_is_no_zero() -> None:
    with pytest.raises(KeyError):
        weighted_mean({"goal": 1.0}, {"goal": 1.0, "tone": 1.0})


def test_families_have_means_of_their_own() -> None:
    assert family_means([("a", 0.0), ("b", 5.0), ("a", 1.0)]) == {"a": 0.5, "b": 5.0}


def less(placed: CreditAssignment, level: float) -> np.ndarray:
    return placed.parts - level * placed.baseline_shares


@pytest.mark.parametrize(
    ("placed", "rewards"),
    [
        (credit_at_end(0.8, 3), [0, 0, 0.3]),
        (credit_uniformly(0.8, 4), [0.075] * 4),
        (credit_by_weights(0.8, [1, 0, 3]), [0.075, 0, 0.225]),
        (credit_by_weights(0.8, [0, 0]), [0.15, 0.15]),
        (credit_by_changes([0.4, 0.9, 0.8]), [-0.1, 0.5, -0.1]),
        (credit_by_measurement([1, 0, 1, 1.2]), [0.125, -0.125, 0.125, 0.175]),
    ],
)
def test_a_level_of_a_half_is_taken_off(placed: CreditAssignment, rewards: list[float]) -> None:
    assert less(placed, 0.5) == pytest.approx(rewards)


@pytest.mark.parametrize("weights", [[-1.0, 2.0], [float("nan")], [float("inf"), 1.0]])
def test_weights_are_finite_and_not_negative(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="at least 0"):
        credit_by_weights(1.0, weights)


@given(SCORE, SCORE, st.integers(1, 40), st.sampled_from([credit_at_end, credit_uniformly]))
def test_even_shares_sum_to_the_score_less_the_level(
    score: float, level: float, n: int, place: Callable[[float, int], CreditAssignment]
) -> None:
    assert less(place(score, n), level).sum() == pytest.approx(score - level)


@given(SCORE, SCORE, WEIGHTS)
def test_attributed_shares_sum_to_the_score_less_the_level(
    score: float, level: float, weights: list[float]
) -> None:
    assert less(credit_by_weights(score, weights), level).sum() == pytest.approx(score - level)


@given(SCORE, st.lists(SCORE, min_size=1, max_size=40))
def test_differences_sum_to_the_last_score_less_the_level(
    level: float, scores: list[float]
) -> None:
    assert less(credit_by_changes(scores), level).sum() == pytest.approx(scores[-1] - level)


@given(SCORE, st.lists(SCORE, min_size=1, max_size=40))
def test_measured_utterances_sum_to_their_mean_less_the_level(
    level: float, values: list[float]
) -> None:
    assert less(credit_by_measurement(values), level).sum() == pytest.approx(
        float(np.mean(values)) - level
    )
