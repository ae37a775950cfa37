"""`simworld tournament compare`: two agents in equal circumstances; a gate with `--require`."""

from __future__ import annotations

import click

from simworld.cli.completion import complete_tournaments
from simworld.cli.options import allow_import_option, db_option, json_option
from simworld.cli.output.evaluation_tables import show_requirements
from simworld.cli.output.terminal import show_notes
from simworld.cli.output.text import print_json
from simworld.cli.output.tournament_output import judge_option, suggest_report
from simworld.cli.output.tournament_tables import show_differences
from simworld.core.errors import InputError
from simworld.yamlfile import did_you_mean


@click.command()
@click.argument("file", shell_complete=complete_tournaments)
@click.argument("first")
@click.argument("second")
@click.option(
    "--require",
    "required",
    metavar="A>B",
    multiple=True,
    help=(
        "Exit with 1 unless agent A is better than B: higher, with p < 0.05. Or A>B:goal, or"
        " A>B:goal:p<0.01."
    ),
)
@judge_option
@db_option
@allow_import_option
@json_option
def compare(
    file: str,
    first: str,
    second: str,
    required: tuple[str, ...],
    judge_name: str | None,
    db: str,
    as_json: bool,
) -> None:
    """Compare two agents in equal circumstances.

    Where they had the same scenario, seat, partner and seed. Exit codes: 0, and every requirement
    holds; 1, one does not; 2, something given cannot be used.
    """
    from simworld.core.measures import OVERALL
    from simworld.judging.judge_warnings import judge_warnings
    from simworld.pipeline.requirements import check_requirement, read_requirements
    from simworld.tournaments.loaded_tournament import load_tournament
    from simworld.tournaments.results import compare_tournament_agents, find_judge_ids
    from simworld.tournaments.results_json import differences_to_json
    from store import open_store

    tournament = load_tournament(file)
    judge = tournament.judge(judge_name)
    for name in (first, second):
        if name not in tournament.agents:
            names = tournament.agents
            hint = did_you_mean(name, names) or f"; there are {', '.join(names)}"
            raise InputError(f"no agent {name!r} in tournament {tournament.name!r}{hint}")
    if first == second:
        raise InputError(f"{first!r} is compared with itself; name two agents")
    with open_store(db) as store:
        warnings = judge_warnings(
            store, find_judge_ids(store, tournament.name, judge), run=tournament.name
        )
        differences_by_pair = {
            (a, b): compare_tournament_agents(tournament, store, judge, a, b)
            for a, b in ((first, second), (second, first))
        }
    measures = differences_by_pair[first, second]
    if not measures:
        raise InputError(
            f"{first!r} and {second!r} have no score in the same cell of"
            f" tournament {tournament.name!r}"
        )
    requirements = read_requirements(
        required, arms=(first, second), measures=measures, main=OVERALL
    )
    outcomes = []
    for requirement in requirements:
        pair = requirement.better, requirement.worse
        difference = differences_by_pair[pair].get(requirement.measure)
        outcomes.append(
            check_requirement(requirement, difference.comparison if difference else None)
        )
    if as_json:
        report = differences_to_json(first, second, measures)
        report["cautions"] = list(warnings)
        report["requirements"] = [
            {"text": o.requirement.text, "holds": o.holds, "reason": o.reason} for o in outcomes
        ]
        print_json(report, indent=1)
    else:
        show_differences(first, second, measures)
        show_notes(warnings)
        show_requirements(outcomes)
        suggest_report(tournament, db)
    if not all(o.holds for o in outcomes):
        raise click.exceptions.Exit(1)
