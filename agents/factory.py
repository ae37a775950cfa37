"""From a spec to an agent, and to the key of the backend that answers it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents.agent_id import agent_id_of
from agents.agent_spec import LMSpec, LoadedSpec, ScriptedSpec
from agents.human import HumanAgent
from agents.lm.server.options import ServerFields
from agents.lm_agent import LMAgent
from agents.scripted import ScriptedAgent
from simworld.core.episode import ActionKind
from simworld.core.protocols import Agent
from simworld.core.requests import ModelInfo

if TYPE_CHECKING:
    from agents.steering.steering import Steering


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
    return (
        f"{model}#{dtype}#{server_key}"
        if (server_key := fields.backend_key())
        else f"{model}#{dtype}"
    )
