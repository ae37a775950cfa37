"""What a planner checkpoint says about itself: the content of its `planner.json`, readable without
torch.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, field_validator

from agents.steering.projection import Projection
from simworld.core.requests import Position

FORMAT: Final = "p2"
MAX_WAY_CHARACTERS = 300  # of the description of a way
Size = Annotated[int, Field(ge=1, le=1_000_000)]


class _InfoPart(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class EncoderInfo(_InfoPart):
    """What turns a dialogue into a state: the language model itself, or a sentence encoder over the
    visible dialogue.
    """

    kind: Literal["lm", "text"]
    id: str = Field(
        min_length=1, description="Content hash; states of two encoders are never mixed."
    )
    model: str = Field(
        default="", description="text: which sentence encoder, as builtin:NAME or hf:FOLDER."
    )


class ActorInfo(_InfoPart):
    """The shape of the planner's network."""

    hidden: tuple[Size, ...] = Field(max_length=64)
    projection: Projection
    radius: PositiveFloat | None = Field(
        default=None, description="How far from its centre it acts; default: anywhere."
    )


class GivenId(_InfoPart):
    """The id of a checkpoint of the first format. It is kept because part of what it hashed is no
    longer stored.
    """

    id: str = Field(pattern=r"^p1-[0-9a-f]{32}$")
    content: str = Field(
        pattern=r"^p2-[0-9a-f]{32}$", description="The hash of the content that it belongs to."
    )


class CheckpointInfo(_InfoPart):
    """All of a checkpoint but its tensors. It has an actor, or a constant action, or blind actions,
    or none of them: an up-mapping to explore with.
    """

    format: Literal["p1", "p2"] = Field(
        default=FORMAT,
        description=(
            "How its id is made: p1 hashes `data` and `parent` too, p2 what it was taught alone."
        ),
    )
    lm_id: str = Field(min_length=1, description="Content hash of the language model it fits.")
    lm_spec: str = Field(description="That model as the trainer named it; for people.")
    dtype: str = Field(
        description="The model's dtype in what it was made from: float32 or bfloat16."
    )
    width: Size = Field(description="d_model of the language model.")
    position: Position = Field(description="Where the prefix goes.")
    encoder: EncoderInfo
    d_state: Size = Field(
        description="d_s; with an LM encoder the width and the share of turns left."
    )
    d_action: Size = Field(description="d'.")
    tokens: Size = Field(description="L, the number of prefix embeddings.")
    act_norm: PositiveFloat
    embedding_norm: PositiveFloat = Field(description="Mean norm of the model's token embeddings.")
    upmap: Literal["pca", "cloned", "latent"] = Field(description="How the up-mapping was made.")
    actor: ActorInfo | None = None
    constant: bool = Field(
        default=False, description="Whether it always takes one and the same action."
    )
    blind: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="Actions for other dialogues, each with its share of turns left, to draw from.",
    )
    ways: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="Actions that it knows as ways of replying, to try.",
    )
    way_words: tuple[Annotated[str, Field(max_length=MAX_WAY_CHARACTERS)], ...] = Field(
        default=(), description="What is said in each of the ways, for people; empty: not known."
    )
    data: dict[str, Any] = Field(
        default_factory=dict, description="What it was trained on: query, rows, sha256."
    )
    metrics: dict[str, float] = Field(default_factory=dict)
    parent: str = Field(
        default="", description="The id of the checkpoint it was made from; empty if there is none."
    )
    prompt_version: str = Field(
        default="", description="Of the prompt it was trained with; empty: of none."
    )
    given: GivenId | None = None

    @field_validator("data")
    @classmethod
    def _plain(cls, value: dict[str, Any]) -> dict[str, Any]:
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            raise ValueError(
                "holds something that is not plain JSON, or a number of thousands of digits"
            ) from None
        return value

    @property
    def has_policy(self) -> bool:
        """Whether it says what to do; an up-mapping alone does not."""
        return self.actor is not None or self.constant or self.blind > 0

    def derived(self, **changes: Any) -> CheckpointInfo:
        """The info of a checkpoint that is made from this one: of the newest format, and with an id
        of its own. Another policy takes the place of blind actions.
        """
        if changes.keys() & {"actor", "constant"}:
            changes = {"blind": 0, **changes}
        return self.model_copy(update={"format": FORMAT, "given": None, **changes})
