"""`simworld evaluate`: arms against each other in equal circumstances; a gate with `--require`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from simworld.cli.failures import describe_failures
from simworld.cli.interrupt_message import resumes
from simworld.cli.next_command import suggest_again, suggest_next
from simworld.cli.options import (
    RequestLimits,
    allow_import_option,
    db_option,
    json_option,
    request_limit_options,
    threads_option,
    token_usage_line,
)
from simworld.cli.output.evaluation_tables import show_evaluation, show_requirements
from simworld.cli.output.terminal import say_loading, show_notes, warn
from simworld.cli.output.text import print_json, say
from simworld.core.episode import MAX_REPEATS
from simworld.core.errors import BudgetSpent, InputError, Problem, collecting_problems
from simworld.jobs.progress import evaluation_bar

if TYPE_CHECKING:
    from simworld.jobs.evaluation_listener import EvaluationListener
    from simworld.results.seat_measures import MeasureSpec


@click.command()
@click.option(
    "--agents",
    "arms",
    metavar="ARM=A,…",
    multiple=True,
    required=True,
    help="The arms: base=A,steered=B.",
)
@click.option(
    "--scenarios",
    metavar="S,…",
    multiple=True,
    required=True,
    help=(
        "Names, files, folders, globs, tag:NAME, `library`, `heldout` or `exam`; commas or the"
        " option again for more."
    ),
)
@click.option(
    "--partners", metavar="A,…", multiple=True, required=True, help="Who holds the other seats."
)
@click.option(
    "--seats",
    type=click.Choice(["both", "first", "second"]),
    default="both",
    help="Where the arms play; both: each seat in turn.",
)
@click.option(
    "--repeats", type=click.IntRange(1, MAX_REPEATS), default=1, help="Episodes per cell and arm."
)
@click.option("--judge", "judge_name", metavar="SPEC", help="A shipped judge's name, or a file.")
@click.option(
    "--lexical", metavar="REGEX", help="Compare by the share of utterances in which this is found."
)
@click.option(
    "--like",
    metavar="TEXT",
    help="Compare by the likeness of utterances to this text (sentence embeddings).",
)
@click.option(
    "--reward-of",
    metavar="PLANNER",
    help=(
        "Compare by what this planner was rewarded for: the folder of a checkpoint, or a steered"
        " agent. Rules are compared one by one too."
    ),
)
@click.option(
    "--measure",
    "measured",
    metavar="NAME",
    multiple=True,
    help="Compare by how a seat played: words, questions, repeats, or an installed extension.",
)
@click.option(
    "--name", metavar="NAME", help="The run's name; default: derived from the other options."
)
@click.option("--seed", type=int, default=0, help="All randomness derives from it.")
@click.option(
    "--require",
    "required",
    metavar="A>B",
    multiple=True,
    help=(
        "Exit with 1 unless arm A is better than B: higher, with p < 0.05. Or A>B:goal, or"
        " A>B:goal:p<0.01."
    ),
)
@click.option(
    "--quality",
    type=click.IntRange(min=0),
    default=400,
    help="Replies of each arm that are read for perplexity and embeddings; 0: none.",
)
@click.option("--retry-failed", is_flag=True, help="Play and judge again what failed.")
@click.option(
    "--live", "max_live", type=click.IntRange(min=1), default=32, help="Conversations at once."
)
@threads_option
@request_limit_options
@db_option
@allow_import_option
@json_option
@resumes
def evaluate(
    arms: tuple[str, ...],
    scenarios: tuple[str, ...],
    partners: tuple[str, ...],
    seats: str,
    repeats: int,
    judge_name: str | None,
    lexical: str | None,
    like: str | None,
    reward_of: str | None,
    measured: tuple[str, ...],
    name: str | None,
    seed: int,
    required: tuple[str, ...],
    quality: int,
    retry_failed: bool,
    max_live: int,
    cpu_threads: int | None,
    limits: RequestLimits,
    db: str,
    as_json: bool,
) -> None:
    """Compare agents in equal circumstances.

    Every arm plays the same scenarios, seats, partners and repeats with the same random numbers;
    then what they did is judged, or measured, and compared pair by pair. The arm `base` (else the
    first) is what the others are compared with; `planner` or `steered` (else the last) is compared
    with all. The same command again plays and judges what is missing.

    Exit codes: 0, and every requirement holds; 1, one does not; 2, something given cannot be used.
    """
    from simworld.cli.judge.judge_options import load_judge_option
    from simworld.jobs.evaluate import (
        evaluate_arms,
        plan_requirements,
        read_measure,
        read_seat_measures,
    )
    from simworld.jobs.settings import JobSettings
    from simworld.pipeline.arms_plan import EvaluationMeasures, evaluation_name, plan_arms
    from simworld.pipeline.evaluation_result import evaluation_json

    problems: list[Problem] = []
    agent_by_arm = _parse_arms(arms, problems)
    reward = None
    with collecting_problems(problems):
        reward = read_measure(lexical, like, reward_of)
    judge = None
    with collecting_problems(problems):
        judge = load_judge_option(judge_name)[0] if judge_name else None
    of_seats: tuple[MeasureSpec, ...] = ()
    with collecting_problems(problems):
        of_seats = read_seat_measures(measured)
    if not (judge_name or reward or of_seats or problems):
        message = "nothing to compare by; use --judge, --lexical, --like, --reward-of or --measure"
        problems.append(Problem(message=message))
    plan = None
    scenario_names, partner_names = _split_at_commas(scenarios), _split_at_commas(partners)
    with collecting_problems(problems):
        plan = plan_arms(
            agent_by_arm,
            scenarios=scenario_names,
            partners=partner_names,
            seats=seats,  # type: ignore[arg-type]  # one of click's choices
            repeats=repeats,
            seed=seed,
            run=name
            or evaluation_name(
                agent_by_arm, scenarios=scenario_names, partners=partner_names, seed=seed
            ),
        )
    if problems or plan is None:
        raise InputError(problems)
    measures = EvaluationMeasures(judge=judge, reward=reward, seats=of_seats)
    requirements = plan_requirements(required, plan, measures)
    has_begun = False

    @contextmanager
    def listen() -> Iterator[EvaluationListener]:
        nonlocal has_begun
        has_begun = True
        with evaluation_bar() as listener:
            yield listener

    try:
        done = evaluate_arms(
            plan,
            measures,
            db,
            JobSettings(
                retry_failed=retry_failed,
                max_live=max_live,
                cpu_threads=cpu_threads,
                server=limits.server,
                stopping=limits.stopping,
                before_load=say_loading,
                warn=warn,
            ),
            requirements=requirements,
            quality=quality,
            listen=listen,
        )
    except KeyboardInterrupt:
        if not has_begun:
            raise
        say(f"Stopped: run {plan.run} is kept; the same command goes on from here.", err=True)
        raise click.exceptions.Exit(130) from None
    except BudgetSpent as spent:
        if not requirements:
            raise
        click.echo(f"Stopped: {spent}; what is required is not shown yet.", err=True)
        raise click.exceptions.Exit(1) from None
    failures = describe_failures(done.failures, plan.run)
    if used := token_usage_line(limits.stopping):
        click.echo(used, err=True)
    if as_json:
        report = evaluation_json(done.evaluation, done.outcomes) | {"cautions": list(done.cautions)}
        print_json(report, indent=1)
    else:
        show_evaluation(done.evaluation)
        show_notes(done.cautions)
        show_requirements(done.outcomes)
    for line in failures:
        click.echo(line, err=True)
    if not as_json and failures:
        suggest_again("--retry-failed")
    elif not as_json:
        suggest_next("episode list", "--run", plan.run, db=db)
    if not done.holds:
        raise click.exceptions.Exit(1)


def _parse_arms(texts: Sequence[str], problems: list[Problem]) -> dict[str, str]:
    arms: dict[str, str] = {}
    for part in _split_at_commas(texts):
        arm, equals, agent = (word.strip() for word in part.partition("="))
        if not (arm and equals and agent):
            problems.append(
                Problem(
                    message=(
                        f"--agents {part!r} is not understood; write ARM=AGENT, like"
                        " base=smol-script"
                    )
                )
            )
        elif arm in arms:
            problems.append(Problem(message=f"--agents names the arm {arm!r} twice"))
        else:
            arms[arm] = agent
    return arms


def _split_at_commas(texts: Sequence[str]) -> list[str]:
    return [part.strip() for text in texts for part in text.split(",") if part.strip()]
