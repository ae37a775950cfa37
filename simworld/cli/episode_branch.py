"""`simworld episode branch`: the same beginning, another agent from a turn on, and both
compared.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from simworld.cli.casts import read_casts
from simworld.cli.interrupt_message import resumes
from simworld.cli.next_command import suggest_again, suggest_next
from simworld.cli.options import (
    RequestLimits,
    allow_import_option,
    db_option,
    json_option,
    memory_option,
    request_limit_options,
    threads_option,
)
from simworld.cli.output.human_view import listen_to_play, terminal_backend
from simworld.cli.output.terminal import cell, console, grid, say_loading, warn
from simworld.cli.output.text import print_json, say
from simworld.cli.output.transcript import SHORT_ID
from simworld.core.errors import InputError

if TYPE_CHECKING:
    from simworld.results.branch_comparison import BranchDifference
    from simworld.runner.branch import Branch
    from simworld.runner.stored_run import RunProgress
    from store import Store


@click.command()
@click.argument("id_", metavar="ID")
@click.option(
    "--at",
    type=int,
    required=True,
    metavar="K",
    help="So many turns are kept; the cast plays from there on.",
)
@click.option(
    "--cast",
    "by_seat",
    metavar="SEAT=A",
    multiple=True,
    required=True,
    help="Who takes a seat over; '*=A' takes those not named. Other seats keep their agent.",
)
@click.option("--name", help="The run's name; default: derived from the episode, K and the cast.")
@click.option(
    "--retry-failed", is_flag=True, help="Play the branch again if it failed, as a further attempt."
)
@threads_option
@memory_option
@request_limit_options
@db_option
@allow_import_option
@json_option
@resumes
def branch(
    id_: str,
    at: int,
    by_seat: tuple[str, ...],
    name: str | None,
    retry_failed: bool,
    cpu_threads: int | None,
    cache_bytes: int | None,
    limits: RequestLimits,
    db: str,
    as_json: bool,
) -> None:
    """Play an episode on from a turn with another cast, with the same seeds, and compare the two.

    The branch is stored as a run of its own that names its parent; the same command again plays
    nothing and compares again. ID may be the beginning of an id.
    """
    from simworld.results.branch_comparison import compare_branch
    from simworld.results.last_attempts import last_attempts
    from simworld.runner.branch import make_branch
    from store import open_store

    with open_store(db) as store:
        parent = store.episode(id_.lower())
        scenario = store.scenario(parent.summary.scenario_id)
        (cast,) = read_casts((), by_seat, lambda: [seat.name for seat in scenario.seats])
        runs = {summary.run.name: summary.run for summary in store.run_summaries()}
        seed = runs[parent.summary.run].seed
        plan = make_branch(parent, scenario, seed, kept_turns=at, cast=cast.by_seat, run_name=name)
        if plan.run in runs and dict(runs[plan.run].settings) != plan.settings:
            raise InputError(f"run {plan.run!r} exists and is not this branch; give another --name")
        progress = _play_branch(
            plan,
            store,
            retry_failed=retry_failed,
            cpu_threads=cpu_threads,
            cache_bytes=cache_bytes,
            limits=limits,
        )
        (branched,) = last_attempts(store.episode_summaries(run=plan.run)).values()
        judgements = store.judgements_by_episode([parent.id, branched.id])
        differences = compare_branch(parent, store.episode(branched.id), judgements)
    if as_json:
        report = {
            "run": plan.run,
            "parent": parent.id,
            "branch": branched.id,
            "at": at,
            "played": progress.played,
        }
        rows = [asdict(row) | {"difference": row.difference} for row in differences]
        print_json(report | {"rows": rows}, indent=1)
    else:
        _print_differences(differences, parent.id, branched.id)
        if branched.failure is not None:
            suggest_again("--retry-failed")
        elif not judgements[branched.id]:
            click.echo("The branch is not judged yet.", err=True)
            suggest_next("judge run", "--run", plan.run, db=db)
        else:
            suggest_next("episode show", branched.id[:SHORT_ID], db=db)
    if branched.failure is not None:
        say(f"The branch failed: {branched.failure_text}; --retry-failed plays it again.", err=True)
        raise click.exceptions.Exit(1)


def _play_branch(
    plan: Branch,
    store: Store,
    *,
    retry_failed: bool,
    cpu_threads: int | None,
    cache_bytes: int | None,
    limits: RequestLimits,
) -> RunProgress:
    from simworld.runner.agent_pool import load_agents
    from simworld.runner.stored_run import play_missing

    terminal = terminal_backend()
    with (
        load_agents(
            plan.specs.values(),
            terminal=terminal,
            batch_size=1,
            cache_bytes=cache_bytes,
            cpu_threads=cpu_threads,
            server=limits.server,
            before_load=say_loading,
            warn=warn,
        ) as agent_pool,
        listen_to_play(plan.specs, terminal) as listener,
    ):
        return play_missing(
            plan,
            agent_pool,
            store,
            retry_failed=retry_failed,
            on_progress=listener.on_progress,
            on_acts=listener.on_acts,
            stopping=limits.stopping,
        )


def _print_differences(rows: list[BranchDifference], parent: str, branch: str) -> None:
    numbers = (f"parent {parent[:SHORT_ID]}", f"branch {branch[:SHORT_ID]}", "difference")
    table = grid("", "of", *numbers, right=numbers)
    for row in rows:
        difference = "" if row.difference is None else f"{row.difference:+.6g}"
        table.add_row(cell(row.what), cell(row.of), cell(row.parent), cell(row.branch), difference)
    console().print(table)
