"""The id of an agent: the hash of everything that shapes what it says."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from agents.agent_kinds import ExtensionSpec
from agents.agent_spec import LoadedSpec
from agents.kind_specs import LMSpec, ScriptedSpec
from agents.lm.server.address import is_server_model
from agents.lm.server.options import drop_unhashed_fields
from agents.steering.named_ways import named_ways, ways_to_json
from simworld.core.requests import ModelInfo

AGENT_ID_VERSION = "a1"


def agent_id_of(loaded: LoadedSpec, info: ModelInfo | None = None) -> str:
    """`a1-` and 128 bits of the SHA-256 of the resolved content: model, prompt and sampling, but no
    name or description.
    """
    text = json.dumps(agent_content(loaded, info), sort_keys=True, ensure_ascii=False)
    return f"{AGENT_ID_VERSION}-{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def stored_agent_spec(loaded: LoadedSpec, info: ModelInfo | None = None) -> dict[str, Any]:
    """What a database keeps of an agent: its content, and beside it the ways that its planner
    knows, in words, so that its actions can be told wherever the planner's folder is.
    """
    spec = agent_content(loaded, info)
    if loaded.planner is not None and "steering" in spec:
        ways = named_ways(loaded.planner.info, loaded.planner.arrays)
        if ways:
            spec["steering"] = {**spec["steering"], "ways": ways_to_json(ways)}
    return spec


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
    if isinstance(spec, ExtensionSpec):
        content = drop_unhashed_fields(content)
        if not spec.model:
            del content["model"], content["dtype"]
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
