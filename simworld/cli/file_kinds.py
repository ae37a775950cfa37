"""What kind of file a YAML file is, by its keys and its folder; and the check of each kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agents import LMSpec, LoadedSpec, agent_content, load_spec
from agents.prompt_template import PromptTemplate
from scenarios.personas import PersonaFinder
from scenarios.rubrics import load_rubric
from scenarios.selection import PERSONA_ONLY_KEYS, SCENARIO_ONLY_KEYS, name_clashes, read_files
from simworld.core.errors import InputError, Problem
from simworld.core.judgement import Rubric
from simworld.judging.contrast_pairs import load_pairs
from simworld.judging.judge_spec import JudgeSpec, load_judge
from simworld.pipeline.learn.grid import grid_points
from simworld.pipeline.learn.shipped_files import open_learn_file
from simworld.tournament.loaded_tournament import load_tournament
from simworld.yamlfile import load_yaml, parse, sort_problems, top_level_keys

KINDS = (
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
WORDS = {"learn": "learn file", "pairs": "pairs file"}
# Of each kind, sets of keys of which any one, wholly there, tells it; the first kind that fits is
# taken.
SIGNS: Mapping[str, tuple[frozenset[str], ...]] = {
    "pairs": (frozenset({"better", "worse"}),),
    "scenario": tuple(frozenset({key}) for key in SCENARIO_ONLY_KEYS),
    "rubric": (frozenset({"dimensions", "name"}),),
    "tournament": tuple(
        frozenset({"agents", key})
        for key in ("scenarios", "format", "judges", "partners", "focal", "anchor")
    ),
    "learn": tuple(
        frozenset({"agent", key}) for key in ("partners", "reward", "collect", "evaluate", "clone")
    ),
    "judge": tuple(
        frozenset({"method", key}) for key in ("model", "rubric", "calibration", "head")
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
    "persona": tuple(frozenset({key}) for key in PERSONA_ONLY_KEYS),
}
_FORMS = ("builtin:", "hf:", "openai:")


def kind_of(path: Path) -> str | None:
    """The kind of a YAML file, or None for one that is nothing of ours."""
    keys, rows = top_level_keys(path)
    if rows:
        return "pairs" if {"better", "worse"} & keys else None
    folder = path.parent.name.removesuffix("s")
    if "personas" in path.parts[:-1] and not keys & set(SCENARIO_ONLY_KEYS):
        return "persona"
    for kind, signs in SIGNS.items():
        if any(sign <= keys for sign in signs):
            return kind
    if keys and folder in KINDS:
        return folder
    if {"name", "model"} <= keys <= LMSpec.model_fields.keys():
        return "agent"
    return "agent" if "name" in keys and _names_our_model(path) else None


def _names_our_model(path: Path) -> bool:
    """Whether a file has a model of one of our forms, or a kind of agent."""
    try:
        data = load_yaml(path).data
    except InputError:
        return False
    if not isinstance(data, dict):
        return False
    return str(data.get("model", "")).startswith(_FORMS) or data.get("kind") in (
        "lm",
        "scripted",
        "human",
    )


@dataclass(slots=True)
class Checked:
    """What is wrong with some files, each problem with its place; and what each file holds, but for
    its name.
    """

    problems: list[Problem] = field(default_factory=list)
    # kind → content and file
    contents: dict[str, list[tuple[str, Path]]] = field(default_factory=dict)


def check_files(files: Mapping[str, Sequence[Path]]) -> Checked:
    """Everything about files by kind, files that belong together together; no model is loaded."""
    selection = read_files([*files.get("scenario", ()), *files.get("persona", ())], PersonaFinder())
    checked = Checked(problems=[*selection.problems, *name_clashes(selection.scenarios)])
    checked.contents["scenario"] = [
        (loaded.scenario.id, loaded.path) for loaded in selection.scenarios
    ]
    agents: dict[str, Path] = {}
    for kind, check in _CHECKS.items():
        for path in files.get(kind, ()):
            try:
                read = check(path)
            except InputError as error:
                checked.problems += error.problems
                continue
            if (
                isinstance(read, LoadedSpec)
                and (first := agents.setdefault(read.spec.name, path)) != path
            ):
                message = f"the name {read.spec.name!r} is taken by {first}"
                checked.problems.append(Problem(where=str(path), message=message))
            elif content := _content(read):
                checked.contents.setdefault(kind, []).append((content, path))
    checked.problems = sort_problems(checked.problems)
    return checked


def _content(read: object) -> str:
    """What tells an agent, a rubric or a judge from others of another name; empty for other
    kinds.
    """
    if isinstance(read, LoadedSpec):
        return repr(agent_content(read))
    if isinstance(read, Rubric):
        return repr(read.dimensions)
    return (
        repr(read.model_copy(update={"name": "", "title": ""}))
        if isinstance(read, JudgeSpec)
        else ""
    )


def _judge(path: Path) -> JudgeSpec:
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
    "judge": _judge,
    "tournament": lambda path: load_tournament(str(path)),
    "learn": lambda path: grid_points(open_learn_file(str(path))),
    "pairs": load_pairs,
}
