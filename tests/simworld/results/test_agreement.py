"""Raters: Krippendorff's alpha against a published example and another library, rank correlation,
test–retest."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import krippendorff
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from simworld.core.errors import InputError
from simworld.results.agreement import (
    alpha_sums,
    find_raters,
    krippendorff_alphas,
    measure_agreement,
    spearman,
)
from store import Store, open_store
from tests.factories.stored import add, begin, item, judged, played

# Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), the example with missing data:
# four observers, twelve units
PUBLISHED = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]
RUBRIC = {"rubric": {"dimensions": [{"name": "goal"}, {"name": "secret"}]}}


def krippendorff_alpha(units: Sequence[Sequence[float]]) -> float | None:
    (found,) = krippendorff_alphas(alpha_sums(units).sum(axis=0, keepdims=True))
    return found


def units(observers: list[list[float | None]]) -> list[list[float]]:
    return [[value for value in unit if value is not None] for unit in zip(*observers, strict=True)]


def test_alpha_of_the_published_example() -> None:
    found = krippendorff_alpha(units(PUBLISHED))  # type: ignore[arg-type]
    assert found == pytest.approx(0.849, abs=0.0005)


def test_alpha_by_hand() -> None:
    """Values 1 2 | 3 3: D_o = (1 + 1) / 4 / 1 = 1/2, D_e = (1 + 4 + 4 + 1 + 1 + 0) · 2 / (4 · 3) =
    11/6, so 1 − 3/11."""
    assert krippendorff_alpha([[1, 2], [3, 3]]) == pytest.approx(8 / 11)
    assert krippendorff_alpha([[1, 1], [3, 3], [7]]) == pytest.approx(1)
    assert krippendorff_alpha([[2, 2], [2, 2]]) is None
    assert krippendorff_alpha([[2], []]) is None


ratings = st.lists(
    st.lists(st.one_of(st.none(), st.integers(-5, 10).map(float)), min_size=5, max_size=5),
    min_size=2,
    max_size=4,
)


@given(ratings)
def test_alpha_is_that_of_another_library(observers: list[list[float | None]]) -> None:
    paired = [value for unit in units(observers) if len(unit) > 1 for value in unit]
    found = krippendorff_alpha(units(observers))
    if len(set(paired)) < 2:
        assert found is None
        return
    data = np.array([[np.nan if value is None else value for value in row] for row in observers])
    domain = sorted({value for row in observers for value in row if value is not None})
    expected = krippendorff.alpha(data, value_domain=domain, level_of_measurement="interval")
    assert found == pytest.approx(expected, abs=1e-9)


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(1, 3)), min_size=2, max_size=12
    )
)
def test_spearman_is_scipys_and_weights_count_repeats(rows: list[tuple[int, int, int]]) -> None:
    first, second, times = zip(*rows, strict=True)
    found = spearman(*(np.array(column) for column in (first, second, times)))
    if len(set(first)) < 2 or len(set(second)) < 2:
        assert found is None
        return
    repeated = np.repeat(np.array([first, second]), times, axis=1)
    assert found == pytest.approx(spearmanr(*repeated).statistic, abs=1e-9)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Four families of one episode; j1 judges both seats twice, j2 the seller once, j3 only
    secrets."""
    with open_store(str(tmp_path / "x.db"), create=True) as opened:
        work = begin(opened, repeats=4)
        for judge in ("j1", "j2", "j3"):
            opened.add_judge(judge, f"judge {judge}", RUBRIC)
        for n, one in enumerate(work):
            add(opened, one, played(one, "Hello.", "Hello!"), family=f"family {n}")
            id_ = one.episode_id(1)
            score(opened, id_, "j1", 0, {("seller", "goal"): n / 10, ("buyer", "goal"): 0.5})
            score(opened, id_, "j1", 1, {("seller", "goal"): n / 10 + 0.2, ("buyer", "goal"): 0.5})
            score(opened, id_, "j2", 0, {("seller", "goal"): (0.9, 0.8, 0.7, 0.95)[n]})
            score(opened, id_, "j3", 0, {("seller", "secret"): 1.0})
        yield opened


def score(
    store: Store, id_: str, judge: str, sample: int, shares: dict[tuple[str, str], float]
) -> None:
    scores = {key: 10 * share for key, share in shares.items()}
    assert store.add_judgement(judged(id_, scores, judge=judge, sample=sample), shares)


def test_raters_are_compared_on_the_seats_that_both_have_scored(store: Store) -> None:
    goal, secret = measure_agreement(store, ["j1", "j2", "j3"], rounds=200)
    assert (goal.dimension, secret.dimension) == ("goal", "secret")
    assert goal.alpha is not None
    pairs = [[n / 10 + 0.1, value] for n, value in enumerate((0.9, 0.8, 0.7, 0.95))]
    assert goal.alpha.value == pytest.approx(krippendorff_alpha(pairs))
    assert (goal.alpha.n, goal.alpha.families) == (4, 4)
    assert list(goal.correlations) == [("j1", "j2")]
    figure = goal.correlations["j1", "j2"]
    # ranks 1 2 3 4 and 3 2 1 4: 1 − 6 · (4 + 0 + 4 + 0) / (4 · 15)
    assert figure.value == pytest.approx(0.2)
    assert figure.low is not None
    assert figure.high is not None
    assert -1 <= figure.low <= 0.2 <= figure.high <= 1
    assert (secret.alpha, secret.correlations, secret.retests) == (None, {}, {})


def test_the_deviation_between_two_samples(store: Store) -> None:
    """The seller's samples differ by 0.2 (Σ(v − mean)² = 0.02), the buyer's not at all: √(2 · 4 ·
    0.02 / 8)."""
    found = measure_agreement(store, ["j1"])[0].retests["j1"]
    assert found.value == pytest.approx(math.sqrt(0.02))
    assert (found.n, found.families) == (8, 4)
    assert found.low == pytest.approx(found.value)  # all families are alike
    assert found.high == pytest.approx(found.value)
    assert measure_agreement(store, ["j2"], rounds=10)[0].retests == {}


def test_what_swapping_does_to_a_score(store: Store) -> None:
    """The seller's .1, .2, .3, .4 (means of two samples) become .3 each."""
    store.add_judge("j1~names", "judge j1~names", RUBRIC | {"spec": {"swap": "names", "of": "j1"}})
    for work in (item(repeat=n) for n in range(4)):
        score(store, work.episode_id(1), "j1~names", 0, {("seller", "goal"): 0.3})
    assert "j1~names" not in [judge.id for judge in find_raters(store)]
    goal = measure_agreement(store, ["j1", "j2"], rounds=50)[0]
    assert list(goal.swaps) == [("j1", "names")]
    figure = goal.swaps["j1", "names"]
    assert figure.value == pytest.approx((0.2 + 0.1 + 0 + 0.1) / 4)
    assert (figure.n, figure.families) == (4, 4)
    assert list(goal.correlations) == [("j1", "j2")]


def test_one_family_gives_no_interval(tmp_path: Path) -> None:
    with open_store(str(tmp_path / "y.db"), create=True) as opened:
        (work, *_) = begin(opened)
        add(opened, work, played(work, "Hello."))
        for judge in ("a", "b"):
            opened.add_judge(judge, judge, RUBRIC)
            score(
                opened,
                work.episode_id(1),
                judge,
                0,
                {("seller", "goal"): 0.5, ("buyer", "goal"): 0.25},
            )
        (goal,) = measure_agreement(opened, ["a", "b"])
    assert goal.alpha is not None
    assert (goal.alpha.value, goal.alpha.low, goal.alpha.high) == (1, None, None)


def test_raters_are_found_by_name_or_id(store: Store) -> None:
    assert [judge.id for judge in find_raters(store)] == ["j1", "j2", "j3"]
    assert [judge.id for judge in find_raters(store, ["judge j2", "j3"])] == ["j2", "j3"]
    with pytest.raises(
        InputError, match=r"no judge 'j9' in .*; there are judge j1, judge j2, judge j3"
    ):
        find_raters(store, ["j1", "j9"])
