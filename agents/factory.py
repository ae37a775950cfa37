"""From a spec to an agent: its id is the hash of everything that shapes what it says."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from agents.agent_spec import LMSpec, LoadedSpec, ScriptedSpec
from agents.human import HumanAgent
from agents.lm.server.address import is_server_model
from agents.lm.server.options import ServerFields, drop_unhashed_fields
from agents.lm_agent import LMAgent
from agents.scripted import ScriptedAgent
from simworld.core.episode import ActionKind
from simworld.core.protocols import Agent
from simworld.core.requests import ModelInfo

if TYPE_CHECKING:
    from agents.steering.steering import Steering

AGENT_ID_VERSION = "a1"


def make_agent(loaded: LoadedSpec, info: ModelInfo | None = None) -> Agent:
    """The agent of a spec. `info` describes the loaded model of an LM agent.

    Raises:
        ValueError: an LM agent without `info`.
        InputError: a planner that was made for another model.
        ModelError: a planner whose sentence encoder cannot be loaded.
    """
    spec = loaded.spec
    agent_id = agent_id_of(loaded, info)
    if isinstance(spec, LMSpec):
        if info is None or loaded.template is None:
            raise ValueError(f"agent {spec.name!r} needs its model and its prompt")
        return LMAgent(
            id=agent_id,
            model=model_key(spec),
            info=info,
            template=loaded.template,
            sampling=spec.sampling.to_sampling(),
            reasks=spec.reasks,
            max_similarity=spec.max_similarity,
            steering=_build_steering(loaded, spec, info),
        )
    if isinstance(spec, ScriptedSpec):
        after = None if spec.after == "repeat" else ActionKind(spec.after)
        drawn = spec.order == "drawn"
        return ScriptedAgent(agent_id=agent_id, lines=spec.lines, after=after, drawn=drawn)
    return HumanAgent(agent_id=agent_id)


def _build_steering(loaded: LoadedSpec, spec: LMSpec, info: ModelInfo) -> Steering | None:
    if loaded.template is None or not (spec.steering or spec.record_states):
        return None
    # torch, which unsteered agents and `agent check` do without
    from agents.steering.make_steering import make_state_recording, make_steering

    if spec.steering is None or loaded.planner is None:
        return make_state_recording(info, loaded.template.version)
    return make_steering(spec.steering, loaded.planner, info, loaded.template.version)


def model_key(spec: LMSpec) -> str:
    """Which backend answers an LM agent: agents of one model, dtype and way of asking its server
    share one.
    """
    return backend_key(spec.model, spec.dtype, spec)


def backend_key(model: str, dtype: str, fields: ServerFields) -> str:
    """The key of a backend among those of loaded agents, for agents and judges alike."""
    return f"{model}#{dtype}#{asked}" if (asked := fields.backend_key()) else f"{model}#{dtype}"


def agent_id_of(loaded: LoadedSpec, info: ModelInfo | None = None) -> str:
    """`a1-` and 128 bits of the SHA-256 of the resolved content: model, prompt and sampling, but no
    name or description.
    """
    text = json.dumps(agent_content(loaded, info), sort_keys=True, ensure_ascii=False)
    return f"{AGENT_ID_VERSION}-{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def agent_content(loaded: LoadedSpec, info: ModelInfo | None = None) -> dict[str, Any]:
    """The resolved spec as plain JSON data, with the model's content id and the prompt's text in
    place of their names.
    """
    spec = loaded.spec
    content = spec.model_dump(mode="json", exclude={"name", "description"})
    if isinstance(spec, LMSpec):
        content = drop_unhashed_fields(content)
        # Left out where unused, so that plain agents keep the ids they had.
        del content["steering"]
        if not spec.record_states:
            del content["record_states"]
        if spec.steering is not None and loaded.planner is not None:
            content["steering"] = spec.steering.content(loaded.planner)
    if isinstance(spec, ScriptedSpec) and spec.order == "written":
        del content["order"]
    if info is not None:
        content["model_id"] = info.id
        # A local model is its content, wherever it lies; a server is known by its address alone.
        if info.id and not is_server_model(info.spec):
            del content["model"]
    if loaded.template is not None:
        content["prompt"] = loaded.template.model_dump(mode="json")
    return content
