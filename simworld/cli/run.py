"""`simworld run`: play scenarios with a cast, resumable, each episode committed as it ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from simworld.cli.casts import common_seats, explain_split_cast, read_casts
from simworld.cli.completion import complete_agents, complete_scenarios
from simworld.cli.dry_run import show_plan
from simworld.cli.failures import failure_lines
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
from simworld.cli.output.human_view import has_human, listen_to_play, terminal_backend
from simworld.cli.output.profile import print_profile
from simworld.cli.output.terminal import say_loading, warn
from simworld.cli.output.text import print_json, say
from simworld.core.counts import counted
from simworld.core.episode import MAX_REPEATS
from simworld.core.errors import InputError, Problem, collecting_problems

if TYPE_CHECKING:
    from agents import LoadedSpec
    from simworld.core.scenario import Scenario
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
    from simworld.runner.agent_pool import load_agents
    from simworld.runner.stored_run import open_store_for, play_missing
    from store import check_store

    try:
        casts = read_casts(by_order, by_seat, lambda: common_seats(scenarios))
        plan = make_plan(scenarios, casts, repeats=repeats, seed=seed, name=name)
    except InputError as error:
        raise explain_split_cast(scenarios, by_order, by_seat) or error from None
    terminal = terminal_backend()
    db_exists = check_store(db)  # before the models are loaded
    with (
        load_agents(
            plan.specs.values(),
            terminal=terminal,
            batch_size=max_live,
            cache_bytes=cache_bytes,
            cpu_threads=cpu_threads,
            server=limits.server,
            before_load=say_loading,
            warn=warn,
        ) as agent_pool,
        ExitStack() as stack,
    ):
        if name is None:
            plan = _with_default_name(plan, casts, agent_pool.ids, db if db_exists else None)
        if dry_run:
            show_plan(
                plan,
                agent_pool.ids,
                db if db_exists else None,
                retry_failed=retry_failed,
                as_json=as_json,
            )
            if not as_json:
                suggest_again(without="--dry-run")
            return
        store = stack.enter_context(open_store_for(agent_pool, db))
        last_progress: RunProgress | None = None
        try:
            with listen_to_play(plan.specs, terminal) as listener:

                def on_progress(progress: RunProgress) -> None:
                    nonlocal last_progress
                    last_progress = progress
                    listener.on_progress(progress)

                done = play_missing(
                    plan,
                    agent_pool,
                    store,
                    retry_failed=retry_failed,
                    max_live=1 if has_human(plan.specs) else max_live,
                    on_progress=on_progress,
                    on_acts=listener.on_acts,
                    stopping=limits.stopping,
                )
        except KeyboardInterrupt:
            stored = f"run {plan.run}"
            if last_progress is not None:
                of_run = f"of {stored}"
                stored = counted(
                    last_progress.finished_before + last_progress.played,
                    f"episode {of_run} is stored",
                    f"episodes {of_run} are stored",
                )
            say(f"Stopped: {stored}; the same command plays the rest.", err=True)
            raise click.exceptions.Exit(130) from None
        failures = failure_lines(store, plan.run)
    report = {
        "run": plan.run,
        "planned": done.planned,
        "already_there": done.finished_before,
        "played": done.played,
        "failed": done.failed,
    }
    if as_json:
        profile = {"profile": done.profile.to_json()} if with_profile and done.profile else {}
        print_json(report | token_usage_json(limits.stopping) | profile)
    else:
        counts = (
            f"{counted(done.played, 'episode')} played ({done.failed} failed),"
            f" {done.finished_before} already there"
        )
        say(f"run {plan.run}: {counts}, {done.planned} planned")
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


def make_plan(
    selectors: Sequence[str], casts: Sequence[Cast], *, repeats: int, seed: int, name: str | None
) -> RunPlan:
    """The plan of a command line; without a name the run has none yet.

    Raises InputError with everything wrong in scenarios, agents and casts at once.
    """
    from agents import find_specs
    from scenarios import find_scenarios
    from simworld.runner.run_plan import RunPlan

    problems: list[Problem] = []
    if name is not None and not (name.strip() and name.isprintable()):
        problems.append(
            Problem(message=f"--name {name!r}: expected a word or more, without control characters")
        )
    if not casts:
        problems.append(
            Problem(message="no agents are given; use --agents A,B in seat order, or --cast '*=A'")
        )
    scenarios: tuple[Scenario, ...] = ()
    specs: tuple[LoadedSpec, ...] = ()
    with collecting_problems(problems):
        loaded_scenarios = find_scenarios(selectors)
        note_duplicates(
            "scenario", ((loaded.scenario.id, loaded.path) for loaded in loaded_scenarios)
        )
        scenarios = tuple(loaded.scenario for loaded in loaded_scenarios)
    names = tuple(dict.fromkeys(agent for cast in casts for agent in cast.agent_names))
    with collecting_problems(problems):
        specs = find_specs(names)
    if problems:
        raise InputError(problems)
    spec_names = {given: loaded.spec.name for given, loaded in zip(names, specs, strict=True)}
    plan = RunPlan(
        run=name or "",
        seed=seed,
        repeats=repeats,
        scenarios=scenarios,
        casts=tuple(cast.with_spec_names(spec_names) for cast in casts),
        specs={loaded.spec.name: loaded for loaded in specs},
    )
    plan.seatings()
    return plan


def _with_default_name(
    plan: RunPlan, casts: Sequence[Cast], ids: Mapping[str, str], db: str | None
) -> RunPlan:
    """The plan under its default name; under the one that it got before, if such a run is in the
    database.
    """
    from simworld.runner.run_names import default_run_name, legacy_run_name, run_matches_plan
    from store import open_store

    earlier = legacy_run_name(plan.scenarios, casts, plan.seed)
    if db is not None:
        with open_store(db) as store:
            if run_matches_plan(store, earlier, plan, ids):
                return replace(plan, run=earlier)
    return replace(plan, run=default_run_name(plan, ids))
