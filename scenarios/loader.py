"""From a YAML file to the core's scenarios: variants expanded, personas found, every problem with
its place, all at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from scenarios.personas import BrokenPersona, Personas, merge_broken_personas, to_persona
from scenarios.rubrics import own_rubric
from scenarios.scenario_file import ScenarioFile, SeatFields
from scenarios.scenario_rules import rule_problems
from scenarios.variants import Variant, expand, has_open_values
from simworld.core.errors import InputError, Problem
from simworld.core.judgement import Rubric
from simworld.core.scenario import Check, Limits, Persona, Relationship, Scenario, Seat
from simworld.yamlfile import Document, load_yaml, parse, sort_problems


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedScenario:
    """A scenario, the file it was read from, and where its personas came from."""

    scenario: Scenario
    path: Path
    template: str  # the file's own name; differs from the scenario's for variants
    # seat → persona file; seats whose persona is written in place are left out
    personas: Mapping[str, Path]
    where: str  # "rent.yaml:2:7", where the name stands


def load_scenario(path: Path | str) -> tuple[Scenario, ...]:
    """The scenario in a file, or all of its variants. Raises InputError with every problem."""
    return tuple(loaded.scenario for loaded in load_file(Path(path), Personas()))


def load_file(path: Path, personas: Personas) -> tuple[LoadedScenario, ...]:
    """As `load_scenario`, with where things came from; `personas` remembers persona files between
    calls.
    """
    return load_document(load_yaml(path), path, personas)


def load_document(document: Document, path: Path, personas: Personas) -> tuple[LoadedScenario, ...]:
    """The scenarios of a document that was read from `path`. Raises InputError with every problem,
    in the file's order.
    """
    variants, problems = expand(document)
    found_all: list[LoadedScenario] = []
    for variant in variants:
        loaded, its_problems = _load_variant(
            document, variant, path, personas, check_shape=not _is_open(variant, problems)
        )
        problems += its_problems
        found_all += loaded
    if not problems:
        problems += _twins(document, found_all)
    if problems:
        raise InputError(merge_broken_personas(sort_problems(problems)))
    return tuple(found_all)


def _is_open(variant: Variant, problems: list[Problem]) -> bool:
    # A number that still reads {{price}}, for the parameters are wrong, would be reported as a
    # wrong type.
    return bool(problems) and isinstance(variant.data, dict) and has_open_values(variant.data)


def _load_variant(
    document: Document, variant: Variant, path: Path, personas: Personas, *, check_shape: bool
) -> tuple[list[LoadedScenario], list[Problem]]:
    problems: list[Problem] = []
    file: ScenarioFile | None = None
    if check_shape:
        try:
            file = parse(document, ScenarioFile, data=variant.data)
        except InputError as error:
            problems += error.problems
    problems += rule_problems(document, variant.data)
    persona_of, persona_problems, paths = _find_personas(document, variant.data, path, personas)
    problems += persona_problems
    rubric, rubric_problems = _find_rubric(document, file, path)
    problems += rubric_problems
    if file is None or problems:
        return [], problems
    try:
        scenario = _build(file, variant, persona_of, rubric)
    except ValueError as error:  # a rule of the core's own that the schema does not know
        return [], [Problem(message=str(error), where=document.file_position(()))]
    names = {i: seat.name for i, seat in enumerate(file.seats)}
    return [
        LoadedScenario(
            scenario=scenario,
            path=path,
            template=file.name,
            personas={names[i]: source for i, source in paths.items()},
            where=document.file_position(("name",)),
        )
    ], []


def _find_personas(
    document: Document, data: Any, path: Path, personas: Personas
) -> tuple[dict[int, Persona], list[Problem], dict[int, Path]]:
    persona_of: dict[int, Persona] = {}
    paths: dict[int, Path] = {}
    problems: list[Problem] = []
    seats = data.get("seats") if isinstance(data, dict) else None
    for i, seat in enumerate(seats if isinstance(seats, list) else []):
        name = seat.get("persona") if isinstance(seat, dict) else None
        if not isinstance(name, str) or not name.strip() or "{{" in name:
            continue
        source, its_problems, missing, file = personas.find(name.strip(), path.parent)
        problems += its_problems
        if source is None:
            problem = document.problem(("seats", i, "persona"), missing)
            if file is not None:
                problem = BrokenPersona(message=problem.message, where=problem.where, persona=file)
            problems.append(problem)
        else:
            persona_of[i], paths[i] = source.persona, source.path
    return persona_of, problems, paths


def _find_rubric(
    document: Document, file: ScenarioFile | None, path: Path
) -> tuple[Rubric | None, tuple[Problem, ...]]:
    """The rubric's content where it is not a shipped one; a missing file is told at the field, a
    wrong one at its own lines.
    """
    if file is None:
        return None, ()
    try:
        return own_rubric(file.rubric, path.parent), ()
    except InputError as error:
        at = document.file_position(("rubric",))
        return None, tuple(
            p if p.where else Problem(message=f"rubric: {p.message}", where=at)
            for p in error.problems
        )


def _build(
    file: ScenarioFile, variant: Variant, persona_of: Mapping[int, Persona], rubric: Rubric | None
) -> Scenario:
    return Scenario(
        name=file.name + variant.suffix,
        setting=file.setting,
        seats=tuple(_seat(seat, persona_of.get(i)) for i, seat in enumerate(file.seats)),
        relationships=_relationships(file),
        order=file.order,
        limits=Limits(turns=file.limits.turns, silence=file.limits.silence),
        checks=tuple(Check(**dict(check)) for check in file.checks),
        language=file.language,
        title=file.title,
        family=file.family or file.name,
        kind=file.kind,
        tags=file.tags,
        rubric=file.rubric,
        own_rubric=rubric,
        judge_note=file.judge_note,
        meta=dict(file.meta),
    )


def _seat(seat: SeatFields, named: Persona | None) -> Seat:
    persona = named if isinstance(seat.persona, str) else to_persona(seat.persona)
    if persona is None:
        raise LookupError(seat.name)
    return Seat(
        name=seat.name, persona=persona, goal=seat.goal, knows=seat.knows, secret=seat.secret
    )


def _relationships(file: ScenarioFile) -> dict[tuple[str, str], Relationship]:
    """Every pair that is more than strangers, in the order of the seats."""
    kinds = {frozenset(entry.between): entry.kind for entry in file.relationships}
    pairs = {
        (a, b): kinds.get(frozenset((a, b)), file.relationship)
        for a, b in combinations((seat.name for seat in file.seats), 2)
    }
    return {pair: kind for pair, kind in pairs.items() if kind is not Relationship.stranger}


def _twins(document: Document, variants: list[LoadedScenario]) -> list[Problem]:
    """Variants that differ only in what no seat reads: a run could not tell them apart."""
    problems = []
    first: dict[str, str] = {}
    for loaded in variants:
        name, id_ = loaded.scenario.name, loaded.scenario.id
        if id_ in first:
            message = (
                f"the variants {first[id_]} and {name} show every seat the same; use the parameter"
                " in a goal or the setting"
            )
            problems.append(document.problem(("matrix",), message, key=True))
        first.setdefault(id_, name)
    return problems
