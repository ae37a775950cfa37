"""`simworld judge new` and `simworld judge schema`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from simworld.cli.files.template_files import names_argument, out_option, write_templates
from simworld.cli.judge.judge_options import load_rubric_option
from simworld.cli.next_command import suggest_next
from simworld.judging.judge_spec import JudgeSpec
from simworld.judging.new_judge_template import new_judge_text


@click.command()
@names_argument
@click.option(
    "--rubric", metavar="FILE", help="The rubric that it names; default: each scenario's own."
)
@out_option
def new(names: tuple[str, ...], rubric: str | None, out: Path | None) -> None:
    """Write commented judges to start from.

    Never overwrites a file.
    """
    if rubric:
        load_rubric_option(rubric, beside=out.parent if out is not None else Path())
    write_templates(
        names, out, lambda name, file, _: new_judge_text(name, file, rubric=rubric or "")
    )
    suggest_next("tournament new", "my-tournament")


@click.command()
def schema() -> None:
    """Print the JSON Schema of judge files, for editors."""
    from simworld.yamlfile.json_schema import json_schema

    schema = json_schema(JudgeSpec, "simworld judge")
    click.echo(json.dumps(schema, indent=2, ensure_ascii=False))
