"""A query says which acts of the store make a dataset, and what they are rewarded for."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from agents.steering.state_encoders import LINES_PREFIX
from simworld.extensions import (
    ExtensionTable,
    check_pin,
    check_settings,
    drop_extension_fields,
    extension_name,
    pin_field,
    settings_field,
)
from simworld.training.data.reward_rules import Pattern, RewardRule, check_measure_fields
from store import TraceQuery

RewardPlacement = Literal["end", "uniform", "attributed", "prefixes", "utterance"]
BUILTIN_REWARDS = ("judged", "lexical", "embedding", "rules")
DATASET_FORMAT = "d3"  # changes when the same query on the same store would give other files


def _reward_kinds() -> ExtensionTable[Any]:
    from simworld.training.data.reward_kinds import REWARD_KINDS  # they are made of settings

    return REWARD_KINDS


def _states_can_be_made(spec: str) -> str:
    if spec and not spec.startswith(LINES_PREFIX):
        raise ValueError(
            f"{spec!r}: states are made anew by {LINES_PREFIX}builtin:all-minilm-l6-v2, or"
            f" {LINES_PREFIX}hf: and a folder"
        )
    return spec


# the spec of what makes states anew from the words; empty: they are those that were stored
RemadeStates = Annotated[str, AfterValidator(_states_can_be_made)]


class RewardSettings(BaseModel):
    """What is rewarded, and where."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    measure: Annotated[str, *extension_name(_reward_kinds, BUILTIN_REWARDS)] = Field(
        default="judged",
        description=(
            "judged: a judge's verdicts; lexical: utterances that match `pattern`; embedding:"
            " likeness to `text`; rules: the sum of `rules`, which say it by themselves; or an"
            " installed extension's name, with its `settings`"
        ),
    )
    place: RewardPlacement | None = Field(
        default=None,
        description=(
            "end, uniform; judged also: attributed, prefixes; all others also: utterance. Default:"
            " end if judged, else utterance"
        ),
    )
    weights: dict[str, float] = Field(
        default_factory=dict,
        description="judged: dimension → weight, others 0; default: the rubric's weights",
    )
    centre: bool = Field(default=True, description="take off the mean score of the family")
    pattern: Pattern = Field(
        default="", description="lexical: a regular expression, searched in each utterance"
    )
    text: str = Field(default="", description="embedding: what utterances should be like")
    rules: tuple[RewardRule, ...] = Field(
        default=(),
        description="What pays when; each is measured in deviations of unsteered replies.",
    )
    settings: Any = settings_field()
    extension: str = pin_field()

    _settings = field_validator("settings", mode="before")(check_settings(_reward_kinds, "measure"))
    _pin = field_validator("extension")(check_pin(_reward_kinds, "measure"))

    @model_serializer(mode="wrap")
    def _without_rules(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leaves out rules and an extension where there are none: other rewards keep their
        hashes.
        """
        content: dict[str, Any] = serialize(self)
        if not self.rules:
            content.pop("rules", None)
        return drop_extension_fields(content)

    @property
    def placement(self) -> RewardPlacement:
        """Where the score goes, the default filled in."""
        return self.place or ("end" if self.measure == "judged" else "utterance")

    @property
    def measures(self) -> tuple[str, ...]:
        """What an evaluation compares by: the whole, and each rule by its number from 1."""
        return (self.measure, *(f"rule {number + 1}" for number in range(len(self.rules))))

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

    @model_validator(mode="after")
    def _check_combination(self) -> Self:
        if self.rules and "measure" not in self.model_fields_set:
            object.__setattr__(self, "measure", "rules")
        placements: dict[str, tuple[RewardPlacement, ...]] = {
            "judged": ("end", "uniform", "attributed", "prefixes")
        }
        allowed = placements.get(self.measure, ("utterance", "end", "uniform"))
        if self.placement not in allowed:
            raise ValueError(
                f"place {self.placement!r} does not go with {self.measure!r}; expected"
                f" {', '.join(allowed)}"
            )
        fields = {"pattern": "lexical", "text": "embedding", "rules": "rules"}
        check_measure_fields(self, self.measure, fields)
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
    states: RemadeStates = Field(
        default="",
        description=(
            "what makes the states anew, from the words: `lines:` and a sentence encoder; default:"
            " the states that were stored"
        ),
    )

    @model_serializer(mode="wrap")
    def _without_states(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leaves the states out where they are the stored ones: datasets keep their keys."""
        content: dict[str, Any] = serialize(self)
        if not self.states:
            content.pop("states", None)
        return content

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
