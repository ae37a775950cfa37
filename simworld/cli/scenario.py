"""`simworld scenario`: write, check, show and import scenarios."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import click

from scenarios.loader import LoadedScenario
from scenarios.new_scenario_template import scenario_template
from scenarios.personas import PersonaFinder
from scenarios.scenario_file import persona_json_schema, scenario_json_schema, schema_text
from scenarios.selection import (
    find_scenarios,
    name_clashes,
    read_files,
    relevant_files,
    scenario_files,
)
from scenarios.shipped_folders import PERSONAS_FOLDER
from scenarios.sotopia import import_sotopia
from simworld.cli.completion import complete_scenarios
from simworld.cli.files.duplicate_files import note_duplicates
from simworld.cli.files.template_files import names_argument, out_option, write_templates
from simworld.cli.next_command import suggest_next
from simworld.cli.options import json_option
from simworld.cli.output.text import harmless, print_json, say
from simworld.core.counts import counted
from simworld.core.episode import Observation
from simworld.core.errors import InputError, Problem, collecting_problems
from simworld.core.scenario import ENGLISH, Persona, Scenario, nondefaults
from simworld.core.visibility import observe
from simworld.language import load_language
from simworld.yamlfile import sort_problems


@click.group()
def scenario() -> None:
    """List, show, check, write and import scenarios."""


@scenario.command("list")
@click.argument("selectors", nargs=-1, metavar="[SCENARIO]...", shell_complete=complete_scenarios)
@click.option(
    "--tag", "tags", multiple=True, help="Only scenarios with this tag; several must all be there."
)
@click.option("--kind", help="Only scenarios of this kind.")
@json_option
def list_(
    selectors: tuple[str, ...], tags: tuple[str, ...], kind: str | None, as_json: bool
) -> None:
    """List the library, another set, or files and folders.

    The other sets are `heldout`, `exam` and `languages`. Prints name, kind, number of seats and
    title.
    """
    listed = [
        loaded
        for loaded in find_scenarios(selectors or ("library",))
        if set(tags) <= set(loaded.scenario.tags) and kind in (None, loaded.scenario.kind)
    ]
    if as_json:
        print_json([_summary_json(loaded) for loaded in listed], indent=2)
        return
    scenarios = [loaded.scenario for loaded in listed]
    rows = [(s.name, harmless(s.kind), str(len(s.seats)), harmless(s.title)) for s in scenarios]
    _echo_table(("name", "kind", "seats", "title"), rows)
    click.echo(counted(len(listed), "scenario"), err=True)


@scenario.command()
@click.argument("selector", metavar="SCENARIO", shell_complete=complete_scenarios)
@click.option("--seat", "seat_name", help="Only what this seat sees.")
@json_option
def show(selector: str, seat_name: str | None, as_json: bool) -> None:
    """Show what each seat will see.

    Also where its personas came from, the id and the checks.
    """
    variants = find_scenarios([selector])
    for loaded in variants:
        names = [seat.name for seat in loaded.scenario.seats]
        if seat_name is not None and seat_name not in names:
            raise InputError(
                f"{loaded.scenario.name} has no seat '{seat_name}'; its seats are"
                f" {', '.join(names)}"
            )
    if as_json:
        print_json([_details_json(loaded, seat_name) for loaded in variants], indent=2)
        return
    say("\n\n".join("\n".join(_description_lines(loaded, seat_name)) for loaded in variants))


@scenario.command()
@names_argument
@out_option
def new(names: tuple[str, ...], out: Path | None) -> None:
    """Write commented scenarios to start from.

    Never overwrites a file.
    """
    write_templates(names, out, lambda name, file, _: scenario_template(name, file))
    suggest_next("agent new", "my-agent", "other-agent")


@scenario.command()
@click.argument(
    "paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
def check(paths: tuple[Path, ...]) -> None:
    """Check scenario files and whole folders.

    Folders are searched with their subfolders for scenarios and personas; every problem is named
    with its place.
    """
    files: dict[str, Path] = {}
    problems: list[Problem] = []
    others: set[str] = set()
    for path in paths:
        with collecting_problems(problems):
            yaml_paths = scenario_files(path) if os.path.isdir(path) else [path]
            relevant = relevant_files(yaml_paths) if os.path.isdir(path) else yaml_paths
            others |= {os.path.realpath(file) for file in yaml_paths} - {
                os.path.realpath(file) for file in relevant
            }
            for file in relevant:
                files.setdefault(os.path.realpath(file), file)
    selection = read_files(files.values(), PersonaFinder())
    others -= files.keys()
    left_out = (
        f"; {counted(len(others), 'other file')} left out (`simworld check` looks at all kinds)"
        if others
        else ""
    )
    note_duplicates(
        "scenario", ((loaded.scenario.id, loaded.path) for loaded in selection.scenarios)
    )
    problems = sort_problems([*problems, *selection.problems, *name_clashes(selection.scenarios)])
    if problems:
        for problem in problems:
            say(str(problem), err=True)
        raise InputError(
            f"{counted(len(problems), 'problem')} in {counted(len(files), 'file')}{left_out}"
        )
    parts = []
    if selection.file_count:
        files_read = counted(selection.file_count, "file")
        parts.append(f"{counted(len(selection.scenarios), 'scenario')} in {files_read}")
    if selection.persona_count:
        parts.append(counted(selection.persona_count, "persona"))
    click.echo(f"{' and '.join(parts)}: ok{left_out}")


@scenario.command()
@click.option("--persona", is_flag=True, help="The schema of persona files instead.")
def schema(persona: bool) -> None:
    """Print the JSON Schema for editors."""
    click.echo(schema_text(persona_json_schema() if persona else scenario_json_schema()), nl=False)


@scenario.command("import-sotopia")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="The folder to write to; must be empty.",
)
@click.option(
    "--force",
    is_flag=True,
    help="Write into a folder that is not empty, over files of the same names.",
)
def import_sotopia_(folder: Path, out: Path, force: bool) -> None:
    """Translate Sotopia's JSON files into YAML.

    FOLDER holds environments.json, agents.json and environment_agent_combos.json.
    """
    result = import_sotopia(folder, out, force=force)
    families = counted(result.families, "family", "families")
    scenarios = f"{counted(result.scenarios, 'scenario')} in {families}"
    counts = f"{scenarios} and {counted(result.personas, 'persona')}"
    say(f"Wrote {counts} to {out}.")
    suggest_next("scenario check", str(out))


def _summary_json(loaded: LoadedScenario) -> dict[str, Any]:
    scenario = loaded.scenario
    return {
        "name": scenario.name,
        "id": scenario.id,
        "title": scenario.title,
        "kind": scenario.kind,
        "family": scenario.family,
        "tags": list(scenario.tags),
        "seats": [seat.name for seat in scenario.seats],
        "file": str(loaded.path),
    }


def _details_json(loaded: LoadedScenario, only_seat: str | None) -> dict[str, Any]:
    scenario = loaded.scenario
    return {
        **_summary_json(loaded),
        "order": scenario.order.value,
        "limits": {"turns": scenario.limits.turns, "silence": scenario.limits.silence},
        "checks": [nondefaults(check) for check in scenario.checks],
        "language": scenario.language,
        "rubric": scenario.rubric,
        "judge_note": scenario.judge_note,
        "meta": dict(scenario.meta),
        "sees": {
            seat: {
                **{
                    name: getattr(view, name)
                    for name in ("label", "setting", "goal", "knows", "secret")
                },
                "persona": nondefaults(view.persona),
                "persona_from": _persona_origin(loaded, seat),
                "others": [
                    {
                        "seat": other.seat,
                        "label": other.label,
                        "relationship": other.relationship.value,
                        "persona": nondefaults(other.persona) if other.persona else None,
                    }
                    for other in view.others
                ],
            }
            for seat, view in _seat_views(scenario, only_seat)
        },
    }


def _seat_views(scenario: Scenario, only_seat: str | None) -> list[tuple[str, Observation]]:
    names = [seat.name for seat in scenario.seats if only_seat in (None, seat.name)]
    return [(name, observe(scenario, name, turns=(), index=0, seed=0)) for name in names]


def _description_lines(loaded: LoadedScenario, only_seat: str | None) -> list[str]:
    scenario = loaded.scenario
    lines = [f"{scenario.name}" + (f": {scenario.title}" if scenario.title else "")]
    lines += _field_lines("id", scenario.id)
    lines += _field_lines("file", str(loaded.path))
    lines += _field_lines("family", scenario.family)
    lines += _field_lines("kind", scenario.kind)
    lines += _field_lines("tags", ", ".join(scenario.tags))
    order = f"{scenario.order.value}, at most {counted(scenario.limits.turns, 'turn')}"
    lines += _field_lines(
        "order", f"{order}, silence of {counted(scenario.limits.silence, 'turn')} ends it"
    )
    for check in scenario.checks:
        lines += _field_lines(
            "check",
            ", ".join(f"{name} {_value_text(value)}" for name, value in nondefaults(check).items()),
        )
    if scenario.language != ENGLISH:
        lines += _field_lines(
            "language", f"{scenario.language} ({load_language(scenario.language).name})"
        )
    lines += _field_lines("rubric", scenario.rubric)
    lines += _field_lines("setting", scenario.setting)
    for a, b in combinations([seat.name for seat in scenario.seats], 2):
        lines += _field_lines("between", f"{a} and {b}: {scenario.relationship(a, b).value}")
    if only_seat is None:
        lines += _field_lines("judge only", scenario.judge_note)
    for seat, view in _seat_views(scenario, only_seat):
        lines += ["", f"Seat {seat} sees:"]
        lines += _field_lines("itself", f"{view.label} — {_persona_text(view.persona)}")
        lines += _field_lines("from", _persona_origin(loaded, seat))
        lines += _field_lines("goal", view.goal)
        lines += _field_lines("knows", view.knows)
        lines += _field_lines("secret", view.secret)
        for other in view.others:
            persona_text = _persona_text(other.persona) if other.persona else "nothing but the role"
            lines += _field_lines(
                "other", f"{other.label} ({other.seat}, {other.relationship.value}): {persona_text}"
            )
    return lines


def _persona_origin(loaded: LoadedScenario, seat: str) -> str:
    path = loaded.persona_files.get(seat)
    if path is None:
        return "written in the scenario"
    return f"library: {path.name}" if path.parent == PERSONAS_FOLDER else str(path)


def _persona_text(persona: Persona) -> str:
    data = nondefaults(persona)
    facts = [
        str(data[name])
        for name in ("name", "age", "gender", "pronouns", "occupation")
        if name in data
    ]
    texts = [str(data[name]) for name in ("public", "personality", "values") if name in data]
    return ". ".join([", ".join(facts), *(text.rstrip(".") for text in texts)]) + (
        "." if texts else ""
    )


def _value_text(value: object) -> str:
    return (
        ", ".join(map(_value_text, value))
        if isinstance(value, list)
        else f"{value:g}"
        if isinstance(value, float)
        else str(value)
    )


def _field_lines(label: str, text: str) -> list[str]:
    """A labelled text, wrapped; nothing for an empty one."""
    if not text:
        return []
    lines = [line for part in text.split("\n") for line in textwrap.wrap(part, 96) or [""]]
    return [f"  {label if i == 0 else '':<11}{line}" for i, line in enumerate(lines)]


def _echo_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    for row in [header, *rows]:
        click.echo(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )
