"""What can be rewarded without a judge: one table, and what measures it on the acts of a seat."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike
from pydantic import BaseModel

from simworld.core.arrays import Floats
from simworld.core.errors import InputError, SimworldError
from simworld.extensions import ExtensionTable
from simworld.extensions.extension_table import one_line
from simworld.training.data.dataset_query import RewardSettings
from simworld.training.data.rule_rewards import RuleRewards
from simworld.training.data.seat_turns import SeatTurn, words_alone
from simworld.training.data.utterance_rewards import (
    EmbeddingReward,
    LexicalReward,
    builtin_embedder,
)

S = TypeVar("S", bound=BaseModel)
TurnMeasure = Callable[[Sequence[SeatTurn]], ArrayLike]  # a number of each act, (n,)


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardKind(Generic[S]):
    """Something that is rewarded: what an entry point of `simworld.rewards` is."""

    settings: type[S]  # of the key `settings`; of a built-in one, the whole `reward`
    # what measures; made once for a dataset or an evaluation. None: a judge does
    make: Callable[[S], TurnMeasure | None]
    # True: it reads `text` alone of each act, so that nothing else is looked up
    words_alone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ActReward:
    """What measures a reward on acts, ready to use."""

    measure: Callable[[Sequence[SeatTurn]], Floats]  # (n, columns), the whole reward first
    words_alone: bool

    def of_texts(self, texts: Iterable[str]) -> Floats:
        """Gives what it measures on texts, where it reads words alone, (n, columns)."""
        return self.measure([words_alone(text) for text in texts])


def _judged(settings: RewardSettings) -> None:
    """A judge's verdicts are no measure of acts."""


def _lexical(settings: RewardSettings) -> TurnMeasure:
    reward = LexicalReward(settings.pattern)
    return lambda turns: reward.measure([turn.text for turn in turns])


def _embedding(settings: RewardSettings) -> TurnMeasure:
    reward = EmbeddingReward(settings.text, builtin_embedder())
    return lambda turns: reward.measure([turn.text for turn in turns])


def _by_rules(settings: RewardSettings) -> TurnMeasure:
    """Its columns are the whole, and what each rule pays."""
    rules = RuleRewards(settings.rules, builtin_embedder())

    def paid(turns: Sequence[SeatTurn]) -> Floats:
        by_rule = rules.paid(turns)
        return np.column_stack((by_rule.sum(1), by_rule))

    return paid


REWARD_KINDS: ExtensionTable[RewardKind[Any]] = ExtensionTable(
    group="simworld.rewards",
    what="reward",
    declaration=RewardKind,
    builtin={
        "judged": RewardKind(settings=RewardSettings, make=_judged),
        "lexical": RewardKind(settings=RewardSettings, make=_lexical, words_alone=True),
        "embedding": RewardKind(settings=RewardSettings, make=_embedding, words_alone=True),
        "rules": RewardKind(settings=RewardSettings, make=_by_rules),
    },
)


def make_act_reward(settings: RewardSettings) -> ActReward | None:
    """Gives what measures a reward on acts; None where a judge does.

    Raises InputError, also when it measures: an extension that raises, or gives no number for each
    act.
    """
    entry = REWARD_KINDS.find(settings.measure)
    kind, where = entry.declaration, f"reward {entry.name!r} of {entry.source}"
    if not entry.identity:
        own: TurnMeasure | None = kind.make(settings)
        if own is None:
            return None
        own_measure = own

        def measure(turns: Sequence[SeatTurn]) -> Floats:
            values: Floats = np.asarray(own_measure(turns), dtype=np.float64)
            return values if values.ndim == 2 else values[:, None]

        return ActReward(measure=measure, words_alone=kind.words_alone)
    try:
        extension: Any = kind.make(settings.settings)
    except SimworldError:
        raise
    except Exception as error:  # the boundary of another package's own code
        raise InputError(f"{where} could not be made: {one_line(error)}") from None

    def measure_checked(turns: Sequence[SeatTurn]) -> Floats:
        try:
            values: Floats = np.asarray(extension(turns), dtype=np.float64)
        except SimworldError:
            raise
        except Exception as error:  # likewise
            raise InputError(f"{where} failed: {one_line(error)}") from None
        if values.shape != (len(turns),) or not np.isfinite(values).all():
            raise InputError(
                f"{where}: expected {len(turns)} finite numbers, one of each act, found an array of"
                f" shape {values.shape}" + (" with NaN or infinity" if values.size else "")
            )
        return values[:, None]

    return ActReward(measure=measure_checked, words_alone=kind.words_alone)
