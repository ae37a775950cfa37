"""In which situation an act was done."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simworld.core.errors import InputError
from simworld.training.data.dataset import build_dataset
from simworld.training.data.dataset_folder import load_transitions
from simworld.training.data.dataset_query import DataQuery, RewardSettings
from simworld.training.data.reward_rules import RewardRule, RuleCondition
from simworld.training.rl.act_situations import situations_by_rules, situations_by_turns
from tests.factories.steered_runs import new_store, play, scenario
from tests.factories.transitions import episodes


def test_thirds_of_the_turns() -> None:
    # the share of turns left is a state's last number
    states = [[[0.0, share]] for share in (1, 0.7, 0.66, 0.4, 0.33, 0.1)]
    data = episodes(states, [[[1.0]]] * 6, [[0.0]] * 6)
    found = situations_by_turns(data)
    assert found.names == ("first third", "second third", "last third")
    assert found.index.tolist() == [0, 0, 1, 1, 2, 2]
    late = situations_by_turns(data.select(np.array([4, 5])))
    assert (late.names, late.index.tolist()) == (("last third",), [0, 0])


def rule(**when: object) -> RewardRule:
    return RewardRule(measure="goal", when=RuleCondition.model_validate(when), mean=0, deviation=1)


def test_conditions_of_rules(tmp_path: Path) -> None:
    lines = (
        "Hello.",
        "How much?",
        "Why?",
        "Tell me.",
        "40.",
        "No.",
    )  # the seller's are every other
    with new_store(tmp_path) as store:
        play(store, scenario("lamp", turns=6), lines)
        query = DataQuery(reward=RewardSettings(measure="lexical", pattern="o"))
        data = load_transitions(build_dataset(store, query, tmp_path / "sets"))

        def found(*rules: RewardRule) -> list[str] | None:
            situations = situations_by_rules(data, store, rules)
            if situations is None:
                return None
            return [situations.names[number] for number in situations.index]

        early, asked = rule(turns="first_half"), rule(partner_asks=True)
        assert found(early) == ["first half", "first half", "else"]
        assert found(early, asked, early) == [
            "first half", "first half and partner asks", "else"
        ]  # fmt: skip
        assert found(rule(after_own="asks")) == ["else", "else", "after an own question"]
        # without a condition, or with one that holds for all, there is nothing to tell apart
        assert found(rule()) is None
        assert found(rule(kind=["repair"])) is None
    (tmp_path / "other").mkdir()
    with new_store(tmp_path / "other") as other, pytest.raises(InputError, match="episode"):
        situations_by_rules(data, other, (early,))
