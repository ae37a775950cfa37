"""`simworld tournament`: agents against each other from one file; run, status, standings,
compare.
"""

from __future__ import annotations

from pathlib import Path

import click

from simworld.cli.completion import complete_tournaments
from simworld.cli.files.template_files import names_argument, out_option, write_templates
from simworld.cli.next_command import suggest_next
from simworld.cli.options import allow_import_option, db_option, json_option
from simworld.cli.output.text import print_json, say
from simworld.cli.output.tournament_output import (
    judge_option,
    show_remaining_cost,
    show_standings,
    suggest_report,
)
from simworld.cli.tournament_compare import compare
from simworld.cli.tournament_run import run
from simworld.core.counts import counted


@click.group("tournament")
def tournament_group() -> None:
    """Play agents against each other in equal circumstances, and say who is better and how sure
    that is.
    """


@tournament_group.command()
@click.argument("file", shell_complete=complete_tournaments)
@allow_import_option
@json_option
def check(file: str, as_json: bool) -> None:
    """Check a tournament file, and everything that it names."""
    from simworld.tournaments.loaded_tournament import load_tournament
    from simworld.tournaments.tournament_plan import plan_matches, plan_tournament

    tournament = load_tournament(file)
    casts = len(plan_tournament(tournament, plan_matches(tournament)).seatings())
    counts = {
        "agents": len(tournament.agents),
        "scenarios": len(tournament.scenarios),
        "families": len({scenario.family for scenario in tournament.scenarios}),
        "episodes": casts * tournament.file.repeats,
    }
    if as_json:
        print_json({"tournament": tournament.name, **counts})
        return
    text = ", ".join(
        counted(number, "family" if name == "families" else name.removesuffix("s"), name)
        for name, number in counts.items()
    )
    say(f"{tournament.name}: {text}")
    suggest_next("tournament run", file)


@tournament_group.command()
@names_argument
@out_option
def new(names: tuple[str, ...], out: Path | None) -> None:
    """Write commented tournaments to start from.

    Of the agents, scenarios and judges in this folder, or of the library's where there are none.
    Never overwrites a file.
    """
    from simworld.cli.files.file_kinds import file_kind
    from simworld.tournaments.tournament_template import new_tournament_text
    from simworld.yamlfile import list_yaml_files

    folder = out.parent if out is not None else Path()
    files_by_kind: dict[str, list[str]] = {"agent": [], "scenario": [], "judge": []}
    for path in list_yaml_files(folder) if folder.is_dir() else ():
        if (kind := file_kind(path)) in files_by_kind:
            files_by_kind[kind].append(str(path.relative_to(folder)))

    def make_text(name: str, file: str, number: int) -> str:
        return new_tournament_text(
            name,
            file,
            agents=files_by_kind["agent"],
            scenarios=files_by_kind["scenario"],
            judges=files_by_kind["judge"],
        )

    write_templates(names, out, make_text)
    suggest_next("check", *([str(folder)] if str(folder) != "." else []))


@tournament_group.command()
def schema() -> None:
    """Print the JSON Schema of tournament files."""
    from simworld.tournaments.tournament_file import tournament_schema_text

    click.echo(tournament_schema_text(), nl=False)


@tournament_group.command()
@click.argument("file", shell_complete=complete_tournaments)
@db_option
@allow_import_option
@json_option
def status(file: str, db: str, as_json: bool) -> None:
    """Show how far a tournament is, and what is left."""
    from simworld.tournaments.loaded_tournament import load_tournament

    tournament = load_tournament(file)
    cost = show_remaining_cost(tournament, db, as_json)
    if as_json:
        return
    if cost.left or cost.judgements:
        suggest_next("tournament run", file, db=db)
    elif cost.failed:
        suggest_next("tournament run", file, "--retry-failed", db=db)
    else:
        suggest_next("tournament standings", file, db=db)


@tournament_group.command()
@click.argument("file", shell_complete=complete_tournaments)
@judge_option
@click.option(
    "--measure", metavar="NAME", help="Ratings and wins on this dimension; default: overall."
)
@db_option
@allow_import_option
@json_option
def standings(
    file: str, judge_name: str | None, measure: str | None, db: str, as_json: bool
) -> None:
    """Show scores, ratings and wins of what is played and judged."""
    from simworld.tournaments.loaded_tournament import load_tournament

    tournament = load_tournament(file)
    show_standings(tournament, db, tournament.judge(judge_name), measure, as_json)
    if not as_json:
        suggest_report(tournament, db)


tournament_group.add_command(run)
tournament_group.add_command(compare)
