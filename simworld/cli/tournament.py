"""`simworld tournament`: agents against each other from one file; run, status, standings,
compare.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simworld.cli.completion import complete_tournaments
from simworld.cli.failures import failure_lines
from simworld.cli.interrupt_message import resumes
from simworld.cli.judge.judge_options import own_rubric_notes
from simworld.cli.new import names_argument, out_option, write_templates
from simworld.cli.next_command import suggest_again, suggest_next
from simworld.cli.options import (
    RequestLimits,
    db_option,
    json_option,
    memory_option,
    request_limit_options,
    threads_option,
    token_usage_line,
)
from simworld.cli.progress import playing_bar, progress_bar
from simworld.cli.standings import (
    show_differences,
    show_notes,
    show_outcomes,
    show_price,
    show_results,
)
from simworld.cli.text import harmless, plain_json
from simworld.core.counts import counted
from simworld.core.errors import InputError
from simworld.yamlfile import did_you_mean

if TYPE_CHECKING:
    from simworld.judging.judge_spec import JudgeSpec
    from simworld.judging.judging_pass import JudgingTally
    from simworld.runner.stored_run import RunProgress
    from simworld.tournament.cost_estimate import CostEstimate
    from simworld.tournament.loading import Tournament
    from simworld.tournament.play import TournamentListener

judge_option = click.option(
    "--judge", "judge_name", metavar="NAME", help="One of the file's judges; default: the first."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def tournament() -> None:
    """Play agents against each other in equal circumstances, and say who is better and how sure
    that is.
    """


@tournament.command()
@click.argument("file", shell_complete=complete_tournaments)
@json_option
def check(file: str, as_json: bool) -> None:
    """Check a tournament file, and everything that it names."""
    from simworld.tournament.loading import open_tournament
    from simworld.tournament.tournament_plan import matches_of, plan_of

    opened = open_tournament(file)
    casts = len(plan_of(opened, matches_of(opened)).seatings())
    counts = {
        "agents": len(opened.agents),
        "scenarios": len(opened.scenarios),
        "families": len({scenario.family for scenario in opened.scenarios}),
        "episodes": casts * opened.file.repeats,
    }
    if as_json:
        click.echo(plain_json({"tournament": opened.name, **counts}))
        return
    text = ", ".join(
        counted(number, "family" if name == "families" else name.removesuffix("s"), name)
        for name, number in counts.items()
    )
    click.echo(harmless(f"{opened.name}: {text}"))
    suggest_next("tournament run", file)


@tournament.command()
@names_argument
@out_option
def new(names: tuple[str, ...], out: Path | None) -> None:
    """Write commented tournaments to start from.

    Of the agents, scenarios and judges in this folder, or of the library's where there are none.
    Never overwrites a file.
    """
    from simworld.cli.file_kinds import file_kind
    from simworld.tournament.template import tournament_template
    from simworld.yamlfile import yaml_files

    beside = out.parent if out is not None else Path()
    here: dict[str, list[str]] = {"agent": [], "scenario": [], "judge": []}
    for path in yaml_files(beside) if beside.is_dir() else ():
        if (kind := file_kind(path)) in here:
            here[kind].append(str(path.relative_to(beside)))

    def text(name: str, file: str, number: int) -> str:
        return tournament_template(
            name, file, agents=here["agent"], scenarios=here["scenario"], judges=here["judge"]
        )

    write_templates(names, out, text)
    suggest_next("check", *([str(beside)] if str(beside) != "." else []))


@tournament.command()
def schema() -> None:
    """Print the JSON Schema of tournament files."""
    from simworld.tournament.tournament_file import tournament_schema_text

    click.echo(tournament_schema_text(), nl=False)


@tournament.command()
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
    "--live",
    type=click.IntRange(min=1),
    default=32,
    show_default=True,
    help="Conversations at once.",
)
@threads_option
@memory_option
@request_limit_options
@db_option
@json_option
@resumes
def run(
    file: str,
    dry_run: bool,
    retry_failed: bool,
    episodes: int | None,
    live: int,
    threads: int | None,
    memory_gb: float | None,
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
    from simworld.runner.loaded_agents import load_agents
    from simworld.runner.stored_run import open_store_for
    from simworld.tournament.cost_estimate import estimate_cost
    from simworld.tournament.loading import open_tournament
    from simworld.tournament.play import judges_of, play_tournament
    from store import check_store

    opened = open_tournament(file)
    check_store(db)
    if dry_run:
        _price(opened, db, as_json, retry_failed=retry_failed)
        if not as_json:
            suggest_again(without="--dry-run")
        return
    budget = (
        opened.file.budget
        if episodes is None
        else opened.file.budget.model_copy(update={"episodes": episodes})
    )
    with (
        load_agents(
            opened.specs.values(),
            batch_size=live,
            cache_bytes=None if memory_gb is None else max(1, int(memory_gb * 1e9)),
            threads=threads,
            server=limits.server,
            before_load=lambda model: click.echo(harmless(f"loading {model} …"), err=True),
            warn=lambda line: click.echo(harmless(f"Warning: {line}"), err=True),
        ) as loaded_agents,
        open_store_for(loaded_agents, db) as store,
    ):
        try:
            with _watching() as watch:
                ran = play_tournament(
                    opened,
                    loaded_agents,
                    store,
                    open_judge=judges_of(loaded_agents, threads=threads, server=limits.server),
                    budget=budget,
                    retry_failed=retry_failed,
                    live=live,
                    watch=watch,
                    stopping=limits.stopping,
                )
        except KeyboardInterrupt:
            click.echo(
                harmless(
                    f"Stopped: tournament {opened.name} is kept;"
                    " the same command goes on from here."
                ),
                err=True,
            )
            raise click.exceptions.Exit(130) from None
        if ran.spent:
            left = estimate_cost(opened, store).left
            click.echo(
                f"The budget of {ran.spent} is spent: {counted(left, 'episode is', 'episodes are')}"
                " left; the same command plays on with a fresh budget.",
                err=True,
            )
        failures = failure_lines(store, opened.name)
        for line in failures:
            click.echo(line, err=True)
        by_name = {judge.name: judge for judge in opened.judges}
        for judge, tally in ran.tallies.items():
            if not as_json:
                show_notes(own_rubric_notes(by_name[judge].rubric, tally.overruled))
            if tally.last_failure:
                click.echo(
                    harmless(
                        f"{counted(tally.failed, 'judgement')} by {judge} failed, the last:"
                        f" {tally.last_failure}"
                    ),
                    err=True,
                )
    if used := token_usage_line(limits.stopping):
        click.echo(used, err=True)
    failed = bool(failures) or any(tally.failed for tally in ran.tallies.values())
    try:
        _standings(opened, db, opened.judges[0], None, as_json)
        limits.stopping.check_budget()
    finally:  # also where everything failed, so that there are no standings
        if not as_json and failed:
            suggest_again("--retry-failed")
    if not as_json and not failed:
        _report_next(opened, db)


@tournament.command()
@click.argument("file", shell_complete=complete_tournaments)
@db_option
@json_option
def status(file: str, db: str, as_json: bool) -> None:
    """Show how far a tournament is, and what is left."""
    from simworld.tournament.loading import open_tournament

    opened = open_tournament(file)
    cost = _price(opened, db, as_json)
    if as_json:
        return
    if cost.left or cost.judgements:
        suggest_next("tournament run", file, db=db)
    elif cost.failed:
        suggest_next("tournament run", file, "--retry-failed", db=db)
    else:
        suggest_next("tournament standings", file, db=db)


@tournament.command()
@click.argument("file", shell_complete=complete_tournaments)
@judge_option
@click.option(
    "--measure", metavar="NAME", help="Ratings and wins on this dimension; default: overall."
)
@db_option
@json_option
def standings(
    file: str, judge_name: str | None, measure: str | None, db: str, as_json: bool
) -> None:
    """Show scores, ratings and wins of what is played and judged."""
    from simworld.tournament.loading import open_tournament

    opened = open_tournament(file)
    _standings(opened, db, _judge(opened, judge_name), measure, as_json)
    if not as_json:
        _report_next(opened, db)


@tournament.command()
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
    from simworld.judging.judge_warnings import cautions
    from simworld.pipeline.requirements import check_requirement, read_requirements
    from simworld.tournament.loading import open_tournament
    from simworld.tournament.results import differences, judge_ids
    from simworld.tournament.results_json import plain_differences
    from store import open_store

    opened = open_tournament(file)
    judge = _judge(opened, judge_name)
    for name in (first, second):
        if name not in opened.agents:
            hint = did_you_mean(name, opened.agents) or f"; there are {', '.join(opened.agents)}"
            raise InputError(f"no agent {name!r} in tournament {opened.name!r}{hint}")
    if first == second:
        raise InputError(f"{first!r} is compared with itself; name two agents")
    with open_store(db) as store:
        noted = cautions(store, judge_ids(store, opened.name, judge), run=opened.name)
        both = {
            (a, b): differences(opened, store, judge, a, b)
            for a, b in ((first, second), (second, first))
        }
    measures = both[first, second]
    if not measures:
        raise InputError(
            f"{first!r} and {second!r} have no score in the same cell of tournament {opened.name!r}"
        )
    requirements = read_requirements(
        required, arms=(first, second), measures=measures, main=OVERALL
    )
    outcomes = []
    for requirement in requirements:
        difference = both[requirement.better, requirement.worse].get(requirement.measure)
        outcomes.append(check_requirement(requirement, difference.paired if difference else None))
    if as_json:
        data = plain_differences(first, second, measures)
        data["cautions"] = list(noted)
        data["requirements"] = [
            {"text": o.requirement.text, "holds": o.holds, "reason": o.reason} for o in outcomes
        ]
        click.echo(plain_json(data, indent=1))
    else:
        show_differences(first, second, measures)
        show_notes(noted)
        show_outcomes(outcomes)
        _report_next(opened, db)
    if not all(outcome.holds for outcome in outcomes):
        raise click.exceptions.Exit(1)


@contextmanager
def _watching() -> Iterator[TournamentListener]:
    """A bar for playing, with the time left, and another for each judge: one at a time, each from
    when it begins.
    """
    from simworld.tournament.play import TournamentListener

    bars: dict[str, Any] = {}
    with ExitStack() as shown:

        def bar(name: str, make: Callable[[], AbstractContextManager[Any]]) -> Any:
            if name not in bars:
                shown.close()
                bars.clear()
                bars[name] = shown.enter_context(make())
            return bars[name]

        def playing(progress: RunProgress) -> None:
            bar("", playing_bar)(progress)

        def judging(judge: str, tally: JudgingTally) -> None:
            done, failed = tally.already + tally.scored + tally.failed, f"{tally.failed} failed"
            bar(judge, lambda: progress_bar(harmless(f"judging by {judge}")))(
                done, tally.total, failed
            )

        yield TournamentListener(playing=playing, judging=judging)


def _report_next(opened: Tournament, db: str) -> None:
    suggest_next("report", opened.name, "--out", f"{opened.name}.html", db=db)


def _judge(opened: Tournament, name: str | None) -> JudgeSpec:
    names = [judge.name for judge in opened.judges]
    if name is not None and name not in names:
        raise InputError(
            f"tournament {opened.name!r} has no judge {name!r}; there are {', '.join(names)}"
        )
    return opened.judges[0] if name is None else opened.judges[names.index(name)]


def _price(
    opened: Tournament, db: str, as_json: bool, *, retry_failed: bool = False
) -> CostEstimate:
    from simworld.tournament.cost_estimate import estimate_cost
    from store import open_store
    from store.database_address import parse_address

    path = parse_address(db).path
    if path is not None and not path.exists():  # a command that reads never makes a database
        cost = estimate_cost(opened, None, retry_failed=retry_failed)
    else:
        with open_store(db) as store:
            cost = estimate_cost(opened, store, retry_failed=retry_failed)
    show_price(opened.name, cost, as_json)
    return cost


def _standings(
    opened: Tournament, db: str, judge: JudgeSpec, measure: str | None, as_json: bool
) -> None:
    from simworld.tournament.results import tournament_results
    from simworld.tournament.results_json import plain_results
    from simworld.tournament.tournament_plan import same_partners
    from store import open_store

    with open_store(db) as store:
        known = tournament_results(opened, store, judge)
    if as_json:
        click.echo(plain_json(plain_results(opened, known), indent=1))
    else:
        same = same_partners(opened)
        show_results(opened.file.title or opened.name, known, measure=measure, same_partners=same)
