"""Measures of other packages, and ours, beside what decides an evaluation."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from simworld.core.episode import Act, Action, ActionKind, Ending, Episode, Turn
from simworld.core.errors import InputError
from simworld.judging.judge_spec import load_judge
from simworld.pipeline.arms_plan import EvaluationMeasures
from simworld.pipeline.learn.learn_file import EvaluateStage
from simworld.results.seat_measures import MeasureSpec, PlayedSeat, measure_seat
from simworld.testing import example_scenario
from simworld.training.data.dataset_query import RewardSettings
from tests.factories.extensions import LETTERS_MEASURE, MEASURES, Installation

ENTRY = {MEASURES: {"letters": "barter:letters"}}
SCENARIO = example_scenario()


def played(*lines: tuple[str, str], seat: str = "host") -> PlayedSeat:
    turns = tuple(
        Turn(
            index=i,
            acts=(Act(seat=who, action=Action(kind=ActionKind.speak, text=text)),),
        )
        for i, (who, text) in enumerate(lines)
    )
    episode = Episode(
        scenario_id=SCENARIO.id,
        cast={},
        seed=0,
        turns=turns,
        ending=Ending.turn_limit,
        reason="turn_limit",
    )
    return PlayedSeat(scenario=SCENARIO, episode=episode, seat=seat)


def measured(spec: dict[str, Any], seat: PlayedSeat) -> dict[str, float]:
    return measure_seat([MeasureSpec.model_validate(spec)], seat)


def test_our_measures_are_what_they_say() -> None:
    seat = played(
        ("host", "Shall we share the cake?"),
        ("guest", "No."),
        ("host", "Shall we share the cake?"),
        ("host", "Fine then."),
    )
    assert measured({"measure": "words"}, seat) == {"words": 4.0}  # 5, 5 and 2
    assert measured({"measure": "questions"}, seat) == {"questions": pytest.approx(2 / 3)}
    assert measured({"measure": "repeats"}, seat) == {"repeats": pytest.approx(1 / 3)}
    assert measured({"measure": "words"}, played(("guest", "No."))) == {}


def test_an_extension_measures_by_its_settings(installation: Installation) -> None:
    installation.add(ENTRY, code=LETTERS_MEASURE)
    seat = played(("host", "Here we are."), ("guest", "eee"))
    assert measured({"measure": "letters"}, seat) == {"letters": 4.0}
    assert measured({"measure": "letters", "settings": {"letter": "a"}}, seat) == {"letters": 1.0}
    with pytest.raises(ValidationError, match="did you mean 'letter'"):
        MeasureSpec.model_validate({"measure": "letters", "settings": {"leter": "a"}})


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return 1 / 0", "measure 'letters' of barter 0.1.0 failed: ZeroDivisionError"),
        (
            "return 'a'",
            "measure 'letters' of barter 0.1.0: expected a finite number or None, found",
        ),
        ("return float('nan')", "expected a finite number or None, found nan"),
    ],
)
def test_one_that_breaks_is_one_line(body: str, message: str, installation: Installation) -> None:
    code = LETTERS_MEASURE.replace("said = ", f"{body}\n        said = ")
    installation.add(ENTRY, code=code)
    with pytest.raises(InputError, match=message):
        measured({"measure": "letters"}, played(("host", "Here.")))


def test_what_decides_is_the_judge_then_the_reward_then_the_first_measure() -> None:
    seats = (MeasureSpec(measure="words"), MeasureSpec(measure="questions"))
    reward = RewardSettings(measure="lexical", pattern="a")
    judge, _ = load_judge("smol-statements")
    assert EvaluationMeasures(seats=seats).main_measure == "words"
    assert EvaluationMeasures(seats=seats, reward=reward).main_measure == "lexical"
    assert EvaluationMeasures(seats=seats, reward=reward, judge=judge).main_measure == "overall"


def test_evaluations_without_measures_keep_their_keys_and_two_of_one_name_are_refused() -> None:
    assert "measures" not in EvaluateStage().model_dump(mode="json")
    twice = {"measures": [{"measure": "words"}, {"measure": "words"}]}
    with pytest.raises(ValidationError, match="two measures are named 'words'"):
        EvaluateStage.model_validate(twice)
