"""Rewards of rules: when a rule counts, what it measures, and in which units it pays."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from simworld.core.errors import InputError
from simworld.training.data.reward_rules import RewardRule, RuleCondition
from simworld.training.data.rule_rewards import RuleRewards
from simworld.training.data.seat_turns import SeatTurn

VECTORS = {"thanks": (1.0, 0.0), "thank you": (0.8, 0.6), "no": (0.0, 1.0), "Sell.": (0.6, 0.8)}


def embed(texts: Sequence[str]) -> NDArray[np.floating]:
    return np.array([VECTORS[text] for text in texts])


def turn(text: str = "no", **given: Any) -> SeatTurn:
    usual: dict[str, Any] = {
        "turn": 0, "turns_limit": 4, "heard": "", "own_before": "", "has_asked": False,
        "answer": None,
        "goal": "Sell.", "scenario_kind": "repair",
    }  # fmt: skip
    return SeatTurn(text=text, **{**usual, **given})


ASKS = RewardRule(measure="lexical", pattern=r"\?")
THANKS = RewardRule(measure="embedding", text="thanks")


def refused(rule: dict[str, Any]) -> str:
    with pytest.raises(ValueError) as error:
        RewardRule(**rule)
    return str(error.value)


@pytest.mark.parametrize(
    ("condition", "counts", "does_not"),
    [
        ({"turns": "first_half"}, {"turn": 1}, {"turn": 2}),
        ({"turns": "second_half"}, {"turn": 2}, {"turn": 1}),
        ({"partner_asks": True}, {"heard": "Why?"}, {"heard": "So."}),
        ({"partner_asks": False}, {"heard": "So."}, {"heard": "Why?"}),
        ({"partner_asks": False}, {"heard": "So."}, {"heard": ""}),  # nobody has spoken yet
        ({"kind": ("repair", "group")}, {}, {"scenario_kind": "bargaining"}),
        ({"after_own": "asks"}, {"own_before": "Why?"}, {"own_before": "So."}),
        (
            {"after_own_says": "(?i)tomorrow"},
            {"own_before": "Tomorrow, then."},
            {"own_before": "Today, then."},
        ),
        ({"after_own": "states"}, {"own_before": "So."}, {"own_before": ""}),
        ({"after_own": "asked"}, {"has_asked": True, "own_before": "So."}, {"own_before": "So."}),
        (
            {"turns": "first_half", "partner_asks": True},
            {"turn": 0, "heard": "Why?"},
            {"turn": 3, "heard": "Why?"},
        ),
        ({}, {}, None),
    ],
)
def test_when_a_rule_counts(
    condition: dict[str, Any], counts: dict[str, Any], does_not: dict[str, Any] | None
) -> None:
    assert RuleCondition(**condition).holds(turn(**counts))
    if does_not is not None:
        assert not RuleCondition(**condition).holds(turn(**does_not))


def test_each_measure() -> None:
    goal = RewardRule(measure="goal")
    rules = (ASKS, THANKS, goal, RewardRule(of="partner_next", measure="embedding", text="thanks"))
    measured = RuleRewards(rules, embed).measure(
        [turn("thank you"), turn("", answer="thanks"), turn("no", answer="no")]
    )
    # "thank you" · "thanks" = .8, · "Sell." = .8 × .6 + .6 × .8; silence is like nothing
    assert measured == pytest.approx(
        np.array([[0, 0.8, 0.96, np.nan], [0, 0, 0, 1], [0, 0, 0.8, 0]]), nan_ok=True
    )


def test_a_rule_pays_in_deviations_from_what_is_usual_times_its_weight() -> None:
    first_half = RuleCondition(turns="first_half")
    rules = (
        RewardRule(measure="lexical", pattern=r"\?", when=first_half, mean=0.2, deviation=0.4),
        RewardRule(measure="lexical", pattern="!", weight=-0.5, mean=0.5, deviation=0.5),
    )
    paid = RuleRewards(rules, embed).paid([turn("Why?"), turn("Why?", turn=3), turn("So!", turn=1)])
    # (1 − .2) / .4 and −.5 × (0 − .5) / .5;  the second alone;  (0 − .2) / .4 and −.5 × (1 − .5) / .5
    assert paid == pytest.approx(np.array([[2, 0.5], [0, 0.5], [-0.5, -0.5]]))


def test_what_is_usual_is_measured_where_the_rule_counts() -> None:
    late = ASKS.model_copy(update={"when": RuleCondition(turns="second_half")})
    fixed = RewardRule(measure="lexical", pattern="x", mean=0.1, deviation=0.3)
    unsteered = [turn("Why?", turn=2), turn("So.", turn=3), turn("A."), turn("B."), turn("C.")]
    first, second = RuleRewards([late, fixed], embed).standardise(unsteered)
    assert (first.mean, first.deviation) == (0.5, 0.5)
    assert second == fixed
    assert first.model_copy(update={"mean": None, "deviation": None}) == late
    # so the usual reward is 0, and its deviation 1
    paid = RuleRewards([first], embed).paid(unsteered[:2])
    assert paid == pytest.approx(np.array([[1], [-1]]))


def test_rules_that_never_count_or_never_differ_are_named_together() -> None:
    never = RewardRule(measure="lexical", pattern="x", when=RuleCondition(kind=("teaching",)))
    with pytest.raises(InputError) as error:
        RuleRewards([never, ASKS, THANKS], embed).standardise([turn("no"), turn("thanks")])
    assert [str(problem) for problem in error.value.problems] == [
        "reward.rules.0: the rule counts in 0 of 2 unsteered acts, so nothing tells what is usual;"
        " widen `when`, or collect more replies",
        "reward.rules.1: it measures 0 on all 2 unsteered acts where it counts, so nothing can be"
        " learned from it; change what is measured",
    ]


def test_rules_that_are_not_standardised_do_not_reward() -> None:
    with pytest.raises(ValueError, match="standardised before they reward"):
        RuleRewards([THANKS], embed).paid([turn("no")])


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"measure": "lexical"}, "measure 'lexical' and only it needs 'pattern'"),
        ({"measure": "goal", "text": "thanks"}, "measure 'embedding' and only it needs 'text'"),
        ({"measure": "lexical", "pattern": "("}, "pattern"),
        ({"measure": "goal", "weight": 0}, "a rule of weight 0 rewards nothing"),
        ({"measure": "goal", "mean": 1}, "mean and deviation go together"),
        ({"measure": "goal", "mean": 1, "deviation": 0}, "greater than 0"),
        ({"measure": "goal", "weight": float("nan")}, "finite number"),
        ({"measure": "goal", "when": {"turn": "first_half"}}, "Extra inputs"),
    ],
)
def test_rules_that_make_no_sense_are_refused(rule: dict[str, Any], message: str) -> None:
    assert message in refused(rule)
