"""Names of runs that were given none."""

from __future__ import annotations

from hashlib import sha256

from simworld.core.scenario import Scenario
from simworld.runner.run_names import default_run_name, legacy_run_name
from simworld.runner.run_plan import Cast
from tests.simworld.runner.test_run_plan import plan, scenario

IDS = {"one": "a1-1", "two": "a1-2"}


def name(
    *scenarios: Scenario, cast: tuple[Cast, ...] = (Cast(by_seat={"*": "one"}),), seed: int = 0
) -> str:
    return default_run_name(plan(*scenarios, casts=cast, seed=seed), IDS)


def test_one_content_has_one_name_however_it_is_written() -> None:
    x, y = scenario("x", "ann", "bob"), scenario("y", "ann", "bob")
    assert name(x, y) == name(y, x)
    assert name(x, y).startswith("run-")
    all_of_one = name(x, cast=(Cast(by_order=("one", "one")),))
    assert all_of_one == name(x)
    assert all_of_one == name(x, cast=(Cast(by_seat={"bob": "one", "ann": "one"}),))
    both = (Cast(by_order=("one", "two")), Cast(by_order=("two", "one")))
    assert name(x, cast=both) == name(x, cast=both[::-1])


def test_other_content_has_another_name() -> None:
    x, y = scenario("x", "ann", "bob"), scenario("y", "ann", "bob")
    swapped = (Cast(by_order=("one", "two")),), (Cast(by_order=("two", "one")),)
    names = [name(x), name(x, y), name(x, seed=1), *(name(x, cast=cast) for cast in swapped)]
    assert len(set(names)) == len(names)
    other = default_run_name(plan(x, casts=(Cast(by_seat={"*": "one"}),)), {"one": "a1-9"})
    assert other not in names


def test_the_earlier_name_is_as_it_was() -> None:
    x = scenario("x", "ann", "bob")
    text = "x\n((), [('*', 'one')])\n0"
    assert (
        legacy_run_name([x], (Cast(by_seat={"*": "one"}),), 0)
        == f"run-{sha256(text.encode()).hexdigest()[:8]}"
    )
