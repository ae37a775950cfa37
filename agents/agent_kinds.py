"""Which kinds of agents there are: one table, with what a file says of each and what makes one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, TypeGuard, TypeVar

from pydantic import BaseModel, Field, field_validator

from agents.human import HumanAgent
from agents.kind_specs import HumanSpec, LMSpec, NamedSpec, ScriptedSpec, check_model_form
from agents.lm.server.options import ServerFields
from agents.lm_agent import LMAgent
from agents.prompting import PromptTemplate
from agents.scripted import ScriptedAgent
from agents.steering.checkpoint_folder import PlannerFolder
from simworld.core.episode import ActionKind
from simworld.core.protocols import Agent
from simworld.core.requests import ModelInfo
from simworld.extensions import (
    ExtensionTable,
    check_pin,
    check_settings,
    extension_name,
    pin_field,
    settings_field,
)

if TYPE_CHECKING:
    from agents.steering.steering import Steering

S = TypeVar("S", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentParts:
    """What an agent is made of besides its settings."""

    id: str  # the hash of everything that shapes what it says: its `id`
    model: str  # which backend answers it: its `model`; empty where its file names none
    info: ModelInfo | None  # the model's; None where its file names none
    template: PromptTemplate | None = None  # of the built-in LM agents
    planner: PlannerFolder | None = None  # likewise, where they are steered


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentKind(Generic[S]):
    """A kind of agent: what an entry point of `simworld.agents` is."""

    settings: type[S]  # of the key `settings`; of a built-in kind, the whole file
    make: Callable[[S, AgentParts], Agent]


def _make_lm_agent(spec: LMSpec, parts: AgentParts) -> Agent:
    if parts.info is None or parts.template is None:
        raise ValueError(f"agent {spec.name!r} needs its model and its prompt")
    return LMAgent(
        id=parts.id,
        model=parts.model,
        info=parts.info,
        template=parts.template,
        sampling=spec.sampling.to_sampling(),
        reasks=spec.reasks,
        max_similarity=spec.max_similarity,
        steering=_make_steering(spec, parts.info, parts.template, parts.planner),
    )


def _make_steering(
    spec: LMSpec, info: ModelInfo, template: PromptTemplate, planner: PlannerFolder | None
) -> Steering | None:
    if not (spec.steering or spec.record_states):
        return None
    # torch, which unsteered agents and `agent check` do without
    from agents.steering.make_steering import make_state_recording, make_steering

    if spec.steering is None or planner is None:
        return make_state_recording(info, template.version)
    return make_steering(spec.steering, planner, info, template.version)


def _make_scripted_agent(spec: ScriptedSpec, parts: AgentParts) -> Agent:
    after = None if spec.after == "repeat" else ActionKind(spec.after)
    drawn = spec.order == "drawn"
    return ScriptedAgent(agent_id=parts.id, lines=spec.lines, after=after, drawn=drawn)


def _make_human_agent(spec: HumanSpec, parts: AgentParts) -> Agent:
    return HumanAgent(agent_id=parts.id)


AGENT_KINDS: ExtensionTable[AgentKind[Any]] = ExtensionTable(
    group="simworld.agents",
    what="agent kind",
    declaration=AgentKind,
    builtin={
        "lm": AgentKind(settings=LMSpec, make=_make_lm_agent),
        "scripted": AgentKind(settings=ScriptedSpec, make=_make_scripted_agent),
        "human": AgentKind(settings=HumanSpec, make=_make_human_agent),
    },
)


class ExtensionSpec(ServerFields, NamedSpec):
    """An agent of another package; its settings are those of its kind."""

    kind: Annotated[str, *extension_name(lambda: AGENT_KINDS, ())] = Field(
        json_schema_extra={"not": {"enum": list(AGENT_KINDS.builtin)}}
    )
    model: str = Field(default="", description="Of a language model that it asks, if it asks one.")
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto", description="Weights' type of a local model."
    )
    settings: Any = settings_field()
    extension: str = pin_field()

    _settings = field_validator("settings", mode="before")(
        check_settings(lambda: AGENT_KINDS, "kind")
    )
    _pin = field_validator("extension")(check_pin(lambda: AGENT_KINDS, "kind"))

    @field_validator("model")
    @classmethod
    def _model(cls, model: str) -> str:
        if model:
            check_model_form(model)
        return model


AgentSpec = LMSpec | ScriptedSpec | HumanSpec | ExtensionSpec


def asks_model(spec: AgentSpec) -> TypeGuard[LMSpec | ExtensionSpec]:
    """Whether a backend must be loaded for an agent."""
    return isinstance(spec, LMSpec) or (isinstance(spec, ExtensionSpec) and bool(spec.model))
