"""Coverage of a dataset, and whether actions explain rewards: against numbers worked out by hand or
by a slower way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simworld.training.data.dataset import build_dataset
from simworld.training.data.dataset_inspection import (
    Inspection,
    action_dispersion,
    dataset_coverage,
    inspect_dataset,
    make_histogram,
)
from simworld.training.data.dataset_query import DataQuery
from simworld.training.data.variance_explained import variance_explained
from store import Store
from tests.factories.steered_runs import judge, play, scenario, step

LINES = ("Hello.", "Hi.", "40 euros.", "No.", "30?")


def inspected(store: Store, folder: Path, **given: Any) -> Inspection:
    return inspect_dataset(build_dataset(store, DataQuery.model_validate(given), folder))


def test_the_dispersion_of_four_actions_on_a_square() -> None:
    found = action_dispersion(np.array([[1, 0], [-1, 0], [0, 1], [0, -1]], dtype=np.float32))
    assert found.resultant == pytest.approx(0)
    # of six pairs two are opposite, four at right angles
    assert found.cosine == pytest.approx(-1 / 3)
    assert found.effective_rank == pytest.approx(2)
    assert (found.mean_norm, found.distinct) == (1, True)


def test_the_dispersion_of_equal_actions() -> None:
    found = action_dispersion(np.full((5, 3), 0.1, dtype=np.float32))
    assert (found.effective_rank, found.distinct) == (0, False)
    assert found.resultant == pytest.approx(1)
    assert found.cosine == pytest.approx(1)


def test_a_rank_of_one() -> None:
    line = np.array([[1, 1], [2, 2], [3, 3]], dtype=np.float32)
    assert action_dispersion(line).effective_rank == pytest.approx(1)


def test_a_histogram() -> None:
    found = make_histogram(np.array([0.0, 0.05, 1.0]))
    assert found.counts == (2, 0, 0, 0, 0, 0, 0, 0, 0, 1)
    assert make_histogram(np.array([2.0, 2.0])).counts == (2,)


def test_what_is_linear_in_the_action_is_explained_whatever_the_level_of_a_family() -> None:
    rng = np.random.default_rng(0)
    family = np.repeat(np.arange(12), 20)
    x = rng.standard_normal((240, 4)) + family[:, None]
    y = x @ [1.0, -2.0, 0.0, 0.5] + 100.0 * rng.standard_normal(12)[family]
    found = variance_explained(x, y, family)
    assert found is not None
    assert found.r2 > 0.999
    assert (found.n, found.families, found.folds) == (240, 12, 10)


def test_noise_is_not_explained() -> None:
    rng = np.random.default_rng(1)
    family = np.repeat(np.arange(12), 20)
    found = variance_explained(rng.standard_normal((240, 32)), rng.standard_normal(240), family)
    assert found is not None
    assert -0.5 < found.r2 < 0.03


def test_held_out_families_are_not_fitted() -> None:
    """Each family has a slope of its own: fitted to itself R² would be 1, to the other it is 1 − (1
    − (−1))² = −3."""
    x = np.array([[-1.0], [1.0], [-1.0], [1.0]] * 50)
    family = np.array([0, 0, 1, 1] * 50)
    y = x[:, 0] * np.where(family == 0, 1.0, -1.0)
    found = variance_explained(x, y, family)
    assert found is not None
    assert found.r2 == pytest.approx(-3, abs=0.01)


@pytest.mark.parametrize(
    ("y", "family"),
    [
        ([0.0, 1.0, 2.0, 3.0], [0, 0, 0, 0]),
        ([1.0, 2.0, 3.0, 3.0], [0, 1, 2, 2]),
        ([1.0, 1.0, 2.0, 2.0], [0, 0, 1, 1]),
    ],
)
def test_where_nothing_can_be_held_out_or_differs_there_is_no_number(
    y: list[float], family: list[int]
) -> None:
    assert variance_explained(np.arange(8.0).reshape(4, 2), np.array(y), np.array(family)) is None


def test_a_dataset_is_inspected(store: Store, tmp_path: Path) -> None:
    for name in ("lamp", "chair"):
        for repeat, goal in enumerate((0.0, 0.5, 1.0)):
            # one act per episode, whose first number foretells the score
            plans = {0: step(0, action=(goal - 0.5, 0.5))}
            id_ = play(store, scenario(name), LINES, repeat=repeat, plans=plans)
            for sample in (0, 1):
                judge(store, id_, goal, goal, sample=sample)
    play(store, scenario("lamp"), LINES, repeat=3)
    found = inspected(store, tmp_path)
    assert (found.episodes, found.seats, found.transitions) == (6, 6, 6)
    assert found.families == {"lamp": 3, "chair": 3}
    assert (found.meta.unscored, found.meta.judge_sd, found.meta.judge_repeats) == (1, 0, 6)
    assert found.rewards.counts == (2, 0, 0, 0, 0, 2, 0, 0, 0, 2)
    assert found.scores.mean == pytest.approx(0.5)
    assert found.rewards.mean == pytest.approx(0)
    assert found.by_episode is not None
    assert found.by_episode.r2 == pytest.approx(1, abs=1e-3)
    assert found.by_act is None  # the reward is at the end
    assert found.warnings == ()


def test_one_family_and_a_single_action_are_said(store: Store, tmp_path: Path) -> None:
    for repeat, goal in enumerate((0.2, 0.8)):
        judge(store, play(store, scenario("lamp"), LINES, repeat=repeat, plans={0: step(0)}), goal)
    found = inspected(store, tmp_path)
    assert found.by_episode is None
    assert [warning.split(":")[0].split(",")[0] for warning in found.warnings] == [
        "all 2 acts have the same action",
        "one family only",
    ]


def test_equal_scores_and_lone_families_are_said(store: Store, tmp_path: Path) -> None:
    for name in ("lamp", "chair"):
        judge(store, play(store, scenario(name), LINES), 0.5)
    found = inspected(store, tmp_path)
    assert (
        "2 families have one scored seat each: centred by family, its reward is 0" in found.warnings
    )
    assert "all scores are equal: there is nothing to prefer" in found.warnings


def test_rewards_told_apart_act_by_act_are_explained_act_by_act(
    store: Store, tmp_path: Path
) -> None:
    for name in ("lamp", "chair"):
        for repeat in range(3):
            plans = {0: step(0, action=(1.0, 0.0)), 2: step(2, action=(-1.0, 0.0))}
            play(store, scenario(name), ("40 euros.", "No.", "Please."), repeat=repeat, plans=plans)
    found = inspected(store, tmp_path, reward={"measure": "lexical", "pattern": "euros"})
    assert found.by_act is not None
    assert found.by_act.r2 == pytest.approx(1, abs=1e-3)
    assert found.by_episode is None  # every seat did the same


def test_states_alone_are_inspected(store: Store, tmp_path: Path) -> None:
    play(store, scenario("lamp"), LINES)
    found = inspected(store, tmp_path, states_only=True)
    assert (found.transitions, found.dispersion, found.by_episode) == (3, None, None)


def test_the_record_of_a_training_says_what_it_learned_from(store: Store, tmp_path: Path) -> None:
    for name, goals in (("lamp", (0.0, 1.0)), ("chair", (0.5,))):
        for repeat, goal in enumerate(goals):
            plans = {0: step(0, action=(goal - 0.5, 0.5))}
            judge(store, play(store, scenario(name), LINES, repeat=repeat, plans=plans), goal)
    play(store, scenario("lamp"), LINES, repeat=3, plans={0: step(0)})
    found = dataset_coverage(build_dataset(store, DataQuery(), tmp_path))
    assert json.loads(json.dumps(found))["families"] == {"lamp": 2, "chair": 1}
    assert (found["episodes"], found["seats"], found["transitions"], found["unscored"]) == (
        3,
        3,
        3,
        1,
    )
    assert sum(found["scores"]["counts"]) == 3
    assert found["dispersion"]["dimensions"] == 2
