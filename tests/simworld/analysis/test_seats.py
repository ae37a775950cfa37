"""Seats as frames hold what the rows of the store say: several samples, rubrics, weights, and
holes; so do pairs made of them."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator

import pandas as pd
import pytest

from simworld import connect
from simworld.analysis.questions.judge_choice import JudgeChoice, choose_judge
from simworld.analysis.questions.judge_measures import judge_measures
from simworld.analysis.questions.query_source import QuerySource
from simworld.analysis.questions.scope import resolve_scope
from simworld.analysis.questions.seat_frames import CELL_COLUMNS, SEAT_COLUMNS, seat_frames
from simworld.core.errors import InputError
from simworld.core.measures import average_samples, measure_names_by_judge, measures_of_rubric
from simworld.results.differences import compare_agents
from simworld.results.seat_scores import SeatScore, to_score_tables
from store import Store, open_store
from store.cells.cell_records import first_64_bits
from tests.factories import scored_world
from tests.factories.stored import judged

pytestmark = pytest.mark.filterwarnings("ignore::simworld.analysis.questions.query_source.Note")
SEVEN = (
    "believability",
    "relationship",
    "knowledge",
    "secret",
    "social_rules",
    "financial",
    "goal",
)


def rubric(name: str, dimensions: tuple[str, ...], weights: tuple[float, ...]) -> dict[str, object]:
    parts = [
        {"name": d, "low": -5.0, "high": 5.0, "question": "?", "weight": w}
        for d, w in zip(dimensions, weights, strict=True)
    ]
    return {"name": name, "id": f"{name}@0", "dimensions": parts}


def score(
    store: Store, ids: list[str], judge: str, dimensions: tuple[str, ...], draw: random.Random
) -> None:
    """One to three samples of each episode, one in five scores missing."""
    for id_ in ids:
        seats = [seat.seat for seat in store.episode(id_).summary.seats]
        for sample in range(draw.randint(1, 3)):
            shares = {
                (s, d): draw.random() for s in seats for d in dimensions if draw.random() < 0.8
            }
            scores = {key: 10 * share - 5 for key, share in shares.items()}
            store.add_judgement(judged(id_, scores, judge=judge, sample=sample), shares)


@pytest.fixture
def opened(url: str) -> Iterator[Store]:
    """A run judged by s by one rubric, and by k by two: that of tickets and that of rents."""
    draw = random.Random(5)
    with open_store(url, create=True) as store:
        ids = scored_world.store_world(
            store, [scored_world.with_scores(one, None) for one in scored_world.WORLD]
        )
        by_scenario: dict[str, list[str]] = {"ticket": [], "rent": []}
        for id_, one in zip(ids, scored_world.WORLD, strict=True):
            if one.failure is None:
                by_scenario[one.scenario.name].append(id_)
        store.add_judge(
            "s@1", "s", {"spec": {}, "rubric": rubric("sotopia", SEVEN, (1, 2, 0, 1, 3, 1, 1))}
        )
        score(store, by_scenario["ticket"] + by_scenario["rent"], "s@1", SEVEN, draw)
        store.add_judge(
            "k@1", "k", {"spec": {}, "rubric": rubric("first", ("goal", "bond"), (3, 1))}
        )
        store.add_judge(
            "k@2", "k", {"spec": {}, "rubric": rubric("second", ("goal", "calm"), (0, 2))}
        )
        score(store, by_scenario["ticket"], "k@1", ("goal", "bond"), draw)
        score(store, by_scenario["rent"], "k@2", ("goal", "calm"), draw)
        yield store


def row_by_row(store: Store, judge: JudgeChoice) -> dict[tuple[str, str], dict[str, float]]:
    """(episode id, seat) → measure → value, from the rows of scores."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    for record in judge.records:
        samples: dict[tuple[str, str], dict[int, dict[str, tuple[float, float]]]] = defaultdict(
            lambda: defaultdict(dict)
        )
        for row in store.score_rows(judge_id=record.id):
            samples[row.episode_id, row.seat][row.sample][row.dimension] = (row.score, row.rescaled)
        names = dict(
            zip(
                measures_of_rubric(record.spec["rubric"]),
                measure_names_by_judge(judge.rubrics)[record.id],
                strict=True,
            )
        )
        for key, of_seat in samples.items():
            measured = average_samples(of_seat.values(), record.spec["rubric"])
            found[key] = {names[name]: one.mean for name, one in measured.items()}
    return found


@pytest.mark.parametrize("judge", ["s", "k"])
def test_the_same_as_row_by_row(opened: Store, url: str, judge: str) -> None:
    source = QuerySource(url=url, store=opened, timeout_s=30)
    among = resolve_scope(source, run="first")
    chosen = choose_judge(source, judge, among)
    measures = [one.name for one in judge_measures(chosen)]
    frame = pd.concat(
        seat_frames(source, among, (*SEAT_COLUMNS, *CELL_COLUMNS), chosen, judge_measures(chosen))
    )
    expected = row_by_row(opened, chosen)
    assert len(expected) > 5
    scores = []
    for summary in opened.episode_summaries(run="first"):
        for seat in summary.seats:
            rows = frame[
                (frame["episode"] == first_64_bits(summary.id)) & (frame["seat"] == seat.seat)
            ]
            if (
                summary.scenario_name == "rent"
                and summary.failure
                and summary.attempt == 1
                and rows.empty
            ):
                continue  # it was tried again
            (row,) = rows.to_dict("records")
            others = [other.agent_name for other in summary.seats if other.seat != seat.seat]
            assert (row["agent"], row["family"], row["scenario"]) == (
                seat.agent_name,
                summary.family,
                summary.scenario_name,
            )
            assert (row["partners"], row["failed"]) == (others[0], summary.failure is not None)
            values = {name: row[name] for name in measures if not pd.isna(row[name])}
            assert values == pytest.approx(expected.get((summary.id, seat.seat), {}))
            scores.append(
                SeatScore(
                    agent=seat.agent_name,
                    family=summary.family,
                    scenario=summary.scenario_id,
                    seat=seat.seat,
                    partners=tuple(others),
                    repeat=0,
                    episode=summary.id,
                    values=values,
                )
            )
    plain = compare_agents(to_score_tables(scores), "steered", "base")
    with connect(url) as asked:
        found = asked.paired("steered", "base", judge=judge).set_index("measure")
    assert list(found.index) == [name for name in measures if name in plain]
    for name, difference in plain.items():
        assert found.loc[name, "difference"] == pytest.approx(difference.comparison.mean)
        assert found.loc[name, "pairs"] == difference.comparison.pairs


def test_two_rubrics_have_their_names_before_dimensions(opened: Store, url: str) -> None:
    with connect(url) as asked:
        found = asked.scores(by=(), judge="k")
        assert found["measure"].tolist() == [
            "overall",
            "first/goal",
            "first/bond",
            "second/goal",
            "second/calm",
        ]
        with pytest.raises(
            InputError, match="no measure of judge 'k', 'goal'; there are overall, first/goal"
        ):
            asked.scores(judge="k", measures=["goal"])
