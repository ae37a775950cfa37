"""`simworld judge attribute`: what each utterance was worth."""

from __future__ import annotations

import click

from simworld.cli.interrupt_message import resumes
from simworld.cli.judge.judge_options import (
    JudgeCommand,
    judge_option,
    load_judge_option,
    open_judge,
    run_option,
)
from simworld.cli.next_command import suggest_again, suggest_next
from simworld.cli.options import (
    RequestLimits,
    allow_import_option,
    db_option,
    json_option,
    request_limit_options,
    threads_option,
)
from simworld.cli.output.text import harmless, plain_json
from simworld.jobs.progress import progress_bar


@click.command(cls=JudgeCommand)
@judge_option
@click.option(
    "--method",
    required=True,
    type=click.Choice(["attributed", "prefixes"]),
    help=(
        "attributed: weights of single lines, by a judge of opposed statements; prefixes: scores of"
        " the dialogue so far."
    ),
)
@run_option
@threads_option
@request_limit_options
@db_option
@allow_import_option
@json_option
@resumes
def attribute(
    db: str,
    judge_name: str,
    method: str,
    run_name: str | None,
    cpu_threads: int | None,
    limits: RequestLimits,
    as_json: bool,
) -> None:
    """Say what each utterance was worth.

    For judgements that this judge has made; training shares their scores out with it (--place).
    """
    from simworld.judging.attribution import check_method
    from simworld.judging.attribution_pass import attribute_episodes
    from store import open_store

    spec, _ = load_judge_option(judge_name)
    check_method(spec, method)  # before the model is loaded
    with open_store(db) as store:
        store.check_names(run=run_name)
        with (
            open_judge(spec, cpu_threads, limits.server) as backend,
            progress_bar("attributing") as show,
        ):
            tally = attribute_episodes(
                store,
                spec,
                backend,
                method,
                run=run_name,
                on_progress=lambda t: show(t.done + t.failed, t.total, ""),
                stopping=limits.stopping,
            )
    counts = {"attributed": tally.done, "failed": tally.failed}
    click.echo(plain_json(counts) if as_json else f"{tally.done} attributed, {tally.failed} failed")
    if tally.last_failure:
        click.echo(
            f"The last failure: {harmless(str(tally.last_failure))}; the same command tries again.",
            err=True,
        )
    limits.stopping.raise_if_budget_spent()
    if not as_json and tally.failed:
        suggest_again()
    elif not as_json:
        suggest_next("train inspect", "--place", method, db=db)
