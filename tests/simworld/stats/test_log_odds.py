"""Log-odds ratios of tokens, worked out by hand."""

from __future__ import annotations

import pytest

from simworld.stats.log_odds import compare_tokens


def test_a_token_against_a_prior_of_its_share_in_both() -> None:
    # Of 200 tokens 10 are a: the prior, a tenth of them, adds 1 a and 19 b to each. a: 11 of 120
    # beside 1 of 120, ln(11/109) − ln(1/119) = 2.48567; variance 1/11 + 1/109 + 1 + 1/119.
    risen, fallen = compare_tokens({"a": 10, "b": 90}, {"b": 100})
    assert (risen.token, risen.n, risen.base_n) == ("a", 10, 0)
    assert risen.log_odds == pytest.approx(2.48567, abs=1e-4)
    assert risen.z == pytest.approx(2.36090, abs=1e-4)
    assert (fallen.token, fallen.n, fallen.base_n) == ("b", 90, 100)
    assert fallen.z == pytest.approx(-risen.z)


def test_what_is_said_as_often_has_not_risen() -> None:
    assert [each.z for each in compare_tokens({"a": 3, "b": 9}, {"a": 1, "b": 3})] == (
        pytest.approx([0.0, 0.0], abs=1e-9)
    )


def test_the_prior_is_a_hundred_tokens_at_most() -> None:
    # 10 a of 20,000: 0.05 a more; 10.05 of 10,100 beside 0.05 of 10,100
    risen, _ = compare_tokens({"a": 10, "b": 9990}, {"b": 10000})
    assert risen.log_odds == pytest.approx(5.30430, abs=1e-4)  # ln(10.05/10089.95 · 10099.95/0.05)


def test_ties_go_by_name_and_a_rare_token_needs_more_than_chance() -> None:
    found = compare_tokens({"x": 1000, "c": 1, "a": 1}, {"x": 1000})
    assert [each.token for each in found] == ["a", "c", "x"]
    assert found[0].z < 1


def test_who_has_said_nothing_is_not_compared() -> None:
    assert compare_tokens({}, {"a": 1}) == []
    assert compare_tokens({"a": 1}, {"a": 0}) == []
    (only,) = compare_tokens({"a": 5}, {"a": 5, "b": 0})
    assert only.z == 0
