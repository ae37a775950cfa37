"""Requirements: how they are written, and when they hold."""

from __future__ import annotations

import numpy as np
import pytest

from simworld.core.errors import InputError
from simworld.pipeline.requirements import Requirement, check_requirement, read_requirements
from simworld.stats.paired_tests import PairedComparison
from simworld.stats.paired_tests import compare_pairs as of_pairs

ARMS = ("base", "steered", "best-constant")
MEASURES = ("overall", "goal", "sotopia/secret")


def read(*texts: str) -> tuple[Requirement, ...]:
    return read_requirements(texts, arms=ARMS, measures=MEASURES, main="overall")


def paired(*differences: float) -> PairedComparison | None:
    places = np.arange(len(differences))
    return of_pairs(places, places, np.array(differences))


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("steered>base", ("steered", "base", "overall", 0.05)),
        (" steered > base : goal ", ("steered", "base", "goal", 0.05)),
        ("steered>best-constant:goal:p<0.01", ("steered", "best-constant", "goal", 0.01)),
        ("steered>base:p<1e-3", ("steered", "base", "overall", 0.001)),
        ("base>steered:sotopia/secret", ("base", "steered", "sotopia/secret", 0.05)),
    ],
)
def test_forms(text: str, meant: tuple[str, str, str, float]) -> None:
    (found,) = read(text)
    assert (found.better, found.worse, found.measure, found.alpha) == meant


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steered", "is not understood; write ARM>ARM"),
        ("base<steered", "is not understood"),
        ("steerd>base", "no arm 'steerd'; did you mean 'steered'?"),
        ("steered>clone", "no arm 'clone'; there are base, steered, best-constant"),
        ("steered>base:gaol", "no measure 'gaol'; did you mean 'goal'?"),
        ("base>base", "never better than itself"),
        ("steered>base:p<5", "p must lie below a number between 0 and 1"),
        ("steered>base:p<1e", "p must lie below a number between 0 and 1"),
    ],
)
def test_what_makes_no_sense(text: str, message: str) -> None:
    with pytest.raises(InputError, match="--require") as caught:
        read(text)
    assert message in str(caught.value)


def test_all_problems_come_at_once() -> None:
    with pytest.raises(InputError) as caught:
        read("x>y", "nonsense")
    assert len(caught.value.problems) == 3


def test_a_requirement_holds_when_the_difference_is_above_0_and_p_small() -> None:
    (requirement,) = read("steered>base")
    assert check_requirement(requirement, paired(1, 1.1, 0.9, 1.2)).holds
    # as sure, but worse
    assert not check_requirement(requirement, paired(-1, -1.1, -0.9, -1.2)).holds
    assert not check_requirement(requirement, paired(1, -1, 2, 0.5)).holds  # not sure


def test_equal_differences_are_judged_by_their_sign_flips() -> None:
    (requirement,) = read("steered>base")
    assert check_requirement(requirement, paired(*[1.0] * 6)).holds  # p = 2 / 64
    found = check_requirement(requirement, paired(*[1.0] * 5))  # p = 2 / 32
    assert (found.holds, found.reason) == (
        False,
        "difference +1, sign-flip p 0.0625; required above 0 with p < 0.05",
    )


def test_too_little_never_holds() -> None:
    (requirement,) = read("steered>base")
    one = check_requirement(requirement, paired(5.0))
    assert (one.holds, one.reason) == (False, "1 family gives no p")
    assert not check_requirement(requirement, None).holds
