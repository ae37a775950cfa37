"""What a judge gave the seats of an episode, by hand: samples averaged, dimensions missing, rubrics
unknown; and that it is what standings read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from simworld.results.arms import scores_by_seat
from simworld.results.episode_scores import average_judgements, read_episode_scores
from simworld.results.score_reading import read_scores
from store import Store, open_store
from tests.factories.scored_world import RUBRIC
from tests.factories.stored import add, begin, item, judged, played

SEATS = ("seller", "buyer")
# (seat, dimension) → share of the range: goal of 0 to 10 counts three times, bond of −5 to 5 once
SAMPLES = (
    {("seller", "goal"): 0.5, ("seller", "bond"): 0.5, ("buyer", "goal"): 1.0},
    {("seller", "goal"): 0.9, ("seller", "bond"): 0.1, ("buyer", "goal"): 0.5},
    {("seller", "goal"): 0.1, ("buyer", "goal"): 0.0},
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An episode that `own` has judged three times, and `bare`, of whom no rubric is known, once."""
    with open_store(str(tmp_path / "x.db"), create=True) as made:
        begin(made)
        add(made, item(), played(item(), "Hello."))
        made.add_judge("own@1", "own", {"spec": {}, "rubric": RUBRIC})
        made.add_judge("bare@1", "bare", {})
        for number, shares in enumerate(SAMPLES):
            given = judged(EPISODE, in_range(shares), judge="own@1", sample=number)
            assert made.add_judgement(given, shares)
        made.add_judgement(judged(EPISODE, in_range(SAMPLES[0]), judge="bare@1"), SAMPLES[0])
        yield made


EPISODE = item().episode_id(1)


def in_range(shares: dict[tuple[str, str], float]) -> dict[tuple[str, str], float]:
    return {(s, d): 10 * share - 5 * (d == "bond") for (s, d), share in shares.items()}


def test_samples_are_averaged_each_dimension_in_its_range(store: Store) -> None:
    judges = [judge for judge in store.judges() if judge.id == "own@1"]
    found = read_episode_scores(store, judges, [EPISODE])
    seller, buyer = (found[EPISODE, seat] for seat in SEATS)
    # goal: (5 + 9 + 1) / 3; bond: (0 − 4) / 2; overall of the two samples that have both dimensions:
    # (3 · .5 + .5) / 4 = .5 and (3 · .9 + .1) / 4 = .7
    assert seller.dimensions == {"goal": pytest.approx(5.0), "bond": pytest.approx(-2.0)}
    assert seller.overall == pytest.approx(0.6)
    assert buyer.dimensions == {"goal": pytest.approx(5.0)}
    assert buyer.overall is None


def test_a_judge_without_a_rubric_has_scores_and_no_overall(store: Store) -> None:
    found = average_judgements(store.judgements(EPISODE), {})
    assert found["bare@1", "seller"].dimensions == {"goal": 5.0, "bond": 0.0}
    assert {scores.overall for scores in found.values()} == {None}
    assert read_episode_scores(store, store.judges(), [EPISODE]).keys() == {
        (EPISODE, s) for s in SEATS
    }


def test_an_evaluation_and_standings_read_the_same_overall(store: Store) -> None:
    seats = dict.fromkeys(store.run_scenarios("first"), SEATS)
    (part,) = read_scores(store, "first", ["own@1"], seats, agents=["smol", "rival"])
    (seller,) = part.values[part.seat == 0, part.measures.index("overall")]
    evaluated = scores_by_seat(store, ["own@1"], [EPISODE])
    assert evaluated[EPISODE, "seller"]["overall"] == seller
    assert "overall" not in evaluated[EPISODE, "buyer"]


def test_thousands_of_episodes_are_asked_for_in_parts(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simworld.results.episode_scores.EPISODES_PER_QUERY", 1)
    judges = [judge for judge in store.judges() if judge.id == "own@1"]
    one = read_episode_scores(store, judges, [EPISODE])
    assert read_episode_scores(store, judges, ["0" * 20, EPISODE, EPISODE]) == one
