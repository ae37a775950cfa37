"""What marks an arm beside its base."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agents.steering.named_ways import NEUTRAL
from simworld.core.episode import PlanStep
from simworld.results.language_quality import EpisodeSeats
from simworld.results.planner_ways import PlannerWays
from simworld.results.traits import MAX_FALLEN, MAX_RISEN, arm_traits, compare_traits
from store import AgentRecord, RunRecord, Store
from tests.factories.steered_runs import NOON, new_store, play, scenario

WAYS = [{"words": "thank", "action": [1.0, 0.0]}, {"words": "ask", "action": [0.0, 1.0]}]
RIGHT, UP = (2.0, 0.1), (0.1, 2.0)


def planned(action: tuple[float, float], planner: str = "p1") -> PlanStep:
    return PlanStep(
        state=np.zeros(3, np.float32),
        action=np.array(action, np.float32),
        encoder_id="e1",
        planner_id=planner,
    )


@pytest.fixture
def world(tmp_path: Path) -> Store:
    """Where the seller's stored agent knows two ways."""
    steered = AgentRecord(
        id="s1", name="steered", spec={"steering": {"planner": "p1", "ways": WAYS}}
    )
    store = new_store(tmp_path)
    store.begin_run(
        RunRecord(name="first", seed=1, code_version="0", created=NOON),
        [],
        [scenario("thing")],
        [steered],
    )
    return store


def seats(store: Store, lines: list[str], plan: PlanStep | None, start: int = 0) -> EpisodeSeats:
    """The seller says the lines, an episode each."""
    scene = scenario("thing")
    ids = [
        play(store, scene, [line], repeat=start + i, plans={} if plan is None else {0: plan})
        for i, line in enumerate(lines)
    ]
    return [(store.episode(id_).episode, "seller") for id_ in ids]


def test_words_and_ways_that_rose(world: Store) -> None:
    base = seats(world, ["The boat is old."] * 20, None)
    arm = seats(world, ["Thank you, it is old."] * 18 + ["", "Thank you."], planned(RIGHT), 100)
    with world:
        found = arm_traits({"base": base, "arm": arm}, "base", PlannerWays(world))
    assert list(found) == ["arm"]
    traits = found["arm"]
    assert (traits.utterances, traits.base_utterances) == (19, 20)
    by_word = {each.token: (each.n, each.base_n) for each in traits.words}
    assert list(by_word) == ["thank", "you", "it", "boat", "the"]
    assert by_word["thank"] == (19, 0)
    assert by_word["boat"] == (0, 20)
    risen, fallen = traits.ways
    assert (risen.token, risen.n, risen.base_n) == ("thank", 19, 0)
    assert (fallen.token, fallen.n, fallen.base_n) == (NEUTRAL, 0, 20)
    assert risen.z > 2 > -2 > fallen.z


def test_two_planners_are_compared_by_their_ways(world: Store) -> None:
    arm = seats(world, ["Well."] * 20, planned(UP))
    base = seats(world, ["Well."] * 20, planned(RIGHT), 100)
    with world:
        found = compare_traits(arm, base, PlannerWays(world))
    assert [(each.token, each.n, each.base_n) for each in found.ways] == [
        ("ask", 20, 0),
        ("thank", 0, 20),
    ]
    assert found.words == ()  # nothing stands out


def test_a_planner_without_ways_or_that_nobody_knows_has_words_alone(world: Store) -> None:
    arm = seats(world, ["Thank you."] * 20, planned(UP, planner="p2"))
    base = seats(world, ["The boat is old."] * 20, None, 100)
    with world:
        found = compare_traits(arm, base, PlannerWays(world))
    assert found.ways == ()
    assert [each.token for each in found.words[:2]] == ["thank", "you"]


def test_the_table_is_small(world: Store) -> None:
    arm = seats(world, ["a b c d e f g h i j k"] * 20, None)
    base = seats(world, ["n o p q r s t u v w x"] * 20, None, 100)
    with world:
        found = compare_traits(arm, base, PlannerWays(world))
        assert compare_traits([], base, PlannerWays(world)).words == ()
    assert [each.token for each in found.words] == [*"abcdefgh", *"nopq"]
    assert len(found.words) == MAX_RISEN + MAX_FALLEN
    assert found.to_json()["words"][0]["token"] == "a"
