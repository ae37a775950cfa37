"""`simworld persona`: write and check personas; scenarios name them."""

from __future__ import annotations

from pathlib import Path

import click

from scenarios.new_scenario_template import persona_template
from scenarios.scenario_file import persona_json_schema, schema_text
from simworld.cli.files.check_command import make_check_command
from simworld.cli.files.template_files import names_argument, out_option, write_templates
from simworld.cli.next_command import suggest_next


@click.group()
def persona() -> None:
    """Write and check personas: who sits in a seat."""


@persona.command()
@names_argument
@out_option
def new(names: tuple[str, ...], out: Path | None) -> None:
    """Write commented personas to start from.

    Never overwrites a file. A scenario names one by its file without `.yaml`, and finds it beside
    itself or in `personas/`.
    """
    write_templates(names, out, lambda name, file, _: persona_template(name, file))
    suggest_next("scenario new", "my-scenario")


persona.add_command(make_check_command("persona"))


@persona.command()
def schema() -> None:
    """Print the JSON Schema of persona files, for editors."""
    click.echo(schema_text(persona_json_schema()), nl=False)
