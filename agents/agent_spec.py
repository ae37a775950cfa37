"""Agent specs: the YAML that says who plays a seat, and where specs and prompts are found.

A name is looked up beside the file that names it, then in the working folder (also in its
`agents/`), then in the library.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel, field_validator

from agents.lm.load import check_model_spec
from agents.lm.server.address import is_server_model, parse_address
from agents.lm.server.options import ServerFields
from agents.prompting import PROMPTS_FOLDER, PromptTemplate
from agents.steering.checkpoint_folder import INFO_FILE, PlannerFolder, read_folder
from agents.steering.steering_spec import SteeringSpec, find_checkpoint_folder, find_planner
from simworld.core.errors import InputError, ModelError, Problem
from simworld.core.requests import Sampling
from simworld.yamlfile import (
    Document,
    data_document,
    describe_value,
    did_you_mean,
    did_you_mean_file,
    join_with_or,
    load_yaml,
    parse,
)
from simworld.yamlfile.json_schema import json_schema

_log = logging.getLogger(f"simworld.{__name__}")
LIBRARY_FOLDER = Path(__file__).parent / "library"
_NAME_PATTERN = re.compile(r"^[a-z0-9][a-z0-9._-]*$")
_MODEL_PATTERN = re.compile(r"^(builtin|hf|openai):.+$")


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


class _NamedSpec(BaseModel):
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


class LMSpec(ServerFields, _NamedSpec):
    """An agent played by a language model."""

    kind: Literal["lm"] = "lm"
    model: str = Field(
        description=(
            "builtin:<name>, hf:<hub id or folder>, openai:<model>@<base url>, or openai:<model> at"
            " OpenAI itself."
        ),
        json_schema_extra={"pattern": _MODEL_PATTERN.pattern},
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
        if not _MODEL_PATTERN.search(model):
            raise ValueError(
                "expected builtin:NAME, hf:FOLDER, hf:HUB-ID or openai:MODEL@URL, found"
                f" {describe_value(model)}"
            )
        if is_server_model(model):
            try:
                parse_address(model)
            except ModelError as error:
                raise ValueError(str(error)) from None
        return model


class ScriptedSpec(_NamedSpec):
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


class HumanSpec(_NamedSpec):
    """A person at the terminal."""

    kind: Literal["human"]


AgentSpec = LMSpec | ScriptedSpec | HumanSpec
_SPEC_BY_KIND: Mapping[str, type[AgentSpec]] = {
    "lm": LMSpec,
    "scripted": ScriptedSpec,
    "human": HumanSpec,
}


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
    return _complete(_parse_spec(document), document, path)


def complete_spec(spec: AgentSpec) -> LoadedSpec:
    """A spec that was made in Python, with the prompt and planner that it names, looked up in the
    working folder and in the library. Raises InputError with every problem.
    """
    with data_document(spec.model_dump(mode="json"), f"agent {spec.name!r}") as document:
        return _complete(spec, document, Path(spec.name))


def _complete(spec: AgentSpec, document: Document, source: Path) -> LoadedSpec:
    if not isinstance(spec, LMSpec):
        return LoadedSpec(spec=spec, source=source, template=None, template_source=None)
    problems: list[Problem] = []
    template_source = template = planner = None
    try:
        template_source = _find_prompt(spec.prompt, document)
        _log.debug("prompt %r of agent %r is in %s", spec.prompt, spec.name, template_source)
        template = parse(load_yaml(template_source), PromptTemplate)
    except InputError as error:
        problems += error.problems
    try:
        check_model_spec(spec.model)
    except ModelError as error:
        problems.append(document.problem(("model",), str(error)))
    if not is_server_model(spec.model):
        problems += spec.server_only_problems(document)
    try:
        planner = _find_steering_planner(spec, document)
    except InputError as error:
        problems += error.problems
    if problems:
        raise InputError(problems)
    return LoadedSpec(
        spec=spec,
        source=source,
        template=template,
        template_source=template_source,
        planner=planner,
    )


def find_specs(names: Sequence[str]) -> tuple[LoadedSpec, ...]:
    """The agents of names or files, in order and with all problems at once. Raises InputError."""
    specs: list[LoadedSpec] = []
    problems: list[Problem] = []
    for name in names:
        path = _find_file(name, beside=Path(), library=LIBRARY_FOLDER)
        if path is None:
            hint = (
                did_you_mean_file(name, "agents", known=library_agent_names())
                or f"; the library has {', '.join(library_agent_names())}"
            )
            problems.append(
                Problem(f"no agent {name!r}: no such file, and no such name in the library{hint}")
            )
            continue
        _log.info("agent %r is in %s", name, path)
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


def find_library_checkpoint(name: str) -> PlannerFolder:
    """The checkpoint of a folder in the working folder or the library. Raises InputError."""
    places = "in the working folder or the library"
    return read_folder(find_checkpoint_folder(name, (Path(),), LIBRARY_FOLDER, places=places))


def library_agent_names() -> tuple[str, ...]:
    """The names of the library's agents."""
    return tuple(path.stem for path in sorted(LIBRARY_FOLDER.glob("*.yaml")))


def library_planner(planner_id: str) -> PlannerFolder | None:
    """The library's planner of this id; None where it has none."""
    for info in sorted(LIBRARY_FOLDER.glob(f"planners/*/{INFO_FILE}")):
        try:
            planner = read_folder(info.parent)
        except InputError:  # whoever uses it is told
            continue
        if planner.id == planner_id:
            return planner
    return None


def agent_json_schema() -> dict[str, Any]:
    """The JSON Schema of an agent file."""
    return json_schema(AgentFile, "simworld agent")


def agent_schema_text(schema: Mapping[str, Any]) -> str:
    """The schema as it is committed: indented, keys sorted, one line end at the end."""
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _parse_spec(document: Document) -> AgentSpec:
    # By hand, where pydantic would place a wrong kind at the start of the file.
    data = document.data
    if not isinstance(data, dict) or "kind" not in data:
        return parse(document, LMSpec)  # the common kind need not be named
    kind = data["kind"]
    model = _SPEC_BY_KIND.get(kind) if isinstance(kind, str) else None
    if model is None:
        message = (
            f"expected {join_with_or(tuple(_SPEC_BY_KIND))}, found"
            f" {describe_value(kind)}{did_you_mean(kind, _SPEC_BY_KIND)}"
        )
        raise InputError([document.problem(("kind",), message)])
    return parse(document, model)


def _find_prompt(name: str, document: Document) -> Path:
    beside = Path(document.name).parent
    prompt = _find_file(name, beside=beside, library=PROMPTS_FOLDER)
    if prompt is None:
        prompt_names = tuple(sorted(path.stem for path in PROMPTS_FOLDER.glob("*.yaml")))
        message = f"no prompt {name!r} beside this file, in the working folder or in the library"
        hint = (
            did_you_mean_file(name, "prompts", beside=beside, known=prompt_names)
            or f"; the library has {', '.join(prompt_names)}"
        )
        raise InputError([document.problem(("prompt",), message + hint)])
    return prompt


def _find_steering_planner(spec: LMSpec, document: Document) -> PlannerFolder | None:
    server = is_server_model(spec.model)
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
    return find_planner(spec.steering, document, LIBRARY_FOLDER)


def _find_file(name: str, *, beside: Path, library: Path) -> Path | None:
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
