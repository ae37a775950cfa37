"""Situations: of the rules of a reward, or the usual ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from simworld.training.data.reward_rules import RewardRule, RuleCondition
from simworld.training.data.seat_turns import SeatTurn
from simworld.training.data.situations import (
    condition_text,
    planner_situations,
    rule_situations,
    usual_situations,
)

TURN = SeatTurn(
    text="Well.", turn=0, turns_limit=6, heard="", own_before="", has_asked=False, answer=None,
    goal="", scenario_kind="repair",
)  # fmt: skip


def rule(**when: Any) -> RewardRule:
    return RewardRule(measure="lexical", pattern=r"\?", when=RuleCondition(**when))


def holding(situations: Any, turn: SeatTurn) -> list[str]:
    return [each.name for each in situations if each.holds(turn)]


def test_rules_conditions_once_and_what_is_left() -> None:
    rules = (rule(turns="first_half"), rule(partner_asks=True), rule(turns="first_half"), rule())
    situations = rule_situations(rules)
    assert [each.name for each in situations] == ["first half", "partner asks", "otherwise"]
    asked = replace(TURN, heard="Well?")
    assert holding(situations, asked) == ["first half", "partner asks"]
    assert holding(situations, replace(asked, turn=3)) == ["partner asks"]
    assert holding(situations, replace(TURN, turn=3, heard="So.")) == ["otherwise"]


def test_a_condition_in_words() -> None:
    when = RuleCondition(
        turns="second_half", partner_asks=False, kind=("repair", "dividing"), after_own="asked"
    )
    assert condition_text(when) == (
        "second half, partner states, repair or dividing, once it has asked"
    )


def test_without_conditions_each_turn_is_in_one_third_by_what_was_heard() -> None:
    assert rule_situations([rule()]) == ()
    situations = usual_situations()
    assert holding(situations, TURN) == ["first third, nothing heard"]
    assert holding(situations, replace(TURN, turn=2, heard="So?")) == ["second third, partner asks"]
    assert holding(situations, replace(TURN, turn=5, heard="So.")) == ["last third, partner states"]
    assert len(holding(situations, replace(TURN, turn=9, turns_limit=6, heard="So."))) == 1


def test_a_planner_has_those_of_its_rewards_rules() -> None:
    rules = [{"when": {"partner_asks": True}, "measure": "lexical", "pattern": "x", "mean": 0.1,
              "deviation": 0.2}]  # fmt: skip
    data = {"query": {"runs": ["a"], "reward": {"rules": rules}}}
    assert [each.name for each in planner_situations(data)] == ["partner asks", "otherwise"]
    for other in ({}, {"query": {"reward": {"measure": "embedding", "text": "x"}}},
                  {"query": {"judge": "of an earlier version"}}, {"query": "x"}):  # fmt: skip
        assert len(planner_situations(other)) == 9
