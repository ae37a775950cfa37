"""Agent specs: the YAML that says who plays a seat, and where specs and prompts are found.

A name is looked up beside the file that names it, then in the working folder (also in its
`agents/`), then in the library.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, RootModel

from agents.agent_kinds import AGENT_KINDS, AgentSpec, ExtensionSpec, asks_model
from agents.kind_specs import HumanSpec, LMSpec, ScriptedSpec
from agents.lm.load import backend_settings_problems, check_model_spec
from agents.lm.server.address import is_server_model
from agents.prompting import PROMPTS_FOLDER, PromptTemplate
from agents.steering.checkpoint_folder import INFO_FILE, PlannerFolder, read_folder
from agents.steering.steering_spec import find_checkpoint_folder, find_planner
from simworld.core.errors import InputError, ModelError, Problem, collecting_problems
from simworld.yamlfile import Document, data_document, did_you_mean_file, load_yaml, parse
from simworld.yamlfile.json_schema import json_schema

_log = logging.getLogger(f"simworld.{__name__}")
LIBRARY_FOLDER = Path(__file__).parent / "library"
_BuiltinSpec = Annotated[LMSpec | ScriptedSpec | HumanSpec, Field(discriminator="kind")]


class AgentFile(RootModel[_BuiltinSpec | ExtensionSpec]):
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
    problems: list[Problem] = []
    template_source = template = planner = None
    if isinstance(spec, LMSpec):
        with collecting_problems(problems):
            template_source = _find_prompt(spec.prompt, document)
            _log.debug("prompt %r of agent %r is in %s", spec.prompt, spec.name, template_source)
            template = parse(load_yaml(template_source), PromptTemplate)
    if asks_model(spec):
        problems += _model_problems(spec, document)
    if isinstance(spec, LMSpec):
        with collecting_problems(problems):
            planner = _find_steering_planner(spec, document)
    if problems:
        raise InputError(problems)
    return LoadedSpec(
        spec=spec,
        source=source,
        template=template,
        template_source=template_source,
        planner=planner,
    )


def _model_problems(spec: LMSpec | ExtensionSpec, document: Document) -> list[Problem]:
    problems: list[Problem] = []
    try:
        check_model_spec(spec.model)
    except ModelError as error:
        problems.append(document.problem(("model",), str(error)))
    if not is_server_model(spec.model):
        problems += spec.server_only_problems(document)
    return problems + backend_settings_problems(spec.model, spec.backend, document)


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
    try:
        entry = AGENT_KINDS.find(kind)
    except InputError as error:
        raise InputError([document.problem(("kind",), str(error))]) from None
    model: type[AgentSpec] = ExtensionSpec if entry.identity else entry.declaration.settings
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
