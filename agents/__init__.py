"""Who speaks: agent specs, agents, and the models that answer them."""

from agents.agent_id import agent_content, agent_id_of, stored_agent_spec
from agents.agent_kinds import AgentKind, AgentParts, ExtensionSpec, asks_model
from agents.agent_spec import (
    LoadedSpec,
    agent_json_schema,
    agent_schema_text,
    complete_spec,
    find_library_checkpoint,
    find_specs,
    library_agent_names,
    library_planner,
    load_spec,
)
from agents.factory import backend_key, make_agent, model_key
from agents.human import MODEL as HUMAN_MODEL
from agents.human import TerminalBackend
from agents.kind_specs import HumanSpec, LMSpec, ScriptedSpec
from agents.lm_agent import LMAgent
from agents.scripted import ScriptedAgent

__simworld__ = True  # the name fence looks for this mark: simworld/name_clash_check.py

__all__ = [
    "HUMAN_MODEL",
    "AgentKind",
    "AgentParts",
    "ExtensionSpec",
    "HumanSpec",
    "LMAgent",
    "LMSpec",
    "LoadedSpec",
    "ScriptedAgent",
    "ScriptedSpec",
    "TerminalBackend",
    "agent_content",
    "agent_id_of",
    "agent_json_schema",
    "agent_schema_text",
    "asks_model",
    "backend_key",
    "complete_spec",
    "find_library_checkpoint",
    "find_specs",
    "library_agent_names",
    "library_planner",
    "load_spec",
    "make_agent",
    "model_key",
    "stored_agent_spec",
]
