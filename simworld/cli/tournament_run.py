"""`simworld tournament run`: play and judge what is missing, with a bar for each part."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import click

from simworld.cli.completion import complete_tournaments
from simworld.cli.failures import failure_lines
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
from simworld.cli.output.progress import playing_bar, progress_bar
from simworld.cli.output.terminal import say_loading, show_notes, warn
from simworld.cli.output.text import harmless, say
from simworld.cli.output.tournament_output import (
    show_remaining_cost,
    show_standings,
    suggest_report,
)
from simworld.core.counts import counted

if TYPE_CHECKING:
    from simworld.judging.judging_pass import JudgingTally
    from simworld.runner.stored_run import RunProgress
    from simworld.tournament.play import TournamentListener


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
    from simworld.runner.agent_pool import load_agents
    from simworld.runner.stored_run import open_store_for
    from simworld.tournament.cost_estimate import estimate_cost
    from simworld.tournament.loaded_tournament import load_tournament
    from simworld.tournament.play import judge_opener, play_tournament
    from store import check_store

    tournament = load_tournament(file)
    check_store(db)
    if dry_run:
        show_remaining_cost(tournament, db, as_json, retry_failed=retry_failed)
        if not as_json:
            suggest_again(without="--dry-run")
        return
    budget = (
        tournament.file.budget
        if episodes is None
        else tournament.file.budget.model_copy(update={"episodes": episodes})
    )
    with (
        load_agents(
            tournament.specs.values(),
            batch_size=max_live,
            cache_bytes=cache_bytes,
            cpu_threads=cpu_threads,
            server=limits.server,
            before_load=say_loading,
            warn=warn,
        ) as agent_pool,
        open_store_for(agent_pool, db) as store,
    ):
        try:
            with _progress_bars() as listener:
                outcome = play_tournament(
                    tournament,
                    agent_pool,
                    store,
                    open_judge=judge_opener(
                        agent_pool, cpu_threads=cpu_threads, server=limits.server
                    ),
                    budget=budget,
                    retry_failed=retry_failed,
                    max_live=max_live,
                    listener=listener,
                    stopping=limits.stopping,
                )
        except KeyboardInterrupt:
            say(
                f"Stopped: tournament {tournament.name} is kept;"
                " the same command goes on from here.",
                err=True,
            )
            raise click.exceptions.Exit(130) from None
        if outcome.exhausted:
            due = estimate_cost(tournament, store).left
            due_text = counted(due, "episode is", "episodes are")
            click.echo(
                f"The budget of {outcome.exhausted} is spent: {due_text} left; the same command"
                " plays on with a fresh budget.",
                err=True,
            )
        failures = failure_lines(store, tournament.name)
        for line in failures:
            click.echo(line, err=True)
        judge_by_name = {judge.name: judge for judge in tournament.judges}
        for judge, tally in outcome.tallies.items():
            if not as_json:
                show_notes(own_rubric_notes(judge_by_name[judge].rubric, tally.overruled_scenarios))
            if tally.last_failure:
                say(
                    f"{counted(tally.failed, 'judgement')} by {judge} failed, the last:"
                    f" {tally.last_failure}",
                    err=True,
                )
    if used := token_usage_line(limits.stopping):
        click.echo(used, err=True)
    failed = bool(failures) or any(tally.failed for tally in outcome.tallies.values())
    try:
        show_standings(tournament, db, tournament.judges[0], None, as_json)
        limits.stopping.raise_if_budget_spent()
    finally:  # also where everything failed, so that there are no standings
        if not as_json and failed:
            suggest_again("--retry-failed")
    if not as_json and not failed:
        suggest_report(tournament, db)


@contextmanager
def _progress_bars() -> Iterator[TournamentListener]:
    """A bar for playing, with the time left, and another for each judge: one at a time, each from
    when it begins.
    """
    from simworld.tournament.play import TournamentListener

    bars: dict[str, Any] = {}
    with ExitStack() as stack:

        def bar_for(name: str, make_bar: Callable[[], AbstractContextManager[Any]]) -> Any:
            if name not in bars:
                stack.close()
                bars.clear()
                bars[name] = stack.enter_context(make_bar())
            return bars[name]

        def on_playing(progress: RunProgress) -> None:
            bar_for("", playing_bar)(progress)

        def on_judging(judge: str, tally: JudgingTally) -> None:
            done, failed = (
                tally.already_judged + tally.scored + tally.failed,
                f"{tally.failed} failed",
            )
            bar_for(judge, lambda: progress_bar(harmless(f"judging by {judge}")))(
                done, tally.total, failed
            )

        yield TournamentListener(on_playing=on_playing, on_judging=on_judging)
