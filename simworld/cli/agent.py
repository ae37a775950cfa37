"""`simworld agent`: list, show and check agent specs."""

from __future__ import annotations

from pathlib import Path

import click

from agents import (
    LMSpec,
    LoadedSpec,
    agent_json_schema,
    agent_schema_text,
    asks_model,
    find_specs,
    library_agent_names,
)
from agents.new_agent_template import agent_template
from simworld.cli.completion import complete_agents
from simworld.cli.files.check_command import make_check_command
from simworld.cli.files.template_files import names_argument, out_option, write_templates
from simworld.cli.next_command import suggest_next
from simworld.cli.options import allow_import_option, json_option
from simworld.cli.output.terminal import console, grid
from simworld.cli.output.text import harmless, print_json, say


@click.group()
def agent() -> None:
    """List, show, check and write agents."""


@agent.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the library's agents."""
    specs = find_specs(library_agent_names())
    if as_json:
        print_json([_summary_json(loaded) for loaded in specs])
        return
    table = grid("name", "kind", "model", "description")
    for loaded in specs:
        row = _summary_json(loaded)
        table.add_row(
            *(harmless(str(row[key])) for key in ("name", "kind", "model", "description"))
        )
    console().print(table)


@agent.command()
@click.argument("name", metavar="NAME|FILE", shell_complete=complete_agents)
@allow_import_option
@json_option
def show(name: str, as_json: bool) -> None:
    """Show an agent with its defaults.

    Also its prompt and its planner, and where they came from.
    """
    (loaded,) = find_specs([name])
    data = loaded.spec.model_dump(mode="json")
    if loaded.template is not None:
        data["template"] = loaded.template.model_dump(mode="json")
    data["source"] = str(loaded.source)
    if loaded.template_source is not None:
        data["template_source"] = str(loaded.template_source)
    if loaded.planner is not None:
        planner = loaded.planner
        data["planner"] = {
            "id": planner.id,
            "folder": str(planner.path),
            **planner.info.model_dump(mode="json"),
        }
        data["notes"] = _planner_notes(loaded)
    if as_json:
        print_json(data)
        return
    for key, value in data.items():
        if value is None or value == []:
            continue
        if isinstance(value, dict):
            click.echo(f"{key}:")
            for inner, text in value.items():
                say(f"  {inner}: {_indent_lines(text)}")
        else:
            say(f"{key}: {_indent_lines(value)}")


@agent.command()
@names_argument
@out_option
def new(names: tuple[str, ...], out: Path | None) -> None:
    """Write commented agents to start from.

    Never overwrites a file.
    """
    write_templates(
        names, out, lambda name, file, number: agent_template(name, file, number=number)
    )
    suggest_next("rubric new", "my-rubric")


agent.add_command(make_check_command("agent"))


@agent.command()
def schema() -> None:
    """Print the JSON Schema of agent files, for editors."""
    click.echo(agent_schema_text(agent_json_schema()), nl=False)


def _planner_notes(loaded: LoadedSpec) -> list[str]:
    """What a steered agent's user should know, though it plays all the same."""
    if not isinstance(loaded.spec, LMSpec) or loaded.planner is None:
        return []
    # torch, which other agents do without
    from agents.lm.local.dtypes import default_device, resolve_dtype

    info, dtype = loaded.planner.info, resolve_dtype(loaded.spec.dtype, default_device())
    notes = []
    if info.dtype != dtype:
        notes.append(
            f"the planner was made with {info.lm_spec} in {info.dtype}, and the model runs in"
            f" {dtype} here: its states differ by rounding (one number format for both: write"
            f" 'dtype: {info.dtype}' in the agent's file)"
        )
    if loaded.template is not None and info.prompt_version not in ("", loaded.template.version):
        notes.append(
            f"the planner was trained with another prompt version ({info.prompt_version}; the"
            f" prompt {loaded.spec.prompt} is {loaded.template.version}), so on other states"
        )
    return notes


def _summary_json(loaded: LoadedSpec) -> dict[str, str]:
    spec = loaded.spec
    model = spec.model if asks_model(spec) else ""
    return {"name": spec.name, "kind": spec.kind, "model": model, "description": spec.description}


def _indent_lines(value: object) -> str:
    text = str(value).rstrip()
    return text if "\n" not in text else "\n    " + text.replace("\n", "\n    ")
