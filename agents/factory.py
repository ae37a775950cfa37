"""From a spec to an agent, and to the key of the backend that answers it."""

from __future__ import annotations

from typing import Any

from agents.agent_id import agent_id_of
from agents.agent_kinds import AGENT_KINDS, AgentKind, AgentParts, ExtensionSpec, asks_model
from agents.agent_spec import LoadedSpec
from agents.kind_specs import LMSpec
from agents.lm.server.options import ServerFields
from simworld.core.errors import InputError, SimworldError
from simworld.core.protocols import Agent
from simworld.core.requests import ModelInfo
from simworld.extensions.extension_table import Entry, one_line


def make_agent(loaded: LoadedSpec, info: ModelInfo | None = None) -> Agent:
    """The agent of a spec. `info` describes the loaded model of an agent that asks one.

    Raises:
        ValueError: an LM agent without `info`.
        InputError: a planner that was made for another model; an extension that makes no agent.
        ModelError: a planner whose sentence encoder cannot be loaded.
    """
    spec = loaded.spec
    parts = AgentParts(
        id=agent_id_of(loaded, info),
        model=model_key(spec) if asks_model(spec) else "",
        info=info,
        template=loaded.template,
        planner=loaded.planner,
    )
    entry = AGENT_KINDS.find(spec.kind)
    if isinstance(spec, ExtensionSpec):
        return _make_extension(entry, spec, parts)
    agent: Agent = entry.declaration.make(spec, parts)
    return agent


def _make_extension(entry: Entry[AgentKind[Any]], spec: ExtensionSpec, parts: AgentParts) -> Agent:
    where = f"agent {spec.name!r}: kind {entry.name!r} of {entry.source}"
    try:
        agent: Agent = entry.declaration.make(spec.settings, parts)
        told = {"id": agent.id, "model": agent.model}
    except SimworldError:
        raise
    except Exception as error:  # the boundary of another package's own code
        raise InputError(f"{where} could not be made: {one_line(error)}") from None
    for name, value in told.items():
        if value != getattr(parts, name):
            raise InputError(
                f"{where} has the {name} {value!r}; expected that of its parts,"
                f" {getattr(parts, name)!r}"
            )
    return agent


def model_key(spec: LMSpec | ExtensionSpec) -> str:
    """Which backend answers an LM agent: agents of one model, dtype and way of asking its server
    share one.
    """
    return backend_key(spec.model, spec.dtype, spec)


def backend_key(model: str, dtype: str, fields: ServerFields) -> str:
    """The key of a backend among those of loaded agents, for agents and judges alike."""
    return (
        f"{model}#{dtype}#{server_key}"
        if (server_key := fields.backend_key())
        else f"{model}#{dtype}"
    )
