"""Situations in which a seat acts, to tell what a planner does in each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from simworld.training.data.dataset_query import DataQuery
from simworld.training.data.reward_rules import RewardRule, RuleCondition
from simworld.training.data.seat_turns import SeatTurn, asks

OTHERWISE = "otherwise"
_THIRDS = ("first third", "second third", "last third")
_AFTER_OWN = {
    "asks": "after an own question",
    "states": "after an own statement",
    "asked": "once it has asked",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """One kind of turn."""

    name: str
    holds: Callable[[SeatTurn], bool]


def rule_situations(rules: Sequence[RewardRule]) -> tuple[Situation, ...]:
    """The conditions of a reward's rules, each once, and the turns in which none holds; empty where
    no rule has a condition. Conditions may hold together.
    """
    conditions = list(dict.fromkeys(rule.when for rule in rules if rule.when != RuleCondition()))
    if not conditions:
        return ()
    return (
        *(Situation(name=condition_text(when), holds=when.holds) for when in conditions),
        Situation(
            name=OTHERWISE, holds=lambda turn: not any(when.holds(turn) for when in conditions)
        ),
    )


def condition_text(when: RuleCondition) -> str:
    """A rule's condition in words."""
    parts = []
    if when.turns is not None:
        parts.append(when.turns.replace("_", " "))
    if when.partner_asks is not None:
        parts.append("partner asks" if when.partner_asks else "partner states")
    if when.kind:
        parts.append(" or ".join(when.kind))
    if when.after_own is not None:
        parts.append(_AFTER_OWN[when.after_own])
    if when.after_own_says:
        parts.append(f"after an own line with {when.after_own_says}")
    return ", ".join(parts) or "always"


def usual_situations() -> tuple[Situation, ...]:
    """Thirds of the turns by whether what was heard last asks; each turn is in one of them."""
    heard = {"partner asks": True, "partner states": False, "nothing heard": None}

    def holds(third: int, is_asked: bool | None) -> Callable[[SeatTurn], bool]:
        return lambda turn: (
            _third(turn) == third and (asks(turn.heard) if turn.heard else None) == is_asked
        )

    return tuple(
        Situation(name=f"{name}, {words}", holds=holds(third, is_asked))
        for third, name in enumerate(_THIRDS)
        for words, is_asked in heard.items()
    )


def planner_situations(data: Mapping[str, Any]) -> tuple[Situation, ...]:
    """Those of the rules that a planner was rewarded by, as its checkpoint's `data` has them; else
    the usual ones.
    """
    try:
        rules = DataQuery.model_validate(data.get("query") or {}).reward.rules
    except ValidationError:  # of a version with other fields, or edited
        rules = ()
    return rule_situations(rules) or usual_situations()


def _third(turn: SeatTurn) -> int:
    return min(2, 3 * turn.turn // max(1, turn.turns_limit))
