"""`simworld judge run`: score stored episodes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from simworld.cli.interrupt_message import resumes
from simworld.cli.judge.judge_options import (
    JudgeCommand,
    judge_option,
    load_judge_option,
    load_rubric_option,
    own_rubric_notes,
    run_option,
)
from simworld.cli.next_command import suggest_again, suggest_next
from simworld.cli.options import (
    RequestLimits,
    allow_import_option,
    db_option,
    json_option,
    profile_option,
    request_limit_options,
    threads_option,
    token_usage_json,
    token_usage_line,
)
from simworld.cli.output.profile import print_profile
from simworld.cli.output.terminal import show_notes
from simworld.cli.output.text import harmless, print_json
from simworld.core.errors import InputError
from simworld.jobs.progress import judging_bar

if TYPE_CHECKING:
    from simworld.jobs.judge import OnTally
    from simworld.judging.judging_pass import JudgingTally
    from simworld.judging.swapped_dialogue import Swap


@click.command(cls=JudgeCommand)
@judge_option
@run_option
@click.option(
    "--samples",
    type=click.IntRange(min=1),
    help="Judgements per episode; default: the judge's own.",
)
@click.option(
    "--retry-failed",
    is_flag=True,
    help="Judge again where this judge failed; the failure is kept beside the new attempt.",
)
@click.option(
    "--swap",
    type=click.Choice(["seats", "names"]),
    help=(
        "As another judge that is shown people in reverse order, or under each other's names; see"
        " `judge agree`."
    ),
)
@threads_option
@request_limit_options
@profile_option
@db_option
@allow_import_option
@json_option
@resumes
def run(
    db: str,
    judge_name: str,
    run_name: str | None,
    samples: int | None,
    retry_failed: bool,
    swap: Swap | None,
    cpu_threads: int | None,
    limits: RequestLimits,
    with_profile: bool,
    as_json: bool,
) -> None:
    """Judge stored episodes.

    Those that this judge has not judged yet; the same command again goes on where it stopped.
    """
    from simworld.jobs.judge import judge_stored, tally_line
    from simworld.jobs.settings import JobSettings
    from simworld.judging.judging_pass import JudgingTally

    spec, _ = load_judge_option(judge_name)
    if spec.rubric:
        load_rubric_option(spec.rubric)  # before the model is loaded
    last_tally: JudgingTally | None = None

    @contextmanager
    def listen() -> Iterator[OnTally]:
        nonlocal last_tally
        last_tally = JudgingTally()
        with judging_bar() as show:

            def on_progress(tally: JudgingTally) -> None:
                nonlocal last_tally
                last_tally = tally
                show(tally)

            yield on_progress

    try:
        done = judge_stored(
            spec,
            db,
            JobSettings(
                retry_failed=retry_failed,
                cpu_threads=cpu_threads,
                server=limits.server,
                stopping=limits.stopping,
            ),
            run=run_name,
            samples=samples,
            swap=swap,
            listen=listen,
        )
    except KeyboardInterrupt:
        if last_tally is None:  # nothing was begun
            raise
        click.echo(
            f"{tally_line(last_tally)}. Stopped; the same command goes on from here.", err=True
        )
        raise click.exceptions.Exit(130) from None
    tally = done.tally
    if as_json:
        report = _tally_json(tally) | {"cautions": list(done.cautions)}
        profile_json = {"profile": done.profile.to_json()} if with_profile else {}
        print_json(report | token_usage_json(limits.stopping) | profile_json)
    else:
        click.echo(done.headline)
        if used := token_usage_line(limits.stopping):
            click.echo(used)
        if with_profile:
            print_profile(done.profile)
        show_notes([*own_rubric_notes(spec.rubric, tally.overruled_scenarios), *done.cautions])
    if tally.failed and tally.last_failure:
        click.echo(
            f"The last failure: {harmless(str(tally.last_failure))}; --retry-failed tries again.",
            err=True,
        )
    if tally.missing_rubrics:
        raise InputError(tally.missing_rubrics)
    limits.stopping.raise_if_budget_spent()
    if not as_json and tally.failed:
        suggest_again("--retry-failed")
    elif not as_json and not tally.total:
        suggest_next("run", "library", "--cast", "*=smol-script", db=db)  # nothing is played
    elif not as_json:
        suggest_next("episode list", *(["--run", run_name] if run_name is not None else []), db=db)


def _tally_json(tally: JudgingTally) -> dict[str, object]:
    return {
        "scored": tally.scored,
        "failed": tally.failed,
        "already": tally.already_judged,
        "judges": list(tally.judge_ids),
    }
