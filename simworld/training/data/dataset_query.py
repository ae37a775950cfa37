"""A query says which acts of the store make a dataset, and what they are rewarded for."""

from __future__ import annotations

import hashlib
from typing import Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator, model_validator

from simworld.core.safe_patterns import PatternError, compile_pattern
from store import TraceQuery

RewardPlacement = Literal["end", "uniform", "attributed", "prefixes", "utterance"]
DATASET_FORMAT = "d3"  # changes when the same query on the same store would give other files


class RewardSettings(BaseModel):
    """What is rewarded, and where."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    measure: Literal["judged", "lexical", "embedding"] = Field(
        default="judged",
        description=(
            "judged: a judge's verdicts; lexical: utterances that match `pattern`; embedding:"
            " likeness to `text`"
        ),
    )
    place: RewardPlacement | None = Field(
        default=None,
        description=(
            "end, uniform; judged also: attributed, prefixes; lexical and embedding also:"
            " utterance. Default: end if judged, else utterance"
        ),
    )
    weights: dict[str, float] = Field(
        default_factory=dict,
        description="judged: dimension → weight, others 0; default: the rubric's weights",
    )
    centre: bool = Field(default=True, description="take off the mean score of the family")
    pattern: str = Field(
        default="", description="lexical: a regular expression, searched in each utterance"
    )
    text: str = Field(default="", description="embedding: what utterances should be like")

    @property
    def placement(self) -> RewardPlacement:
        """Where the score goes, the default filled in."""
        return self.place or ("end" if self.measure == "judged" else "utterance")

    @property
    def by_act(self) -> bool:
        """Whether it tells the acts of a seat in an episode apart."""
        return self.placement not in ("end", "uniform")

    @property
    def attribution(self) -> Literal["attributed", "prefixes"] | None:
        """The method by which a judge must have told what utterances were worth, if the reward
        needs that.
        """
        return self.place if self.place in ("attributed", "prefixes") else None

    @field_validator("weights")
    @classmethod
    def _check_weights(cls, value: dict[str, float]) -> dict[str, float]:
        if any(not 0 <= weight < float("inf") for weight in value.values()):
            raise ValueError("weights are finite numbers of at least 0")
        if value and not sum(value.values()):
            raise ValueError("at least one weight is above 0")
        return value

    @field_validator("pattern")
    @classmethod
    def _check_pattern(cls, value: str) -> str:
        try:
            compile_pattern(value)
        except PatternError as error:
            raise ValueError(str(error)) from None
        return value

    @model_validator(mode="after")
    def _check_combination(self) -> Self:
        placements: dict[str, tuple[RewardPlacement, ...]] = {
            "judged": ("end", "uniform", "attributed", "prefixes")
        }
        allowed = placements.get(self.measure, ("utterance", "end", "uniform"))
        if self.placement not in allowed:
            raise ValueError(
                f"place {self.placement!r} does not go with {self.measure!r}; expected"
                f" {', '.join(allowed)}"
            )
        for field, measure in (("pattern", "lexical"), ("text", "embedding")):
            if bool(getattr(self, field)) != (self.measure == measure):
                raise ValueError(f"measure {measure!r} and only it needs {field!r}")
        if self.weights and self.measure != "judged":
            raise ValueError(
                f"weights are for judged dimensions; measure {self.measure!r} has none"
            )
        return self


class DataQuery(BaseModel):
    """Which steered acts make a dataset. What is left out does not restrict; failed episodes are
    always left out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    runs: tuple[str, ...] = Field(default=(), description="names of runs")
    agents: tuple[str, ...] = Field(
        default=(), description="names or ids of the agents whose acts are taken"
    )
    scenarios: tuple[str, ...] = Field(default=(), description="names or ids")
    families: tuple[str, ...] = Field(default=(), description="names")
    since: AwareDatetime | None = Field(
        default=None, description="episodes that ended then or later"
    )
    until: AwareDatetime | None = Field(default=None, description="episodes that ended before then")
    encoders: tuple[str, ...] = Field(
        default=(), description="ids of what made the states, or their beginnings"
    )
    planners: tuple[str, ...] = Field(
        default=(), description="ids of what made the actions, or their beginnings"
    )
    judges: tuple[str, ...] = Field(
        default=(),
        description="names or ids, needed where several have judged; samples are averaged",
    )
    mix_judges: bool = Field(
        default=False, description="average over all judges that fit, although they share no scale"
    )
    states_only: bool = Field(
        default=False, description="also acts without an action, and no rewards: to look at"
    )
    reward: RewardSettings = Field(default_factory=RewardSettings)

    def trace_query(self) -> TraceQuery:
        """Gives the part of the query that the store answers."""
        names = TraceQuery.__dataclass_fields__
        return TraceQuery(**{name: getattr(self, name) for name in names})

    def to_json(self) -> dict[str, Any]:
        """Gives the query as plain JSON data, defaults left out."""
        return self.model_dump(mode="json", exclude_defaults=True)

    def dataset_key(self, fingerprint: str) -> str:
        """Names the dataset that this query makes of a store's content: 16 hex digits."""
        text = f"{DATASET_FORMAT}\n{self.model_dump_json()}\n{fingerprint}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]
