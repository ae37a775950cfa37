"""Rubrics and their ids."""

import dataclasses
import hashlib

import pytest

from simworld.core.judgement import Dimension, Judgement, JudgementStatus, Rubric

GOAL = Dimension(name="goal", low=0.0, high=10.0, question="Did {name} get what {name} wanted?")
SECRET = Dimension(
    name="secret", low=-10.0, high=0.0, question="Did {name} keep the secret?", weight=2.0
)


@pytest.mark.parametrize(
    ("dimension", "score", "share"),
    [
        (GOAL, 0, 0.0),
        (GOAL, 7.5, 0.75),
        (GOAL, 10, 1.0),
        (SECRET, -10, 0.0),
        (SECRET, -2.5, 0.75),
        (SECRET, 0, 1.0),
    ],
)
def test_scores_are_rescaled_to_their_range(
    dimension: Dimension, score: float, share: float
) -> None:
    assert dimension.rescale(score) == share


def test_a_rubrics_id_is_its_name_and_the_hash_of_its_dimensions() -> None:
    text = (
        '[{"high": 10.0, "high_statements": [], "low": 0.0, "low_statements": [], "name": "goal", '
        '"question": "Did {name} get what {name} wanted?", "weight": 1.0}]'
    )
    assert (
        Rubric(name="mine", dimensions=(GOAL,)).id
        == f"mine@{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    )


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"low": 1.0},
        {"high": 9.0},
        {"question": "Why?"},
        {"weight": 2.0},
        {"high_statements": ("{name} won.",)},
        {"low_statements": ("{name} lost.",)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_a_dimension_says_is_in_the_id(change: dict[str, object]) -> None:
    changed = dataclasses.replace(GOAL, **change)  # type: ignore[arg-type]
    assert Rubric(name="r", dimensions=(changed,)).id != Rubric(name="r", dimensions=(GOAL,)).id


def test_the_order_of_dimensions_is_in_the_id() -> None:
    assert (
        Rubric(name="r", dimensions=(GOAL, SECRET)).id
        != Rubric(name="r", dimensions=(SECRET, GOAL)).id
    )


def test_a_judgement_is_frozen() -> None:
    judgement = Judgement(
        episode_id="e", judge_id="j", sample=0, status=JudgementStatus.ok, rubric_id="r"
    )
    with pytest.raises(dataclasses.FrozenInstanceError):
        judgement.sample = 1  # type: ignore[misc]
    assert (judgement.verdicts, judgement.failure) == ((), None)
