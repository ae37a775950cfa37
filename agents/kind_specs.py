"""What an agent's file says, for each kind of agent that is built in."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from agents.lm.server.address import is_server_model, parse_address
from agents.lm.server.options import ServerFields
from agents.steering.steering_spec import SteeringSpec
from simworld.core.errors import ModelError
from simworld.core.requests import Sampling
from simworld.extensions import installed_extensions
from simworld.yamlfile import describe_value

_NAME_PATTERN = re.compile(r"^[a-z0-9][a-z0-9._-]*$")
MODEL_PATTERN = re.compile(r"^(builtin|hf|openai):.+$")


class SamplingSpec(BaseModel):
    """How tokens are drawn."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature: float = Field(default=0.8, ge=0, le=5, description="0 is greedy.")
    top_k: int = Field(default=40, ge=0, description="Keep the k likeliest tokens; 0 keeps all.")
    top_p: float = Field(
        default=1.0, gt=0, le=1, description="Keep the likeliest tokens of this total probability."
    )
    min_p: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Keep tokens of at least this share of the likeliest one's.",
    )
    repetition_penalty: float = Field(
        default=1.0, ge=1, le=3, description="Above 1, tokens already seen are less likely."
    )
    max_new_tokens: int = Field(
        default=48, ge=1, le=65536, description="A reply is cut here, thoughts included."
    )

    def to_sampling(self) -> Sampling:
        """The settings as the core's record."""
        return Sampling(**self.model_dump())


class NamedSpec(BaseModel):
    """What every agent's file says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(
        json_schema_extra={"pattern": _NAME_PATTERN.pattern},
        description="Lower-case letters, digits, dots and dashes.",
    )
    description: str = Field(default="", description="For people; changes nothing.")

    @field_validator("name")
    @classmethod
    def _name(cls, name: str) -> str:
        if not _NAME_PATTERN.search(name):
            raise ValueError(
                "expected small letters, digits, dots, dashes and _, like 'haggler', found"
                f" {describe_value(name)}"
            )
        return name


def _is_of_extension(model: str) -> bool:
    prefix, _, name = model.partition(":")
    installed = {each.name for each in installed_extensions("simworld.backends")}
    return bool(name) and prefix in installed


def check_model_form(model: str) -> None:
    """Raises ValueError for a text that can name no model; nothing is looked at."""
    if not MODEL_PATTERN.search(model) and not _is_of_extension(model):
        raise ValueError(
            "expected builtin:NAME, hf:FOLDER, hf:HUB-ID or openai:MODEL@URL, found"
            f" {describe_value(model)}"
        )
    if is_server_model(model):
        try:
            parse_address(model)
        except ModelError as error:
            raise ValueError(str(error)) from None


class LMSpec(ServerFields, NamedSpec):
    """An agent played by a language model."""

    kind: Literal["lm"] = "lm"
    model: str = Field(
        description=(
            "builtin:<name>, hf:<hub id or folder>, openai:<model>@<base url>, or openai:<model> at"
            " OpenAI itself."
        ),
        json_schema_extra={"pattern": MODEL_PATTERN.pattern},
    )
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto", description="Weights' type of a local model."
    )
    prompt: str = Field(
        default="script",
        description=(
            "A prompt of the library (chat-2, script-2, chat, script) or a YAML file beside this."
        ),
    )
    sampling: SamplingSpec = Field(default_factory=SamplingSpec)
    reasks: int = Field(
        default=2,
        ge=0,
        le=10,
        description="How often an unusable or repeated reply is asked for again.",
    )
    max_similarity: float = Field(
        default=0.6,
        gt=0,
        le=1,
        description=(
            "A line is a repeat when this share of its word pairs stands in an earlier line; 1"
            " switches this off."
        ),
    )

    steering: SteeringSpec | None = Field(
        default=None, description="Steer it by a planner; local models only."
    )
    record_states: bool = Field(
        default=False,
        description="Store the model's state at each turn, to look at; local models only.",
    )

    @field_validator("model")
    @classmethod
    def _model(cls, model: str) -> str:
        check_model_form(model)
        return model


class ScriptedSpec(NamedSpec):
    """An agent that says fixed lines."""

    kind: Literal["scripted"]
    lines: tuple[str, ...] = Field(
        min_length=1, description="One per turn; [nods] is non-verbal, [leaves] leaves."
    )
    order: Literal["written", "drawn"] = Field(
        default="written",
        description="drawn: each episode has an order of its own, drawn by its seed.",
    )
    after: Literal["none", "leave", "repeat"] = Field(
        default="none", description="What follows the last line."
    )


class HumanSpec(NamedSpec):
    """A person at the terminal."""

    kind: Literal["human"]
