"""Rules of a reward: what is measured on an utterance, and when it counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from simworld.core.checks import PATTERN_TIMEOUT_S
from simworld.core.errors import InputError, Problem
from simworld.core.safe_patterns import PatternError, compile_pattern
from simworld.training.data.seat_turns import SeatTurn, asks


def _check_pattern(value: str) -> str:
    try:
        compile_pattern(value)
    except PatternError as error:
        raise ValueError(str(error)) from None
    return value


Pattern = Annotated[str, AfterValidator(_check_pattern)]  # a regular expression that compiles


def found_in(pattern: str, text: str, where: str = "reward.pattern") -> bool:
    """Whether a pattern, the one of a key, is found in a text. Raises InputError where it takes too
    long.
    """
    try:
        return bool(compile_pattern(pattern).search(text, timeout=PATTERN_TIMEOUT_S))
    except TimeoutError:
        raise InputError(
            f"{where}: {pattern!r} took longer than {PATTERN_TIMEOUT_S} s on one utterance;"
            " make it simpler"
        ) from None


def check_measure_fields(
    settings: BaseModel, measure: str, measure_by_field: Mapping[str, str]
) -> None:
    """Raises ValueError for a field that the measure needs and that is empty, or that another
    measure needs and that is given.
    """
    for field, needing in measure_by_field.items():
        if bool(getattr(settings, field)) != (measure == needing):
            raise ValueError(f"measure {needing!r} and only it needs {field!r}")


class RuleCondition(BaseModel):
    """When a rule counts; what is left out does not restrict."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    turns: Literal["first_half", "second_half"] | None = Field(
        default=None, description="By the episode's turn limit."
    )
    partner_asks: bool | None = Field(
        default=None,
        description="Whether the last words that the seat heard hold a question mark.",
    )
    kind: tuple[str, ...] = Field(default=(), description="Of the scenario: bargaining, repair, …")
    after_own: Literal["asks", "states", "asked"] | None = Field(
        default=None,
        description=(
            "asks, states: whether the seat's own words before hold a question mark, not at its"
            " first; asked: once any of its own words did"
        ),
    )

    after_own_says: Pattern = Field(
        default="",
        description="A regular expression that is found in the seat's own words just before.",
    )

    @model_serializer(mode="wrap")
    def _without_pattern(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leaves the pattern out where there is none: rules keep their hashes."""
        content: dict[str, Any] = serialize(self)
        if not self.after_own_says:
            content.pop("after_own_says", None)
        return content

    def holds(self, turn: SeatTurn) -> bool:
        """Whether it holds where the seat acts. Raises InputError where the pattern takes too
        long.
        """
        if self.after_own_says and not found_in(
            self.after_own_says, turn.own_before, "reward.rules: after_own_says"
        ):
            return False
        if self.turns is not None and turn.in_first_half != (self.turns == "first_half"):
            return False
        if self.partner_asks is not None and (
            not turn.heard or asks(turn.heard) != self.partner_asks
        ):
            return False
        if self.kind and turn.scenario_kind not in self.kind:
            return False
        if self.after_own == "asked":
            return turn.has_asked
        return self.after_own is None or (
            bool(turn.own_before) and asks(turn.own_before) == (self.after_own == "asks")
        )


class RewardRule(BaseModel):
    """One rule: a number measured on words, in deviations from its mean on unsteered replies, times
    a weight; 0 where the rule does not count.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    of: Literal["self", "partner_next"] = Field(
        default="self",
        description="Whose words: the seat's own, or what the partner says next (0 where nothing).",
    )
    when: RuleCondition = RuleCondition()
    measure: Literal["lexical", "embedding", "goal"] = Field(
        description=(
            "lexical: 1 where `pattern` is found; embedding: likeness to `text`; goal: likeness to"
            " the seat's own goal"
        )
    )
    pattern: Pattern = Field(default="", description="lexical: a regular expression, searched")
    text: str = Field(default="", description="embedding: what words should be like")
    weight: float = Field(
        default=1.0, allow_inf_nan=False, description="Below 0 the rule punishes."
    )
    mean: float | None = Field(
        default=None,
        allow_inf_nan=False,
        description="Of unsteered replies where the rule counts; `learn` measures it.",
    )
    deviation: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="Likewise, from that mean."
    )

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        check_measure_fields(self, self.measure, {"pattern": "lexical", "text": "embedding"})
        if self.weight == 0:
            raise ValueError("a rule of weight 0 rewards nothing; remove it")
        if (self.mean is None) != (self.deviation is None):
            raise ValueError("mean and deviation go together; give both or neither")
        return self

    @property
    def standardised(self) -> bool:
        """Whether mean and deviation are known."""
        return self.mean is not None

    def words(self, turn: SeatTurn) -> str | None:
        """What is measured; None where the rule does not count."""
        if not self.when.holds(turn):
            return None
        return turn.text if self.of == "self" else turn.answer


def check_standardised(rules: Sequence[RewardRule]) -> None:
    """Raises InputError for every rule of which nobody has measured what is usual."""
    problems = [
        Problem(
            message=f"reward.rules.{number}: its `mean` and `deviation` on unsteered replies are"
            " not known; `simworld learn` measures them, or give both"
        )
        for number, rule in enumerate(rules)
        if not rule.standardised
    ]
    if problems:
        raise InputError(problems)
