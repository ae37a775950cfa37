"""Agent specs: the YAML that says who plays a seat, and where specs and prompts are found.

A name is looked up beside the file that names it, then in the working folder (also in its
`agents/`), then in the library.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel, field_validator

from agents.lm.load import check_spec
from agents.lm.server.address import read_address
from agents.lm.server.options import ServerFields
from agents.prompting import PROMPTS, PromptTemplate
from agents.steering.checkpoint_folder import PlannerFolder
from agents.steering.steering_spec import SteeringSpec, find_planner
from simworld.core.errors import InputError, ModelError, Problem
from simworld.core.requests import Sampling
from simworld.yamlfile import (
    Document,
    describe_value,
    did_you_mean,
    did_you_mean_file,
    join_with_or,
    load_yaml,
    parse,
)
from simworld.yamlfile.json_schema import json_schema

LIBRARY = Path(__file__).parent / "library"
_NAME = re.compile(r"^[a-z0-9][a-z0-9._-]*$")
_MODEL = re.compile(r"^(builtin|hf|openai):.+$")


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

    def resolved(self) -> Sampling:
        """The settings as the core's record."""
        return Sampling(**self.model_dump())


class _Named(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(
        json_schema_extra={"pattern": _NAME.pattern},
        description="Lower-case letters, digits, dots and dashes.",
    )
    description: str = Field(default="", description="For people; changes nothing.")

    @field_validator("name")
    @classmethod
    def _name(cls, name: str) -> str:
        if not _NAME.search(name):
            raise ValueError(
                "expected small letters, digits, dots, dashes and _, like 'haggler', found"
                f" {describe_value(name)}"
            )
        return name


class LMSpec(ServerFields, _Named):
    """An agent played by a language model."""

    kind: Literal["lm"] = "lm"
    model: str = Field(
        description=(
            "builtin:<name>, hf:<hub id or folder>, openai:<model>@<base url>, or openai:<model> at"
            " OpenAI itself."
        ),
        json_schema_extra={"pattern": _MODEL.pattern},
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
        if not _MODEL.search(model):
            raise ValueError(
                "expected builtin:NAME, hf:FOLDER, hf:HUB-ID or openai:MODEL@URL, found"
                f" {describe_value(model)}"
            )
        if model.startswith("openai:"):
            try:
                read_address(model)
            except ModelError as error:
                raise ValueError(str(error)) from None
        return model


class ScriptedSpec(_Named):
    """An agent that says fixed lines in order."""

    kind: Literal["scripted"]
    lines: tuple[str, ...] = Field(
        min_length=1, description="One per turn; [nods] is non-verbal, [leaves] leaves."
    )
    after: Literal["none", "leave", "repeat"] = Field(
        default="none", description="What follows the last line."
    )


class HumanSpec(_Named):
    """A person at the terminal."""

    kind: Literal["human"]


AgentSpec = LMSpec | ScriptedSpec | HumanSpec
_KINDS: Mapping[str, type[AgentSpec]] = {"lm": LMSpec, "scripted": ScriptedSpec, "human": HumanSpec}


class AgentFile(RootModel[Annotated[AgentSpec, Field(discriminator="kind")]]):
    """One agent file, its kind decided by `kind`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedSpec:
    """A spec with the prompt it names and where both came from."""

    spec: AgentSpec
    source: Path
    template: PromptTemplate | None  # for LM agents
    template_source: Path | None
    planner: PlannerFolder | None = None  # for steered agents


def load_spec(path: Path) -> LoadedSpec:
    """The agent of a file, its prompt read. Raises InputError with every problem."""
    document = load_yaml(path)
    spec = _parse(document)
    if not isinstance(spec, LMSpec):
        return LoadedSpec(spec=spec, source=path, template=None, template_source=None)
    problems: list[Problem] = []
    template_source = template = planner = None
    try:
        template_source = _find_prompt(spec.prompt, document)
        template = parse(load_yaml(template_source), PromptTemplate)
    except InputError as error:
        problems += error.problems
    try:
        check_spec(spec.model)
    except ModelError as error:
        problems.append(document.problem(("model",), str(error)))
    if not spec.model.startswith("openai:"):
        problems += spec.local_problems(document)
    try:
        planner = _planner(spec, document)
    except InputError as error:
        problems += error.problems
    if problems:
        raise InputError(problems)
    return LoadedSpec(
        spec=spec, source=path, template=template, template_source=template_source, planner=planner
    )


def find_specs(names: Sequence[str]) -> tuple[LoadedSpec, ...]:
    """The agents of names or files, in order and with all problems at once. Raises InputError."""
    specs: list[LoadedSpec] = []
    problems: list[Problem] = []
    for name in names:
        path = _find(name, beside=Path(), library=LIBRARY)
        if path is None:
            hint = (
                did_you_mean_file(name, "agents", known=library_names())
                or f"; the library has {', '.join(library_names())}"
            )
            problems.append(
                Problem(
                    message=(
                        f"no agent {name!r}: no such file, and no such name in the library{hint}"
                    )
                )
            )
            continue
        try:
            specs.append(load_spec(path))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(dict.fromkeys(problems))
    by_name: dict[str, LoadedSpec] = {}
    for loaded in specs:
        other = by_name.setdefault(loaded.spec.name, loaded)
        if os.path.realpath(other.source) != os.path.realpath(loaded.source):
            raise InputError(
                f"two agents are named {loaded.spec.name!r}: {other.source} and {loaded.source}"
            )
    return tuple(specs)


def library_names() -> tuple[str, ...]:
    """The names of the library's agents."""
    return tuple(path.stem for path in sorted(LIBRARY.glob("*.yaml")))


def agent_json_schema() -> dict[str, Any]:
    """The JSON Schema of an agent file."""
    schema = json_schema(AgentFile)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "simworld agent",
    }


def agent_schema_text(schema: Mapping[str, Any]) -> str:
    """The schema as it is committed: indented, keys sorted, one line end at the end."""
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _parse(document: Document) -> AgentSpec:
    # By hand, where pydantic would place a wrong kind at the start of the file.
    data = document.data
    if not isinstance(data, dict) or "kind" not in data:
        return parse(document, LMSpec)  # the common kind need not be named
    kind = data["kind"]
    model = _KINDS.get(kind) if isinstance(kind, str) else None
    if model is None:
        message = (
            f"expected {join_with_or(tuple(_KINDS))}, found"
            f" {describe_value(kind)}{did_you_mean(kind, _KINDS)}"
        )
        raise InputError([document.problem(("kind",), message)])
    return parse(document, model)


def _find_prompt(name: str, document: Document) -> Path:
    beside = Path(document.name).parent
    prompt = _find(name, beside=beside, library=PROMPTS)
    if prompt is None:
        known = tuple(sorted(path.stem for path in PROMPTS.glob("*.yaml")))
        message = f"no prompt {name!r} beside this file, in the working folder or in the library"
        hint = (
            did_you_mean_file(name, "prompts", beside=beside, known=known)
            or f"; the library has {', '.join(known)}"
        )
        raise InputError([document.problem(("prompt",), message + hint)])
    return prompt


def _planner(spec: LMSpec, document: Document) -> PlannerFolder | None:
    server = spec.model.startswith("openai:")
    if server and spec.record_states:
        message = (
            "a server shows no states of its model; use a local model (builtin: or hf:), or remove"
            " this"
        )
        raise InputError([document.problem(("record_states",), message)])
    if spec.steering is None:
        return None
    if server:
        message = (
            "a server takes no prefix embeddings yet (vLLM's prompt_embeds is not there yet); use"
            " builtin: or hf:"
        )
        raise InputError([document.problem(("steering",), message)])
    return find_planner(spec.steering, document, LIBRARY)


def _find(name: str, *, beside: Path, library: Path) -> Path | None:
    path = Path(name)
    if path.suffix in {".yaml", ".yml"} or len(path.parts) > 1:
        candidates = [beside / path, path]
    else:
        file = Path(f"{name}.yaml")
        candidates = [beside / file, file, "agents" / file, library / file]
    named_a_file = path.suffix in {".yaml", ".yml"}
    # Reading a folder, a pipe or a dead link says what it is.
    return next(
        filter(_is_file, candidates), path if named_a_file and os.path.lexists(path) else None
    )


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long, a null byte, a folder that may not be read
        return False
