"""Paired comparisons against values worked out by hand."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simworld.results.differences import compare_agents
from simworld.results.seat_scores import SeatScore, to_score_tables
from simworld.stats.paired_tests import PairedComparison, holm_adjusted, sign_flip_p, with_holm_p

Where = tuple[str, str, str, str, int]  # family, scenario, seat, partner, repeat
Arms = dict[Where, float]


def at(
    family: str, scenario: str = "s", seat: str = "a", partner: str = "p", repeat: int = 0
) -> Where:
    return family, scenario, seat, partner, repeat


def compare(first: Arms, second: Arms) -> PairedComparison | None:
    scores = [
        SeatScore(
            agent=arm,
            family=family,
            scenario=scenario,
            seat=seat,
            partners=(partner,),
            repeat=repeat,
            episode=f"{arm}{where}",
            values={"goal": value},
        )
        for arm, values in (("first", first), ("second", second))
        for where, value in values.items()
        for family, scenario, seat, partner, repeat in [where]
    ]
    found = compare_agents(to_score_tables(scores), "first", "second", main_measures=("goal",)).get(
        "goal"
    )
    return None if found is None else found.comparison


def compared(first: Arms, second: Arms) -> PairedComparison:
    found = compare(first, second)
    assert found is not None
    return found


def of_differences(*values: float) -> PairedComparison:
    """A family for each difference."""
    return compared(
        {at(f"f{i}"): v for i, v in enumerate(values)},
        {at(f"f{i}"): 0.0 for i in range(len(values))},
    )


def test_one_pair_per_family_by_hand() -> None:
    # Differences 1, 2, 3: mean 2, deviation 1, standard error 1/√3, z = 2√3. For t with 2 degrees
    # of freedom p = 1 − |t| / √(t² + 2) = 1 − √12 / √14. Of the 8 signs only +++ and −−− reach a
    # sum of 6.
    found = of_differences(1, 2, 3)
    assert (found.mean, found.pairs, found.cells, found.families) == (2.0, 3, 3, 3)
    assert found.se == pytest.approx(1 / math.sqrt(3))
    assert found.z == pytest.approx(2 * math.sqrt(3))
    assert found.p == pytest.approx(1 - math.sqrt(12 / 14))
    assert found.sign_p == 0.25
    assert found.low is not None
    assert found.high is not None
    assert 1 <= found.low < 2 < found.high <= 3


def test_repeats_are_averaged_in_a_cell_and_cells_in_a_family() -> None:
    # Family f: cell (s1, a) has differences 0, 0, 6 → 2; cell (s2, a) has 4 → 4; so f is 3. Family
    # g has 5. The mean is 4.
    first = {
        at("f", "s1", repeat=0): 0.0,
        at("f", "s1", repeat=1): 0.0,
        at("f", "s1", repeat=2): 6.0,
        at("f", "s2"): 4.0,
        at("g"): 5.0,
    }
    found = compared(first, dict.fromkeys(first, 0.0))
    assert (found.mean, found.pairs, found.cells, found.families) == (4.0, 5, 3, 2)


@pytest.mark.parametrize("changed", [{"seat": "b"}, {"partner": "q"}, {"scenario": "t"}])
def test_seat_partner_and_scenario_make_cells_of_their_own(changed: dict[str, str]) -> None:
    # One cell with three repeats of 0 and one with a single 8: 4 by cells, 2 by pairs.
    first = {at("f", repeat=r): 0.0 for r in range(3)} | {at("f", **changed): 8.0}  # type: ignore[arg-type]
    assert compared(first, dict.fromkeys(first, 0.0)).mean == 4.0


def test_only_what_both_have_counts() -> None:
    first = {at("f"): 1.0, at("g"): 100.0, at("h"): 3.0}
    second = {at("f"): 0.0, at("h", repeat=1): 0.0, at("h"): 0.0}
    assert compared(first, second).pairs == 2
    assert compare({at("f"): 1.0}, {at("f", repeat=1): 1.0}) is None
    assert compare({}, {}) is None


def test_one_family_gives_a_difference_and_nothing_else() -> None:
    first = {at("f", repeat=r): float(r) for r in range(9)}
    found = compared(first, dict.fromkeys(first, 0.0))
    assert found.mean == 4.0
    assert (found.se, found.z, found.p, found.sign_p, found.low, found.high) == (None,) * 6
    assert found.notes == (
        "1 family: no z, p or interval; they need at least 2, and 20 to be trusted",
    )


def test_few_families_are_warned_about_and_many_are_not() -> None:
    assert "19 families: fewer than 20" in of_differences(*range(19)).notes[0]
    assert of_differences(*range(20)).notes == ()


def test_equal_differences_have_no_z_but_a_sign_flip_p() -> None:
    assert of_differences(0.1 + 0.2, 0.3, 0.3).z is None  # they differ by rounding alone
    same = of_differences(0.5, 0.5, 0.5, 0.5)
    assert (same.z, same.p, same.sign_p) == (None, None, 2 / 16)
    assert (
        same.notes[-1]
        == "every family has the same difference: z is not defined; see the sign-flip p"
    )
    nothing = of_differences(0.0, 0.0, 0.0)
    assert (nothing.mean, nothing.z, nothing.sign_p) == (0.0, None, 1.0)


def test_a_value_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="goal of 'first' is not finite"):
        compare({at("f"): math.nan}, {at("f"): 0.0})


def test_sign_flips_by_hand() -> None:
    # 1, 2, −4: sum −1. Signs give ±7, ±5, ±3, ±1 (each once): all reach 1.
    assert sign_flip_p(np.array([1.0, 2.0, -4.0])) == 1.0
    # 3, 4, −1: sum 6; of ±8, ±6, ±2, ±0 the four of ±8 and ±6 reach it, of eight.
    assert sign_flip_p(np.array([3.0, 4.0, -1.0])) == 0.5


def test_drawn_sign_flips_agree_with_the_binomial() -> None:
    # 20 ones with k of them turned: p = 2 · P(Binomial(20, ½) ≥ 20 − k). For k = 5: 2 · 21700 / 2
    # ** 20 = .0414.
    differences = np.array([1.0] * 15 + [-1.0] * 5)
    assert sign_flip_p(differences) == pytest.approx(0.0414, abs=0.005)
    assert sign_flip_p(np.ones(30)) == pytest.approx(1 / 20_001)  # never 0


def test_holm_by_hand() -> None:
    # Sorted .01, .03, .04 times 3, 2, 1: .03, .06, .04 → raised to .06.
    assert holm_adjusted([0.04, 0.01, None, 0.03]) == pytest.approx([0.06, 0.03, None, 0.06])
    assert holm_adjusted([0.9, 0.8]) == [1.0, 1.0]
    assert holm_adjusted([]) == []


def test_holm_over_dimensions_leaves_the_rest_alone() -> None:
    made = with_holm_p(
        {
            "goal": of_differences(1, 2, 3),
            "secret": of_differences(1, 1, 1),
            "none": of_differences(0, 1, 5),
        }
    )
    assert made["goal"].p is not None
    assert made["goal"].p_holm == pytest.approx(2 * made["goal"].p)
    assert made["secret"].p_holm is None
    assert made["goal"].mean == 2.0


values = st.floats(-1e6, 1e6)
arms = st.dictionaries(
    st.builds(
        at,
        st.sampled_from("fghij"),
        st.sampled_from("st"),
        st.sampled_from("ab"),
        st.sampled_from("pq"),
        st.integers(0, 2),
    ),
    st.tuples(values, values),
    min_size=1,
    max_size=24,
)


def close(a: float | None, b: float | None) -> bool:
    if a is None or b is None:
        return a is b
    return math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-6)


@given(arms)
def test_swapping_the_arms_turns_every_sign(both: dict[Where, tuple[float, float]]) -> None:
    first, second = ({c: pair[i] for c, pair in both.items()} for i in (0, 1))
    one, other = compared(first, second), compared(second, first)
    assert one.mean == -other.mean
    assert (one.se, one.p, one.sign_p) == (other.se, other.p, other.sign_p)
    assert one.z is None or one.z == -(other.z or 0.0)
    assert close(one.low, None if other.high is None else -other.high)
    assert close(one.high, None if other.low is None else -other.low)


@given(arms, st.randoms(use_true_random=False))
def test_the_order_of_pairs_does_not_matter(
    both: dict[Where, tuple[float, float]], shuffler: random.Random
) -> None:
    order = list(both)
    shuffler.shuffle(order)
    straight = compared({c: p[0] for c, p in both.items()}, {c: p[1] for c, p in both.items()})
    assert (
        compared({c: both[c][0] for c in order}, {c: both[c][1] for c in reversed(order)})
        == straight
    )


def test_p_is_right_where_there_is_no_effect() -> None:
    # Under no effect with normal family differences, p < .05 must happen in 5 % of 200 trials: 10,
    # standard deviation 3.1.
    draw = np.random.default_rng(3)
    trials = [of_differences(*draw.normal(size=12)) for _ in range(200)]
    for name in ("p", "sign_p"):
        assert 2 <= sum(getattr(found, name) < 0.05 for found in trials) <= 20
