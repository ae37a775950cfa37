"""What the rules of a reward give to the acts of a seat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simworld.core.arrays import EmbedTexts, Floats
from simworld.core.errors import InputError, Problem
from simworld.training.data.reward_rules import RewardRule
from simworld.training.data.seat_turns import SeatTurn
from simworld.training.data.utterance_rewards import LexicalReward, TextLikeness


class RuleRewards:
    """Measures rules on acts."""

    def __init__(self, rules: Sequence[RewardRule], embed: EmbedTexts) -> None:
        """Args: `embed` is called only where a rule needs it."""
        self._rules = tuple(rules)
        self._likeness = TextLikeness(embed)

    def measure(self, turns: Sequence[SeatTurn]) -> Floats:
        """Gives what each rule measures on each act, (n, rules); NaN where it does not count.

        Raises InputError where a pattern takes too long.
        """
        measured = np.full((len(turns), len(self._rules)), np.nan)
        for column, rule in enumerate(self._rules):
            rows, said = [], []
            for row, turn in enumerate(turns):
                if (words := rule.words(turn)) is not None:
                    rows.append(row)
                    said.append(words)
            if rows:
                measured[rows, column] = self._values(rule, said, [turns[row] for row in rows])
        return measured

    def paid(self, turns: Sequence[SeatTurn]) -> Floats:
        """Gives what each rule pays for each act: its weight, times the deviations from what is
        usual, (n, rules); 0 where it does not count.

        Raises InputError as `measure`, and ValueError for rules that are not standardised.
        """
        if not all(rule.standardised for rule in self._rules):
            raise ValueError("rules are standardised before they reward")
        means, deviations, weights = (
            np.array([getattr(rule, name) for rule in self._rules], dtype=np.float64)
            for name in ("mean", "deviation", "weight")
        )
        return np.nan_to_num((self.measure(turns) - means) / deviations) * weights

    def standardise(self, turns: Sequence[SeatTurn]) -> tuple[RewardRule, ...]:
        """Gives the rules with the mean and the deviation that they have on unsteered acts; those
        that a rule has already stay, where it counts at all.

        Raises:
            InputError: for every rule that never counts there, or measures the same everywhere.
        """
        problems, ready = [], []
        for index, (rule, values) in enumerate(
            zip(self._rules, self.measure(turns).T, strict=True)
        ):
            counted = values[~np.isnan(values)]
            if rule.standardised and not len(counted):
                problems.append(Problem(_never_counts(index, len(turns))))
            elif rule.standardised:
                ready.append(rule)
            elif len(counted) < 2 or not (deviation := float(counted.std())) > 0:
                problems.append(Problem(_no_deviation(index, counted, len(turns))))
            else:
                known = {"mean": float(counted.mean()), "deviation": deviation}
                ready.append(rule.model_copy(update=known))
        if problems:
            raise InputError(problems)
        return tuple(ready)

    def _values(self, rule: RewardRule, said: Sequence[str], turns: Sequence[SeatTurn]) -> Floats:
        if rule.measure == "lexical":
            return LexicalReward(rule.pattern).measure(said)
        targets = [turn.goal if rule.measure == "goal" else rule.text for turn in turns]
        return self._likeness.cosines(said, targets)


def _never_counts(index: int, acts: int) -> str:
    return (
        f"reward.rules.{index}: the rule counts in 0 of {acts} unsteered acts, so it rewards"
        " nothing; widen `when`, or remove it"
    )


def _no_deviation(index: int, counted: Floats, acts: int) -> str:
    where = f"reward.rules.{index}: "
    if len(counted) < 2:
        return where + (
            f"the rule counts in {len(counted)} of {acts} unsteered acts, so nothing tells what is"
            " usual; widen `when`, or collect more replies"
        )
    return where + (
        f"it measures {counted[0]:g} on all {len(counted)} unsteered acts where it counts, so"
        " nothing can be learned from it; change what is measured"
    )
