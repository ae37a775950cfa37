"""`simworld rubric`: write and check rubrics; `simworld judge` scores by them."""

from __future__ import annotations

import json
from pathlib import Path

import click

from simworld.cli.files.check_command import make_check_command
from simworld.cli.files.template_files import names_argument, out_option, write_templates
from simworld.cli.next_command import suggest_next


@click.group()
def rubric() -> None:
    """Write and check rubrics: what a judge scores."""


@rubric.command()
@names_argument
@out_option
def new(names: tuple[str, ...], out: Path | None) -> None:
    """Write commented rubrics to start from.

    Never overwrites a file.
    """
    from simworld.judging.new_judge_template import new_rubric_text

    files = write_templates(names, out, lambda name, file, _: new_rubric_text(name, file))
    suggest_next("judge new", "my-judge", "--rubric", str(files[0]))


rubric.add_command(make_check_command("rubric"))


@rubric.command()
def schema() -> None:
    """Print the JSON Schema of rubric files, for editors."""
    from scenarios.rubrics import RubricFile
    from simworld.yamlfile.json_schema import json_schema

    schema = json_schema(RubricFile, "simworld rubric")
    click.echo(json.dumps(schema, indent=2, ensure_ascii=False))
