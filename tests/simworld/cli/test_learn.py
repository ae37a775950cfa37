"""What `learn` says of its numbers."""

from __future__ import annotations

from typing import Any

import pytest

from simworld.cli.learn import explain_results


def report(families: int | None) -> dict[str, Any]:
    paired = None if families is None else {"families": families, "pairs": 4 * families}
    return {"main": "polite", "comparisons": [{"measures": {"polite": paired}}]}


def test_the_numbers_are_explained() -> None:
    assert explain_results([report(20), report(19)], "mine").splitlines() == [
        (
            "difference: the planner's mean polite less the other arm's, over n pairs (same"
            " scenario, seat, partner, seed);"
        ),
        (
            "p: how often chance alone makes one as large; perplexity: how much more surprising the"
            " lines are, as a ratio."
        ),
    ]


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("small", "at full size: simworld learn steers (an hour and more)."),
        ("mine", "more scenarios under `scenarios: {test: …}` tell more."),
    ],
)
def test_a_small_run_says_that_it_cannot_show_an_effect_and_what_could(
    name: str, more: str
) -> None:
    last = explain_results([report(4), report(None)], name).splitlines()[-1]
    assert last == f"4 families show that it runs, but no effect: that takes 20 or more; {more}"
