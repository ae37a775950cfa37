"""`simworld tournament run`: play and judge what is missing, with a bar for each part."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from simworld.cli.completion import complete_tournaments
from simworld.cli.failures import describe_failures
from simworld.cli.interrupt_message import resumes
from simworld.cli.judge.judge_options import own_rubric_notes
from simworld.cli.next_command import suggest_again
from simworld.cli.options import (
    RequestLimits,
    allow_import_option,
    db_option,
    json_option,
    memory_option,
    request_limit_options,
    threads_option,
    token_usage_line,
)
from simworld.cli.output.terminal import say_loading, show_notes, warn
from simworld.cli.output.text import say
from simworld.cli.output.tournament_output import (
    show_remaining_cost,
    show_standings,
    suggest_report,
)
from simworld.core.counts import counted
from simworld.jobs.progress import tournament_bars

if TYPE_CHECKING:
    from simworld.tournaments.play import TournamentListener


@click.command()
@click.argument("file", shell_complete=complete_tournaments)
@click.option(
    "--dry-run", is_flag=True, help="Only say what it will cost: episodes, tokens and minutes."
)
@click.option("--retry-failed", is_flag=True, help="Play and judge again what failed.")
@click.option(
    "--episodes",
    type=click.IntRange(min=1),
    help="Begin at most so many now; default: the file's budget.",
)
@click.option(
    "--live", "max_live", type=click.IntRange(min=1), default=32, help="Conversations at once."
)
@threads_option
@memory_option
@request_limit_options
@db_option
@allow_import_option
@json_option
@resumes
def run(
    file: str,
    dry_run: bool,
    retry_failed: bool,
    episodes: int | None,
    max_live: int,
    cpu_threads: int | None,
    cache_bytes: int | None,
    limits: RequestLimits,
    db: str,
    as_json: bool,
) -> None:
    """Play and judge what is missing, then show the standings.

    FILE is a tournament file, or the name of one; small is shipped.

    The same command goes on where it stopped, also after a crash; with another agent or scenario in
    the file it plays only what is new. It stops when the file's budget is spent, with what was
    played judged.
    """
    from simworld.jobs.settings import JobSettings
    from simworld.jobs.tournament import failed_judgements_line, run_tournament
    from simworld.tournaments.loaded_tournament import load_tournament
    from store import check_store

    tournament = load_tournament(file)
    if dry_run:
        check_store(db)
        show_remaining_cost(tournament, db, as_json, retry_failed=retry_failed)
        if not as_json:
            suggest_again(without="--dry-run")
        return
    has_begun = False

    @contextmanager
    def listen() -> Iterator[TournamentListener]:
        nonlocal has_begun
        has_begun = True
        with tournament_bars() as listener:
            yield listener

    try:
        done = run_tournament(
            tournament,
            db,
            JobSettings(
                retry_failed=retry_failed,
                max_live=max_live,
                cpu_threads=cpu_threads,
                cache_bytes=cache_bytes,
                server=limits.server,
                stopping=limits.stopping,
                before_load=say_loading,
                warn=warn,
            ),
            episodes=episodes,
            listen=listen,
        )
    except KeyboardInterrupt:
        if not has_begun:
            raise
        say(
            f"Stopped: tournament {tournament.name} is kept; the same command goes on from here.",
            err=True,
        )
        raise click.exceptions.Exit(130) from None
    if done.exhausted:
        due_text = counted(done.left, "episode is", "episodes are")
        click.echo(
            f"The budget of {done.exhausted} is spent: {due_text} left; the same command"
            " plays on with a fresh budget.",
            err=True,
        )
    failures = describe_failures(done.failures, tournament.name)
    for line in failures:
        click.echo(line, err=True)
    for judge, tally in done.tallies.items():
        if not as_json:
            rubric = tournament.judge(judge).rubric
            show_notes(own_rubric_notes(rubric, tally.overruled_scenarios))
        if tally.last_failure:
            say(failed_judgements_line(judge, tally), err=True)
    if used := token_usage_line(limits.stopping):
        click.echo(used, err=True)
    failed = bool(failures) or any(tally.failed for tally in done.tallies.values())
    try:
        show_standings(tournament, db, tournament.judges[0], None, as_json)
        limits.stopping.raise_if_budget_spent()
    finally:  # also where everything failed, so that there are no standings
        if not as_json and failed:
            suggest_again("--retry-failed")
    if not as_json and not failed:
        suggest_report(tournament, db)
