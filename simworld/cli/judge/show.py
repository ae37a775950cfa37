"""`simworld judge list` and `simworld judge show`."""

from __future__ import annotations

import click

from simworld.cli.completion import complete_judges
from simworld.cli.judge.judge_options import load_judge_option, load_rubric_option
from simworld.cli.options import allow_import_option, json_option
from simworld.cli.output.terminal import console, grid
from simworld.cli.output.text import harmless, print_json, say
from simworld.judging.judge_spec import DEFAULT_JUDGE, builtin_judges, load_judge


@click.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the shipped judges."""
    specs = [load_judge(name)[0] for name in builtin_judges()]
    if as_json:
        names = ("name", "title", "method", "model")
        print_json([{name: getattr(spec, name) for name in names} for spec in specs])
        return
    table = grid("name", "method", "model", "what")
    for spec in specs:
        shown_name = f"{spec.name} (default)" if spec.name == DEFAULT_JUDGE else spec.name
        table.add_row(shown_name, spec.method, spec.model, spec.title)
    console().print(table)


@click.command()
@click.argument("judge_name", metavar="SPEC", default=DEFAULT_JUDGE, shell_complete=complete_judges)
@allow_import_option
@json_option
def show(judge_name: str, as_json: bool) -> None:
    """Show a judge's settings and its rubric.

    Also where they came from.
    """
    spec, origin = load_judge_option(judge_name)
    rubric = load_rubric_option(spec.rubric or "sotopia")
    if as_json:
        names = ("name", "low", "high", "weight", "question")
        dimensions = [{name: getattr(d, name) for name in names} for d in rubric.dimensions]
        print_json(
            {
                "from": origin,
                "spec": spec.model_dump(mode="json"),
                "rubric": {"id": rubric.id, "dimensions": dimensions},
            },
            indent=2,
        )
        return
    say(f"{spec.name} ({origin}): {spec.title}".rstrip(": "))
    for key, value in spec.model_dump(
        mode="json", exclude={"name", "title", "calibration"}, exclude_defaults=True
    ).items():
        click.echo(f"  {key}: {harmless(str(value))}")
    own_rubric = "the judge's own: scenarios that name another are scored by this one"
    note = own_rubric if spec.rubric else "unless a scenario names another"
    click.echo(f"Rubric {rubric.id} ({note}):")
    for d in rubric.dimensions:
        click.echo(
            f"  {d.name} [{d.low:g}, {d.high:g}] weight {d.weight:g}: {harmless(d.question)}"
        )
        for high, low in zip(d.high_statements, d.low_statements, strict=True):
            click.echo(f"    + {harmless(high)}\n    - {harmless(low)}")
