"""Seat values in SQL are those that `read_scores` computes row by row: several samples, rubrics, weights, and holes."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from simworld import connect
from simworld.analysis.games import SeatScore
from simworld.analysis.questions.judges import choose_judge
from simworld.analysis.questions.names import scope
from simworld.analysis.questions.seat_scores import seat_scores
from simworld.analysis.questions.seat_values import seat_values
from simworld.analysis.questions.source import Source
from simworld.analysis.seat_scores import read_scores
from simworld.core.errors import InputError
from store import Store, open_store
from tests.simworld.analysis import world
from tests.store.samples import judged

SEVEN = ("believability", "relationship", "knowledge", "secret", "social_rules", "financial", "goal")


def rubric(name: str, dimensions: tuple[str, ...], weights: tuple[float, ...]) -> dict[str, object]:
    parts = [
        {"name": d, "low": -5.0, "high": 5.0, "question": "?", "weight": w}
        for d, w in zip(dimensions, weights, strict=True)
    ]
    return {"name": name, "id": f"{name}@0", "dimensions": parts}


def score(store: Store, ids: list[str], judge: str, dimensions: tuple[str, ...], draw: random.Random) -> None:
    """Up to three samples of each episode, one in five scores missing."""
    for id_ in ids:
        seats = [seat.seat for seat in store.episode(id_).summary.seats]
        for sample in range(draw.randrange(4)):
            shares = {(s, d): draw.random() for s in seats for d in dimensions if draw.random() < 0.8}
            scores = {key: 10 * share - 5 for key, share in shares.items()}
            store.add_judgement(judged(id_, scores, judge=judge, sample=sample), shares)


@pytest.fixture
def opened(url: str) -> Iterator[Store]:
    """A run judged by j by one rubric, by k by two: that of tickets and that of rents."""
    draw = random.Random(5)
    with open_store(url, create=True) as store:
        ids = world.fill(store, [world.with_scores(one, None) for one in world.WORLD])
        by_scenario: dict[str, list[str]] = {"ticket": [], "rent": []}
        for id_, one in zip(ids, world.WORLD, strict=True):
            if one.failure is None:
                by_scenario[one.scenario.name].append(id_)
        store.add_judge("s@1", "s", {"spec": {}, "rubric": rubric("sotopia", SEVEN, (1, 2, 0, 1, 3, 1, 1))})
        score(store, by_scenario["ticket"] + by_scenario["rent"], "s@1", SEVEN, draw)
        store.add_judge("k@1", "k", {"spec": {}, "rubric": rubric("first", ("goal", "bond"), (3, 1))})
        store.add_judge("k@2", "k", {"spec": {}, "rubric": rubric("second", ("goal", "calm"), (0, 2))})
        score(store, by_scenario["ticket"], "k@1", ("goal", "bond"), draw)
        score(store, by_scenario["rent"], "k@2", ("goal", "calm"), draw)
        yield store


@pytest.mark.parametrize("judge", ["s", "k"])
def test_the_same_as_row_by_row(opened: Store, url: str, judge: str) -> None:
    source = Source(url=url, store=opened, timeout_s=30)
    among = scope(source, run="first")
    chosen = choose_judge(source, judge, among)
    values = seat_values(source, chosen, among)
    found = {(s.episode, s.seat): s for s in seat_scores(source, values, among)}
    scenarios = {one.scenario.id: one.scenario for one in world.WORLD}
    expected = {(s.episode, s.seat): s for s in read_scores(opened, "first", chosen.ids, list(scenarios))}
    assert len(expected) > 5
    assert found.keys() == expected.keys()
    for key, one in expected.items():
        assert plain(found[key]) == plain(one)
        assert found[key].values == pytest.approx(one.values)
    alone = [measure.name for measure in values.measures if "/" in measure.name or measure.name in ("goal", "overall")]
    for name in alone:  # a measure asked by itself is the same
        single = seat_values(source, chosen, among, [name])
        for asked in seat_scores(source, single, among):
            assert asked.values.get(name) == pytest.approx(found[asked.episode, asked.seat].values.get(name))


def plain(score: SeatScore) -> tuple[object, ...]:
    return score.agent, score.family, score.scenario, score.seat, score.partners, score.repeat


def test_two_rubrics_have_their_names_before_dimensions(opened: Store, url: str) -> None:
    with connect(url) as asked:
        with pytest.warns(UserWarning, match="families"):
            found = asked.scores(by=(), judge="k")
        assert found["measure"].tolist() == ["overall", "first/goal", "first/bond", "second/goal", "second/calm"]
        with pytest.raises(InputError, match="no measure of judge 'k', 'goal'; there are overall, first/goal"):
            asked.scores(judge="k", measures=["goal"])
