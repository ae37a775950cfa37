"""Reading Sotopia's three JSON files: their shape is checked, and every problem named at once."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from scenarios.scenario_file import MAX_TEXT
from simworld.core.counts import counted
from simworld.core.errors import InputError, Problem
from simworld.yamlfile import problem_texts, shorten
from simworld.yamlfile.source_text import CONTROL_CHARACTERS, read_source_text

ENVIRONMENTS, AGENTS, COMBOS = "environments.json", "agents.json", "environment_agent_combos.json"
MAX_BYTES = 64 * 1024 * 1024


class _SotopiaTable(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())

    pk: str = ""

    def extras(self) -> dict[str, Any]:
        """Fields that this version of the importer does not know."""
        return dict(self.model_extra or {})


class SotopiaEnvironment(_SotopiaTable):
    """A setting and the goals in it."""

    codename: str = Field(min_length=1)
    source: str = ""
    scenario: str = Field(min_length=1)
    agent_goals: tuple[str, ...] = Field(min_length=2)
    relationship: int = Field(ge=0, le=5)
    age_constraint: str | None = None
    occupation_constraint: str | None = None
    agent_constraint: Any = None


class SotopiaCharacter(_SotopiaTable):
    """A character."""

    first_name: str = Field(min_length=1)
    last_name: str = ""
    age: int | None = None
    occupation: str = ""
    gender: str = ""
    gender_pronoun: str = ""
    public_info: str = ""
    big_five: str = ""
    moral_values: tuple[str, ...] = ()
    schwartz_personal_values: tuple[str, ...] = ()
    personality_and_values: str = ""
    decision_making_style: str = ""
    secret: str = ""
    model_id: str = ""
    mbti: str = ""


class SotopiaMeeting(_SotopiaTable):
    """Who meets in which environment."""

    env_id: str
    agent_ids: tuple[str, ...] = Field(min_length=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class SotopiaFiles:
    """The three files, with every reference known to be good."""

    environments: Mapping[str, SotopiaEnvironment]
    agents: Mapping[str, SotopiaCharacter]
    combos: tuple[SotopiaMeeting, ...]


def read_sotopia(folder: Path) -> SotopiaFiles:
    """The content of a folder with Sotopia's files. Raises InputError with every problem of all
    three.
    """
    problems: list[Problem] = []
    if not os.path.isdir(folder):
        raise InputError("no such folder", str(folder))
    environments = _by_id(
        _read(folder / ENVIRONMENTS, problems), folder / ENVIRONMENTS, SotopiaEnvironment, problems
    )
    agents = _by_id(_read(folder / AGENTS, problems), folder / AGENTS, SotopiaCharacter, problems)
    combos = _combos(_read(folder / COMBOS, problems), folder / COMBOS, problems)
    if not problems:
        problems += _bad_references(folder / COMBOS, environments, agents, combos)
    if problems:
        raise InputError(problems)
    return SotopiaFiles(environments=environments, agents=agents, combos=combos)


def _read(path: Path, problems: list[Problem]) -> Any:
    try:
        return json.loads(read_source_text(path, MAX_BYTES), object_pairs_hook=_unique_keys)
    except InputError as error:
        problems += error.problems
    except json.JSONDecodeError as error:
        problems.append(
            Problem(f"not valid JSON: {error.msg}", f"{path}:{error.lineno}:{error.colno}")
        )
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        problems.append(Problem(f"not valid JSON: {reason}", str(path)))
    return None


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        names = [name for name, _ in pairs]
        duplicate = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key '{duplicate}' occurs twice in one object")
    return data


def _by_id(data: Any, path: Path, model: type[Any], problems: list[Problem]) -> dict[str, Any]:
    """A mapping from id to record; a list of records with `pk` is taken too."""
    if data is None:
        return {}
    if isinstance(data, list):
        if not all(isinstance(entry, dict) and isinstance(entry.get("pk"), str) for entry in data):
            problems.append(Problem("every entry of the list needs a 'pk'", str(path)))
            return {}
        data = {entry["pk"]: entry for entry in data}
    if not isinstance(data, dict):
        problems.append(Problem("expected an object of records by id", str(path)))
        return {}
    if not data:
        problems.append(Problem("holds no records", str(path)))
    records = {}
    for key, entry in data.items():
        record = _validated(entry, model, f"{key}", path, problems)
        if record is not None:
            records[key] = record
    return records


def _combos(data: Any, path: Path, problems: list[Problem]) -> tuple[SotopiaMeeting, ...]:
    if data is None:
        return ()
    if isinstance(data, dict):
        data = list(data.values())
    if not isinstance(data, list):
        problems.append(Problem("expected a list of records", str(path)))
        return ()
    if not data:
        problems.append(Problem("holds no records", str(path)))
    validated = (
        _validated(entry, SotopiaMeeting, f"{i}", path, problems) for i, entry in enumerate(data)
    )
    return tuple(combo for combo in validated if combo is not None)


def _validated(entry: Any, model: type[Any], key: str, path: Path, problems: list[Problem]) -> Any:
    if wrong := list(_text_problems(entry, key)):
        problems += [Problem(text, str(path)) for text in wrong]
        return None
    try:
        return TypeAdapter(model).validate_json(json.dumps(entry), strict=True)
    except ValidationError as error:
        problems += [Problem(f"{key}.{text}", str(path)) for text in problem_texts(error)]
        return None


def _text_problems(data: Any, json_path: str) -> Iterator[str]:
    """What no scenario's file can hold, which JSON's escapes may write."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _text_problems(key, f"{json_path}.{shorten(key)}")
            yield from _text_problems(value, f"{json_path}.{shorten(key)}")
    elif isinstance(data, list):
        for i, value in enumerate(data):
            yield from _text_problems(value, f"{json_path}.{i}")
    elif isinstance(data, str):
        if any("\ud800" <= c <= "\udfff" for c in data):
            yield f"{json_path}: half of a surrogate pair"
        elif control := CONTROL_CHARACTERS.search(data):
            yield f"{json_path}: control character U+{ord(control[0]):04X}"
        elif len(data) > MAX_TEXT:
            yield f"{json_path}: {len(data):,} characters; at most {MAX_TEXT:,} are read"


def _bad_references(
    path: Path,
    environments: Mapping[str, SotopiaEnvironment],
    agents: Mapping[str, SotopiaCharacter],
    combos: tuple[SotopiaMeeting, ...],
) -> list[Problem]:
    problems = []
    for i, combo in enumerate(combos):
        if combo.env_id not in environments:
            message = f"{i}.env_id: no environment '{combo.env_id}' in {ENVIRONMENTS}"
            problems.append(Problem(message, str(path)))
        else:
            goals = len(environments[combo.env_id].agent_goals)
            if goals != len(combo.agent_ids):
                message = (
                    f"{i}.agent_ids: expected {counted(goals, 'agent')}, one for each goal of "
                    f"{combo.env_id}, found {len(combo.agent_ids)}"
                )
                problems.append(Problem(message, str(path)))
        for j, agent in enumerate(combo.agent_ids):
            if agent not in agents:
                message = f"{i}.agent_ids.{j}: no agent '{agent}' in {AGENTS}"
                problems.append(Problem(message, str(path)))
    return problems
