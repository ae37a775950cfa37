"""`simworld run`: play scenarios with a cast, resumable, each episode committed as it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

import click

from simworld.cli.casts import common_seats, explain_split_cast, read_casts
from simworld.cli.completion import complete_agents, complete_scenarios
from simworld.cli.dry_run import show_plan
from simworld.cli.failures import describe_failures
from simworld.cli.files.duplicate_files import note_duplicates
from simworld.cli.interrupt_message import resumes
from simworld.cli.next_command import suggest_again, suggest_next
from simworld.cli.options import (
    RequestLimits,
    allow_import_option,
    db_option,
    json_option,
    memory_option,
    profile_option,
    request_limit_options,
    threads_option,
    token_usage_json,
    token_usage_line,
)
from simworld.cli.output.human_view import listen_to_play, terminal_backend
from simworld.cli.output.profile import print_profile
from simworld.cli.output.terminal import say_loading, warn
from simworld.cli.output.text import print_json, say
from simworld.core.counts import counted
from simworld.core.episode import MAX_REPEATS
from simworld.core.errors import InputError

if TYPE_CHECKING:
    from agents import TerminalBackend
    from simworld.jobs.run import PlayListener, RunRequest
    from simworld.runner.run_plan import Cast, RunPlan
    from simworld.runner.stored_run import RunProgress


@click.command()
@click.argument(
    "scenarios", metavar="SCENARIO...", nargs=-1, required=True, shell_complete=complete_scenarios
)
@click.option(
    "--agents",
    "by_order",
    metavar="A,B",
    multiple=True,
    shell_complete=complete_agents,
    help="A cast in seat order; again for another cast.",
)
@click.option(
    "--cast",
    "by_seat",
    metavar="SEAT=A",
    multiple=True,
    shell_complete=complete_agents,
    help="One cast by seat: SEAT=A,SEAT=B or the option again; '*=A' fills the other seats.",
)
@click.option(
    "--repeats",
    type=click.IntRange(1, MAX_REPEATS),
    default=1,
    help="Episodes per scenario and cast.",
)
@click.option("--seed", type=int, default=0, help="All randomness derives from it.")
@click.option(
    "--name",
    help="The run's name; default: made of the content of scenarios and agents, and the seed.",
)
@click.option(
    "--dry-run", is_flag=True, help="Say what would be played; load no model and make no database."
)
@click.option(
    "--retry-failed", is_flag=True, help="Play failed episodes again, as a further attempt."
)
@click.option(
    "--live",
    "max_live",
    type=click.IntRange(min=1),
    default=32,
    help="Conversations under way at once.",
)
@threads_option
@memory_option
@request_limit_options
@profile_option
@db_option
@allow_import_option
@json_option
@resumes
def run(
    scenarios: tuple[str, ...],
    by_order: tuple[str, ...],
    by_seat: tuple[str, ...],
    repeats: int,
    seed: int,
    name: str | None,
    dry_run: bool,
    retry_failed: bool,
    max_live: int,
    cpu_threads: int | None,
    cache_bytes: int | None,
    limits: RequestLimits,
    with_profile: bool,
    db: str,
    as_json: bool,
) -> None:
    """Play scenarios (names, files, folders, globs, tag:NAME, `library`, `heldout`, `exam` or
    `languages`) with a cast of agents.

    The same command again plays what is missing and nothing else.
    """
    from simworld.jobs.run import play_run
    from simworld.jobs.settings import JobSettings
    from store import check_store

    try:
        casts = read_casts(by_order, by_seat, lambda: common_seats(scenarios))
        request = make_request(scenarios, casts, repeats=repeats, seed=seed, name=name)
    except InputError as error:
        raise explain_split_cast(scenarios, by_order, by_seat) or error from None
    terminal = terminal_backend()
    settings = JobSettings(
        retry_failed=retry_failed,
        max_live=max_live,
        cpu_threads=cpu_threads,
        cache_bytes=cache_bytes,
        server=limits.server,
        stopping=limits.stopping,
        before_load=say_loading,
        warn=warn,
    )
    if dry_run:
        existing_db = db if check_store(db) else None
        with settings.open_agents(request.plan.specs.values(), terminal) as agent_pool:
            show_plan(
                request.named(agent_pool.ids, existing_db),
                agent_pool.ids,
                existing_db,
                retry_failed=retry_failed,
                as_json=as_json,
            )
        if not as_json:
            suggest_again(without="--dry-run")
        return
    with _saying_what_is_stored(terminal) as listen:
        done = play_run(request, db, settings, terminal=terminal, listen=listen)
    failures = describe_failures(done.failures, done.run)
    report = {
        "run": done.run,
        "planned": done.planned,
        "already_there": done.finished_before,
        "played": done.played,
        "failed": done.failed,
    }
    if as_json:
        profile = {"profile": done.profile.to_json()} if with_profile and done.profile else {}
        print_json(report | token_usage_json(limits.stopping) | profile)
    else:
        say(done.headline)
        if used := token_usage_line(limits.stopping):
            click.echo(used)
        for line in failures:
            click.echo(line, err=True)
        if with_profile and done.profile:
            print_profile(done.profile)
    limits.stopping.raise_if_budget_spent()
    if not as_json and failures:
        suggest_again("--retry-failed")
    elif not as_json:
        suggest_next("judge run", db=db)
    if done.played and done.failed == done.played:
        raise click.exceptions.Exit(1)


def make_request(
    selectors: Sequence[str], casts: Sequence[Cast], *, repeats: int, seed: int, name: str | None
) -> RunRequest:
    """What a command line asks for; files of equal content are noted.

    Raises InputError with everything wrong in scenarios, agents and casts at once.
    """
    from simworld.jobs.run import plan_run

    return plan_run(
        selectors,
        [cast.by_order or cast.by_seat for cast in casts],
        repeats=repeats,
        seed=seed,
        name=name,
        on_loaded=lambda loaded: note_duplicates(
            "scenario", ((each.scenario.id, each.path) for each in loaded)
        ),
    )


@contextmanager
def _saying_what_is_stored(
    terminal: TerminalBackend,
) -> Iterator[Callable[[RunPlan], AbstractContextManager[PlayListener]]]:
    """Gives what opens the listener of a run; Ctrl-C says how many of its episodes are stored."""
    from simworld.jobs.run import PlayListener

    run = ""
    last_progress: RunProgress | None = None

    @contextmanager
    def listen(plan: RunPlan) -> Iterator[PlayListener]:
        nonlocal run
        run = plan.run
        with listen_to_play(plan.specs, terminal) as listener:

            def on_progress(progress: RunProgress) -> None:
                nonlocal last_progress
                last_progress = progress
                listener.on_progress(progress)

            yield PlayListener(on_progress=on_progress, on_acts=listener.on_acts)

    try:
        yield listen
    except KeyboardInterrupt:
        if not run:  # nothing was begun
            raise
        stored = f"run {run}"
        if last_progress is not None:
            of_run = f"of {stored}"
            stored = counted(
                last_progress.finished_before + last_progress.played,
                f"episode {of_run} is stored",
                f"episodes {of_run} are stored",
            )
        say(f"Stopped: {stored}; the same command plays the rest.", err=True)
        raise click.exceptions.Exit(130) from None
