"""Language measures by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from simworld.core.episode import Act, Action, ActionKind, Ending, Episode, PlanStep, Turn
from simworld.results.language_quality import (
    dispersion,
    distinct_share,
    evenly_spaced,
    measure_language,
)


def episode(*said: tuple[str, str], actions: Sequence[Sequence[float]] = ()) -> Episode:
    """(seat, text) acts; an empty text is no act; actions belong to the first acts."""
    acts = []
    for i, (seat, text) in enumerate(said):
        plan = None
        if i < len(actions):
            action = np.array(actions[i], dtype=np.float32)
            plan = PlanStep(state=np.zeros(2, dtype=np.float32), action=action, encoder_id="e")
        kind = ActionKind.speak if text else ActionKind.none
        acts.append(Act(seat=seat, action=Action(kind=kind, text=text), plan=plan))
    turns = tuple(Turn(index=i, acts=(act,)) for i, act in enumerate(acts))
    return Episode(
        scenario_id="s", cast={}, seed=0, turns=turns, ending=Ending.turn_limit, reason="turn_limit"
    )


def test_an_arm_by_hand() -> None:
    # Seat a: "I like tea", "I like tea a lot", nothing. 3 + 5 words; different: i like tea a lot =
    # 5 of 8. Pairs: (i like)(like tea) | (i like)(like tea)(tea a)(a lot): 4 different of 6. The
    # second line repeats 2 of its 4 pairs: below .6. Seat b's lines count only as earlier ones.
    played = episode(
        ("a", "I like tea."),
        ("b", "Do you?"),
        ("a", "I like tea a lot."),
        ("b", "I see."),
        ("a", ""),
    )
    found = measure_language({"arm": [(played, "a")]})["arm"]
    assert (found.utterances, found.empty_share, found.words) == (2, 1 / 3, 4.0)
    assert (found.distinct_1, found.distinct_2) == (5 / 8, 4 / 6)
    assert found.repeated_share == 0.0
    assert (found.action_dispersion, found.utterance_dispersion, found.perplexity) == (
        None,
        None,
        None,
    )


def test_repeating_the_other_counts_as_repeating() -> None:
    played = episode(
        ("b", "I will not pay so much"),
        ("a", "I will not pay so much"),
        ("a", "Fine then, take it"),
    )
    assert measure_language({"arm": [(played, "a")]})["arm"].repeated_share == 0.5
    assert measure_language({"arm": [(played, "b")]})["arm"].repeated_share == 0.0


def test_distinct_is_read_over_as_many_words_in_every_arm() -> None:
    # The long arm says eight words, all different in the first two; the short one says two.
    long = episode(("a", "one two one two one two one two"))
    short = episode(("a", "one two"))
    found = measure_language({"long": [(long, "a")], "short": [(short, "a")]})
    assert found["long"].distinct_1 == found["short"].distinct_1 == 1.0
    assert measure_language({"long": [(long, "a")]})["long"].distinct_1 == 2 / 8


def test_pairs_do_not_cross_utterances() -> None:
    assert distinct_share([["a", "b"], ["a", "b"]], 2, 99) == 0.5
    assert distinct_share([["a"], ["b"]], 2, 99) is None
    assert distinct_share([], 1, 0) is None


def test_dispersion_by_hand() -> None:
    # one direction, whatever the length
    assert dispersion(np.array([[2.0, 0.0], [5.0, 0.0]])) == pytest.approx(0.0)
    assert dispersion(np.array([[1.0, 0.0], [-1.0, 0.0]])) == pytest.approx(2.0)
    # Pairs of three unit vectors: cosines 0, 0, 1 → mean distance 2/3.
    assert dispersion(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])) == pytest.approx(2 / 3)
    assert dispersion(np.array([[1.0, 0.0], [0.0, 0.0]])) == pytest.approx(1.0)
    assert dispersion(np.array([[1.0, 0.0]])) is None


def test_actions_are_compared_where_they_were_used() -> None:
    steered = episode(("a", "Yes."), ("a", "No."), ("a", "Well."), actions=[(1, 0), (0, 1)])
    assert measure_language({"arm": [(steered, "a")]})["arm"].action_dispersion == pytest.approx(
        1.0
    )
    assert measure_language({"arm": [(steered, "b")]})["arm"].action_dispersion is None


def test_utterances_are_embedded_at_most_so_many() -> None:
    asked: list[list[str]] = []

    def embed(texts: Sequence[str]) -> NDArray[np.float64]:
        asked.append(list(texts))
        return np.eye(len(texts))

    played = episode(*[("a", f"line {i}") for i in range(10)])
    found = measure_language({"arm": [(played, "a")]}, embed=embed, max_embedded=4)["arm"]
    assert asked == [["line 0", "line 2", "line 5", "line 7"]]
    assert found.utterance_dispersion == pytest.approx(1.0)


def test_an_arm_that_said_nothing_has_nothing_measured() -> None:
    found = measure_language(
        {"silent": [(episode(("a", "")), "a")], "absent": []},
        embed=lambda texts: np.eye(len(texts)),
    )
    assert (found["silent"].utterances, found["silent"].empty_share, found["silent"].words) == (
        0,
        1.0,
        None,
    )
    assert (found["absent"].utterances, found["absent"].empty_share) == (0, None)


def test_spread_takes_all_or_every_so_many() -> None:
    assert evenly_spaced([1, 2, 3], 5) == [1, 2, 3]
    assert evenly_spaced(list(range(9)), 3) == [0, 3, 6]
