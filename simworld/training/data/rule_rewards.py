"""What the rules of a reward give to the acts of a seat."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from simworld.core.arrays import Floats
from simworld.core.checks import PATTERN_TIMEOUT_S
from simworld.core.errors import InputError, Problem
from simworld.core.safe_patterns import compile_pattern
from simworld.training.data.reward_rules import RewardRule
from simworld.training.data.seat_turns import SeatTurn

Embed = Callable[[Sequence[str]], NDArray[np.floating]]  # n texts → (n, d), of length 1


class RuleRewards:
    """Measures rules on acts; each text is embedded once."""

    def __init__(self, rules: Sequence[RewardRule], embed: Embed) -> None:
        """Args: `embed` is called only where a rule needs it."""
        self._rules = tuple(rules)
        self._embed = embed
        self._vectors: dict[str, Floats] = {}

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

    def rewards(self, turns: Sequence[SeatTurn]) -> Floats:
        """Gives the sum of the rules in deviations, weighted, (n,).

        Raises InputError as `measure`, and ValueError for rules that are not standardised.
        """
        means, deviations = [rule.mean for rule in self._rules], [r.deviation for r in self._rules]
        if None in means or None in deviations:
            raise ValueError("rules are standardised before they reward")
        scaled = (self.measure(turns) - np.array(means, dtype=np.float64)) / np.array(
            deviations, dtype=np.float64
        )
        total: Floats = np.nan_to_num(scaled) @ np.array([rule.weight for rule in self._rules])
        return total

    def standardise(self, turns: Sequence[SeatTurn]) -> tuple[RewardRule, ...]:
        """Gives the rules with the mean and the deviation that they have on unsteered acts; those
        that a rule has already stay.

        Raises:
            InputError: for every rule that never counts there, or measures the same everywhere.
        """
        problems, ready = [], []
        for index, (rule, values) in enumerate(
            zip(self._rules, self.measure(turns).T, strict=True)
        ):
            counted = values[~np.isnan(values)]
            if rule.standardised:
                ready.append(rule)
            elif len(counted) < 2 or not (deviation := float(counted.std())) > 0:
                problems.append(Problem(_no_deviation(index, counted, len(turns))))
            else:
                known = {"mean": float(counted.mean()), "deviation": deviation}
                ready.append(rule.model_copy(update=known))
        if problems:
            raise InputError(problems)
        return tuple(ready)

    def _values(
        self, rule: RewardRule, said: Sequence[str], turns: Sequence[SeatTurn]
    ) -> Floats | list[float]:
        if rule.measure == "lexical":
            pattern = compile_pattern(rule.pattern)
            try:
                return [
                    float(bool(pattern.search(words, timeout=PATTERN_TIMEOUT_S))) for words in said
                ]
            except TimeoutError:
                raise InputError(
                    f"reward.rules: {rule.pattern!r} took longer than {PATTERN_TIMEOUT_S} s on one"
                    " utterance; make it simpler"
                ) from None
        goals = [turn.goal if rule.measure == "goal" else rule.text for turn in turns]
        self._read([*said, *goals])
        # an act without words is like nothing
        return [
            float(self._vectors[words] @ self._vectors[goal]) if words.strip() else 0.0
            for words, goal in zip(said, goals, strict=True)
        ]

    def _read(self, texts: Sequence[str]) -> None:
        new = sorted({text for text in texts if text.strip() and text not in self._vectors})
        if new:
            vectors = np.asarray(self._embed(new), dtype=np.float64)
            self._vectors.update(zip(new, vectors, strict=True))


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
