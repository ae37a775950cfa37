"""From a YAML file to the core's scenarios: variants expanded, personas found, every problem with
its place, all at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from scenarios.personas import BrokenPersona, PersonaFinder, build_persona, merge_broken_personas
from scenarios.rubrics import load_custom_rubric
from scenarios.scenario_file import ScenarioFile, SeatFields
from scenarios.scenario_rules import rule_problems
from scenarios.variants import Variant, expand_variants, has_unfilled_values
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
    persona_files: Mapping[str, Path]
    where: str  # "rent.yaml:2:7", where the name stands


def load_scenario(path: Path | str) -> tuple[Scenario, ...]:
    """The scenario in a file, or all of its variants. Raises InputError with every problem."""
    return tuple(loaded.scenario for loaded in load_file(Path(path), PersonaFinder()))


def load_file(path: Path, personas: PersonaFinder) -> tuple[LoadedScenario, ...]:
    """As `load_scenario`, with where things came from; `personas` remembers persona files between
    calls.
    """
    return load_document(load_yaml(path), path, personas)


def load_document(
    document: Document, path: Path, personas: PersonaFinder
) -> tuple[LoadedScenario, ...]:
    """The scenarios of a document that was read from `path`. Raises InputError with every problem,
    in the file's order.
    """
    variants, problems = expand_variants(document)
    loaded_scenarios: list[LoadedScenario] = []
    for variant in variants:
        loaded, variant_problems = _load_variant(
            document, variant, path, personas, check_shape=not _unfilled(variant, problems)
        )
        problems += variant_problems
        loaded_scenarios += loaded
    if not problems:
        problems += _equal_variants(document, loaded_scenarios)
    if problems:
        raise InputError(merge_broken_personas(sort_problems(problems)))
    return tuple(loaded_scenarios)


def _unfilled(variant: Variant, problems: list[Problem]) -> bool:
    # A number that still reads {{price}}, for the parameters are wrong, would be reported as a
    # wrong type.
    return bool(problems) and isinstance(variant.data, dict) and has_unfilled_values(variant.data)


def _load_variant(
    document: Document, variant: Variant, path: Path, personas: PersonaFinder, *, check_shape: bool
) -> tuple[list[LoadedScenario], list[Problem]]:
    problems: list[Problem] = []
    file: ScenarioFile | None = None
    if check_shape:
        try:
            file = parse(document, ScenarioFile, data=variant.data)
        except InputError as error:
            problems += error.problems
    problems += rule_problems(document, variant.data)
    persona_by_seat_index, persona_problems, persona_files = _find_personas(
        document, variant.data, path, personas
    )
    problems += persona_problems
    rubric, rubric_problems = _find_rubric(document, file, path)
    problems += rubric_problems
    if file is None or problems:
        return [], problems
    try:
        scenario = _build_scenario(file, variant, persona_by_seat_index, rubric)
    except ValueError as error:  # a rule of the core's own that the schema does not know
        return [], [Problem(str(error), document.file_position(()))]
    names = {i: seat.name for i, seat in enumerate(file.seats)}
    return [
        LoadedScenario(
            scenario=scenario,
            path=path,
            template=file.name,
            persona_files={names[i]: file for i, file in persona_files.items()},
            where=document.file_position(("name",)),
        )
    ], []


def _find_personas(
    document: Document, data: Any, path: Path, personas: PersonaFinder
) -> tuple[dict[int, Persona], list[Problem], dict[int, Path]]:
    persona_by_seat_index: dict[int, Persona] = {}
    persona_files: dict[int, Path] = {}
    problems: list[Problem] = []
    seats = data.get("seats") if isinstance(data, dict) else None
    for i, seat in enumerate(seats if isinstance(seats, list) else []):
        name = seat.get("persona") if isinstance(seat, dict) else None
        if not isinstance(name, str) or not name.strip() or "{{" in name:
            continue
        loaded, persona_problems, message, file = personas.find(name.strip(), path.parent)
        problems += persona_problems
        if loaded is None:
            problem = document.problem(("seats", i, "persona"), message)
            if file is not None:
                problem = BrokenPersona(message=problem.message, where=problem.where, file=file)
            problems.append(problem)
        else:
            persona_by_seat_index[i], persona_files[i] = loaded.persona, loaded.path
    return persona_by_seat_index, problems, persona_files


def _find_rubric(
    document: Document, file: ScenarioFile | None, path: Path
) -> tuple[Rubric | None, tuple[Problem, ...]]:
    """The rubric's content where it is not a shipped one; a missing file is told at the field, a
    wrong one at its own lines.
    """
    if file is None:
        return None, ()
    try:
        return load_custom_rubric(file.rubric, path.parent), ()
    except InputError as error:
        field_position = document.file_position(("rubric",))
        return None, tuple(
            p if p.where else Problem(f"rubric: {p.message}", field_position)
            for p in error.problems
        )


def _build_scenario(
    file: ScenarioFile,
    variant: Variant,
    persona_by_seat_index: Mapping[int, Persona],
    rubric: Rubric | None,
) -> Scenario:
    return Scenario(
        name=file.name + variant.suffix,
        setting=file.setting,
        seats=tuple(
            _build_seat(seat, persona_by_seat_index.get(i)) for i, seat in enumerate(file.seats)
        ),
        relationships=_pair_relationships(file),
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


def _build_seat(seat: SeatFields, named_persona: Persona | None) -> Seat:
    persona = named_persona if isinstance(seat.persona, str) else build_persona(seat.persona)
    if persona is None:
        raise LookupError(seat.name)
    return Seat(
        name=seat.name, persona=persona, goal=seat.goal, knows=seat.knows, secret=seat.secret
    )


def _pair_relationships(file: ScenarioFile) -> dict[tuple[str, str], Relationship]:
    """Every pair that is more than strangers, in the order of the seats."""
    kinds = {frozenset(entry.between): entry.kind for entry in file.relationships}
    pairs = {
        (a, b): kinds.get(frozenset((a, b)), file.relationship)
        for a, b in combinations((seat.name for seat in file.seats), 2)
    }
    return {pair: kind for pair, kind in pairs.items() if kind is not Relationship.stranger}


def _equal_variants(document: Document, variants: list[LoadedScenario]) -> list[Problem]:
    """Variants that differ only in what no seat reads: a run could not tell them apart."""
    problems = []
    first_names: dict[str, str] = {}
    for loaded in variants:
        name, id_ = loaded.scenario.name, loaded.scenario.id
        if id_ in first_names:
            message = (
                f"the variants {first_names[id_]} and {name} show every seat the same; use the"
                " parameter in a goal or the setting"
            )
            problems.append(document.problem(("matrix",), message, key=True))
        first_names.setdefault(id_, name)
    return problems
