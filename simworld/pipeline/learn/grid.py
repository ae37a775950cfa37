"""Grids: any key of a learn file may be a list, and then every combination is a file of its own."""

from __future__ import annotations

import copy
import itertools
import json
import types
from collections.abc import Iterator, Mapping
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel

from simworld.core.errors import InputError, Problem, collecting_problems
from simworld.pipeline.learn.learn_file import LearnFile
from simworld.training.rl.planner_learners import LEARNERS, foreign_settings
from simworld.yamlfile import Document, parse
from simworld.yamlfile.parsing import fields_in_file

KeyPath = tuple[str, ...]
LEARNER: KeyPath = ("train", "learner")
MAX_CELLS = 500


class GridPoint(BaseModel):
    """One combination: the file it makes, and the values that tell it from the others."""

    file: LearnFile
    values: dict[str, Any]  # dotted key → value


def grid_points(document: Document) -> tuple[GridPoint, ...]:
    """Every combination of a document, in the order of the file, the last list changing fastest;
    one where nothing is a list.

    A key that takes a list anyhow is varied by a list of lists; inside the blocks of a list nothing
    is varied again. Of several learners each has its own settings alone.

    Raises InputError with every problem of every combination.
    """
    axes = list(_axes(document.data, LearnFile, ()))
    problems: list[Problem] = [
        document.problem(path, "an empty list leaves nothing to run")
        for path, values in axes
        if not values
    ]
    cell_count = 1
    for _, values in axes:
        cell_count *= len(values)
    if cell_count > MAX_CELLS:
        problems.append(
            document.problem(
                axes[0][0], f"{cell_count} combinations; at most {MAX_CELLS} are run from one file"
            )
        )
    learners: list[Any] = next((values for path, values in axes if path == LEARNER), [])
    if learners:
        names = [str(name) for name in learners]
        if problem := foreign_settings(document.data["train"], names):
            problems.append(document.problem(("train",), problem))
    if problems:
        raise InputError(problems)
    points: list[GridPoint] = []
    seen: set[str] = set()
    for combination in itertools.product(*(values for _, values in axes)):
        data = copy.deepcopy(document.data)
        for (path, _), value in zip(axes, combination, strict=True):
            parent = data
            for key in path[:-1]:
                parent = parent[key]
            parent[path[-1]] = value
        varied = {".".join(path): value for (path, _), value in zip(axes, combination, strict=True)}
        if learners:
            _drop_other_learners(data["train"], learners, varied)
            if (content := json.dumps(data)) in seen:  # what is varied was another learner's
                continue
            seen.add(content)
        with collecting_problems(problems):
            points.append(GridPoint(file=parse(document, LearnFile, data=data), values=varied))
    if problems:
        raise InputError(dict.fromkeys(problems))
    return tuple(points)


def _drop_other_learners(
    train: dict[str, Any], learners: list[Any], varied: dict[str, Any]
) -> None:
    """Takes the settings of the listed learners out of one combination, but for its own's."""
    if train["learner"] in LEARNERS and any(name not in LEARNERS for name in learners):
        train.pop("settings", None)  # the extension's that is listed beside it
    for other in map(str, learners):
        if other != train["learner"]:
            train.pop(other, None)
            for key in [key for key in varied if key.startswith(f"train.{other}.")]:
                del varied[key]


def _axes(data: Any, model: type[BaseModel], path: KeyPath) -> Iterator[tuple[KeyPath, list[Any]]]:
    if not isinstance(data, Mapping):
        return
    for key, value in data.items():
        field = fields_in_file(model).get(key)
        if field is None:
            continue  # validation says so
        kinds = _union_members(field.annotation)
        takes_lists = any(get_origin(kind) is tuple for kind in kinds)
        if isinstance(value, list) and (
            not takes_lists or (value and all(isinstance(each, list) for each in value))
        ):
            yield (*path, key), value
        elif isinstance(value, Mapping) and any(get_origin(kind) is dict for kind in kinds):
            yield from (
                ((*path, key, name), each) for name, each in value.items() if isinstance(each, list)
            )
        elif block := next(
            (k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), None
        ):
            yield from _axes(value, block, (*path, key))


def _union_members(annotation: Any) -> tuple[Any, ...]:
    """The alternatives of a type, one where it is no union."""
    return (
        get_args(annotation)
        if get_origin(annotation) in (Union, types.UnionType)
        else (annotation,)
    )
