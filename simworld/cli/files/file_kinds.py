"""What kind of file a YAML file is, by its keys and its folder; and the check of each kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agents import LMSpec, LoadedSpec, agent_content, load_spec
from agents.agent_kinds import AGENT_KINDS
from agents.lm.backend_table import BACKENDS
from agents.prompt_template import PromptTemplate
from scenarios.personas import PersonaFinder
from scenarios.rubrics import load_rubric
from scenarios.selection import PERSONA_ONLY_KEYS, has_scenario_keys, name_clashes, read_files
from simworld.core.errors import InputError, Problem
from simworld.core.judgement import Rubric
from simworld.judging.contrast_pairs import load_pairs
from simworld.judging.judge_spec import JudgeSpec, load_judge
from simworld.pipeline.learn.grid import grid_points
from simworld.pipeline.learn.shipped_files import open_learn_file
from simworld.tournaments.loaded_tournament import load_tournament
from simworld.yamlfile import load_yaml, parse, sort_problems, top_level_keys

FILE_KINDS = (
    "scenario",
    "persona",
    "rubric",
    "agent",
    "prompt",
    "judge",
    "tournament",
    "learn",
    "pairs",
)
KIND_LABELS = {"learn": "learn file", "pairs": "pairs file"}
# Of each kind but scenarios, sets of keys of which any one, wholly there, tells it; the first kind
# that fits is taken. A tournament may name dimensions too, as a rubric does.
KIND_KEYS: Mapping[str, tuple[frozenset[str], ...]] = {
    "pairs": (frozenset({"better", "worse"}),),
    "tournament": (
        frozenset({"agents", "scenarios"}),
        frozenset({"agents", "partners"}),
        *(
            frozenset({selection, key})
            for selection in ("agents", "scenarios")
            for key in ("format", "judges", "focal", "anchor", "seats", "self_play", "dimensions")
        ),
    ),
    "learn": tuple(
        frozenset({"agent", key}) for key in ("partners", "reward", "collect", "evaluate", "clone")
    ),
    "judge": tuple(
        frozenset({"method", key}) for key in ("model", "name", "rubric", "calibration", "head")
    ),
    "prompt": (
        frozenset({"style", "system"}),
        frozenset({"style", "instructions"}),
        frozenset({"style", "opening"}),
    ),
    "agent": (
        frozenset({"kind", "lines"}),
        *(frozenset({"model", key}) for key in ("sampling", "prompt", "steering", "record_states")),
    ),
    "rubric": (frozenset({"dimensions", "name"}),),
    "persona": tuple(frozenset({key}) for key in PERSONA_ONLY_KEYS),
}


def file_kind(path: Path) -> str | None:
    """The kind of a YAML file, or None for one that is nothing of ours."""
    keys, rows = top_level_keys(path)
    if rows:
        return "pairs" if {"better", "worse"} & keys else None
    folder = path.parent.name.removesuffix("s")
    if has_scenario_keys(keys) and not {"better", "worse"} <= keys:
        return "scenario"
    if "personas" in path.parts[:-1]:
        return "persona"
    for kind, key_sets in KIND_KEYS.items():
        if any(keys_of_kind <= keys for keys_of_kind in key_sets):
            return kind
    if keys and folder in FILE_KINDS:
        return folder
    if {"name", "model"} <= keys <= LMSpec.model_fields.keys():
        return "agent"
    return "agent" if "name" in keys and _names_model(path) else None


def _names_model(path: Path) -> bool:
    """Whether a file has a model of one of our forms, or a kind of agent."""
    try:
        data = load_yaml(path).data
    except InputError:
        return False
    if not isinstance(data, dict):
        return False
    has_agent_kind = data.get("kind") in AGENT_KINDS.names()
    prefix, colon, _ = str(data.get("model", "")).partition(":")
    return has_agent_kind or bool(colon and prefix in BACKENDS.names())


@dataclass(slots=True)
class CheckedFiles:
    """What is wrong with some files, each problem with its place; and what each file holds, but for
    its name.
    """

    problems: list[Problem] = field(default_factory=list)
    # kind → content and file
    contents: dict[str, list[tuple[str, Path]]] = field(default_factory=dict)


def check_files(files: Mapping[str, Sequence[Path]]) -> CheckedFiles:
    """Everything about files by kind, files that belong together together; no model is loaded."""
    selection = read_files([*files.get("scenario", ()), *files.get("persona", ())], PersonaFinder())
    result = CheckedFiles(problems=[*selection.problems, *name_clashes(selection.scenarios)])
    result.contents["scenario"] = [
        (loaded.scenario.id, loaded.path) for loaded in selection.scenarios
    ]
    path_by_agent: dict[str, Path] = {}
    for kind, check_file in _CHECKS.items():
        for path in files.get(kind, ()):
            try:
                parsed = check_file(path)
            except InputError as error:
                result.problems += error.problems
                continue
            if (
                isinstance(parsed, LoadedSpec)
                and (first := path_by_agent.setdefault(parsed.spec.name, path)) != path
            ):
                message = f"the name {parsed.spec.name!r} is taken by {first}"
                result.problems.append(Problem(where=str(path), message=message))
            elif content := _content_without_name(parsed):
                result.contents.setdefault(kind, []).append((content, path))
    result.problems = sort_problems(result.problems)
    return result


def _content_without_name(parsed: object) -> str:
    """What tells an agent, a rubric or a judge from others of another name; empty for other
    kinds.
    """
    if isinstance(parsed, LoadedSpec):
        return repr(agent_content(parsed))
    if isinstance(parsed, Rubric):
        return repr(parsed.dimensions)
    return (
        repr(parsed.model_copy(update={"name": "", "title": ""}))
        if isinstance(parsed, JudgeSpec)
        else ""
    )


def _check_judge_file(path: Path) -> JudgeSpec:
    spec, _ = load_judge(str(path))
    if spec.rubric:
        try:
            load_rubric(spec.rubric, beside=path.parent)
        except InputError as error:
            document = load_yaml(path)
            raise InputError(
                p if p.where else document.problem(("rubric",), p.message) for p in error.problems
            ) from None
    return spec


_CHECKS: Mapping[str, Callable[[Path], object]] = {
    "agent": load_spec,
    "rubric": lambda path: load_rubric(str(path)),
    "prompt": lambda path: parse(load_yaml(path), PromptTemplate),
    "judge": _check_judge_file,
    "tournament": lambda path: load_tournament(str(path)),
    "learn": lambda path: grid_points(open_learn_file(str(path))),
    "pairs": load_pairs,
}
