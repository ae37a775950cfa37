"""`simworld judge run`: score stored episodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from simworld.cli.interrupt_message import resumes
from simworld.cli.judge.judge_options import (
    JudgeCommand,
    judge_option,
    load_judge_option,
    load_rubric_option,
    open_judge,
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
from simworld.cli.output.progress import progress_bar
from simworld.cli.output.terminal import show_notes
from simworld.cli.output.text import harmless, print_json
from simworld.core.errors import InputError

if TYPE_CHECKING:
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
    from simworld.judging.judge_warnings import judge_warnings
    from simworld.judging.judging_pass import JudgingPass
    from simworld.runner.profiler import Profiler
    from store import open_store

    spec, _ = load_judge_option(judge_name)
    if spec.rubric:
        load_rubric_option(spec.rubric)  # before the model is loaded
    with open_store(db) as store:
        store.check_names(run=run_name)
        with open_judge(spec, cpu_threads, limits.server) as backend:
            judging = JudgingPass(
                store,
                spec,
                backend,
                run=run_name,
                retry_failed=retry_failed,
                swap=swap,
                stopping=limits.stopping,
            )
            profiler = Profiler({})
            try:
                with progress_bar("judging") as show_progress:
                    tally = judging.judge_missing(
                        samples=samples,
                        on_progress=lambda t: show_progress(
                            t.scored + t.failed, t.total - t.already_judged, ""
                        ),
                    )
            except KeyboardInterrupt:
                click.echo(
                    f"{_tally_text(judging.tally)}. Stopped; the same command goes on from here.",
                    err=True,
                )
                raise click.exceptions.Exit(130) from None
            if backend.loaded is not None:
                profiler.add_backend(spec.model, backend.loaded)
            profiler.add_time("storing", judging.storing_s)
            judge_cautions = (
                judge_warnings(store, tally.judge_ids, run=run_name)
                if tally.scored + tally.already_judged
                else ()
            )
            profile = profiler.profile({spec.model: sum(judging.backend_seconds.values())})
    if as_json:
        report = _tally_json(tally) | {"cautions": list(judge_cautions)}
        profile_json = {"profile": profile.to_json()} if with_profile else {}
        print_json(report | token_usage_json(limits.stopping) | profile_json)
    else:
        click.echo(_tally_text(tally))
        if used := token_usage_line(limits.stopping):
            click.echo(used)
        if with_profile:
            print_profile(profile)
        show_notes([*own_rubric_notes(spec.rubric, tally.overruled_scenarios), *judge_cautions])
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


def _tally_text(tally: JudgingTally) -> str:
    return f"{tally.scored} scored, {tally.failed} failed, {tally.already_judged} already there"


def _tally_json(tally: JudgingTally) -> dict[str, object]:
    return {
        "scored": tally.scored,
        "failed": tally.failed,
        "already": tally.already_judged,
        "judges": list(tally.judge_ids),
    }
