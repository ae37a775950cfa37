"""What several tournament commands share: the cost, the standings, the next
command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from simworld.cli.next_command import suggest_next
from simworld.cli.output.text import print_json
from simworld.cli.output.tournament_tables import show_cost, show_results

if TYPE_CHECKING:
    from simworld.judging.judge_spec import JudgeSpec
    from simworld.tournaments.cost_estimate import CostEstimate
    from simworld.tournaments.loaded_tournament import Tournament


judge_option = click.option(
    "--judge", "judge_name", metavar="NAME", help="One of the file's judges; default: the first."
)


def suggest_report(tournament: Tournament, db: str) -> None:
    """Names the report of the tournament as the next command."""
    suggest_next("report", tournament.name, "--out", f"{tournament.name}.html", db=db)


def show_remaining_cost(
    tournament: Tournament, db: str, as_json: bool, *, retry_failed: bool = False
) -> CostEstimate:
    """Prints what is played, what is left and what it will take, and returns it."""
    from simworld.tournaments.cost_estimate import estimate_cost
    from store import open_store
    from store.database_address import parse_address

    path = parse_address(db).path
    if path is not None and not path.exists():  # a command that reads never makes a database
        cost = estimate_cost(tournament, None, retry_failed=retry_failed)
    else:
        with open_store(db) as store:
            cost = estimate_cost(tournament, store, retry_failed=retry_failed)
    show_cost(tournament.name, cost, as_json)
    return cost


def show_standings(
    tournament: Tournament, db: str, judge: JudgeSpec, measure: str | None, as_json: bool
) -> None:
    """Prints the results by one judge, for people on one measure."""
    from simworld.tournaments.results import tournament_results
    from simworld.tournaments.results_json import results_to_json
    from simworld.tournaments.tournament_plan import same_partners
    from store import open_store

    with open_store(db) as store:
        results = tournament_results(tournament, store, judge)
    if as_json:
        print_json(results_to_json(tournament, results), indent=1)
    else:
        title, same = tournament.file.title or tournament.name, same_partners(tournament)
        show_results(title, results, measure=measure, same_partners=same)
