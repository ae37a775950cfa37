"""`simworld judge check`: how far to trust a judge."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simworld.cli.files.expected_kind import expecting_kind
from simworld.cli.judge.judge_options import (
    JudgeCommand,
    judge_option,
    load_judge_option,
    load_rubric_option,
    open_judge,
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
from simworld.cli.output.terminal import console, grid
from simworld.cli.output.text import harmless, print_json
from simworld.core.counts import counted
from simworld.jobs.progress import progress_bar
from simworld.judging.judge_spec import DEFAULT_JUDGE

if TYPE_CHECKING:
    from simworld.judging.judge_check import JudgeCheckResult, PairAccuracy


@click.command(cls=JudgeCommand)
@judge_option
@click.option(
    "--pairs",
    "pairs_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A YAML list of pairs; default: the shipped set.",
)
@click.option("--rubric", "rubric_name", metavar="NAME", help="Default: the judge's, else sotopia.")
@threads_option
@request_limit_options
@db_option
@allow_import_option
@json_option
def check(
    judge_name: str,
    pairs_file: Path | None,
    rubric_name: str | None,
    cpu_threads: int | None,
    limits: RequestLimits,
    db: str,
    as_json: bool,
) -> None:
    """Measure how far to trust a judge.

    How often it puts the better of two contrasting transcripts first, by dimension, with 95 %
    intervals. The database keeps what it came to, and standings and pages say so where the judge
    guesses, or was never measured.

    The shipped pairs are about the rubric sotopia. For a rubric of your own give pairs of your own,
    a YAML list of rows:

    \b
    - setting: A flea market stall
      seat: Ann
      dimension: composure      # one of the rubric's
      goal: Buy the lamp        # also: secret, knows, relationship
      better: |
        Ann: Thank you, I will think about it.
      worse: |
        Ann: Keep your rubbish!
    """  # noqa: D301  # click reads the escape: it keeps the example's lines
    from simworld.judging.contrast_pairs import check_pair_dimensions, load_pairs, shipped_pairs
    from simworld.judging.judge import make_judge
    from simworld.judging.judge_check import check_judge
    from simworld.judging.judge_warnings import check_summary
    from store import check_store, open_store

    spec, _ = load_judge_option(judge_name)
    rubric = load_rubric_option(rubric_name or spec.rubric or "sotopia")
    if pairs_file is None:
        sets = shipped_pairs()
    else:
        with expecting_kind("pairs", pairs_file):
            sets = (load_pairs(pairs_file),)
    check_store(db)
    check_pair_dimensions(sets, rubric)  # before the model is loaded
    with (
        open_judge(spec, cpu_threads, limits.server) as backend,
        progress_bar("judging pairs") as show,
    ):
        trust = check_judge(
            spec,
            backend,
            rubric,
            sets,
            on_progress=lambda done, total: show(done, total, ""),
            stopping=limits.stopping,
        )
        judge = make_judge(spec, backend.info, rubric)
    if trust.overall.n:
        with open_store(db, create=True) as store:
            measurement = check_summary(trust, "shipped" if pairs_file is None else str(pairs_file))
            store.record_judge_check(judge.id, judge.name, judge.to_json(), measurement)
    if as_json:
        print_json(trust.to_json(), indent=2)
    else:
        _print_trust(trust)
    failures = [outcome.failure for outcome in trust.outcomes if outcome.failure]
    if failures:
        click.echo(
            f"{counted(len(failures), 'pair was', 'pairs were')} not judged; the last:"
            f" {harmless(str(failures[-1]))}",
            err=True,
        )
    if not as_json and failures:
        suggest_again()
    elif not as_json:
        judge_words = ["--judge", judge_name] if judge_name != DEFAULT_JUDGE else []
        suggest_next("judge run", *judge_words, db=db)


def _print_trust(trust: JudgeCheckResult) -> None:
    has_several_sets = len(trust.by_set) > 1
    for name in trust.by_set if has_several_sets else [""]:
        trust_in_set = trust.for_set(name) if name else trust
        columns = ("right", "of", "share", "95 %", "ties", "longer text wins")
        table = grid(name or "dimension", *columns, right=("right", "of", "share", "ties"))
        for dimension, accuracy in trust_in_set.by_dimension.items():
            table.add_row(dimension, *_accuracy_cells(accuracy))
        table.add_row("all", *_accuracy_cells(trust_in_set.overall), style="bold")
        console().print(table)
        click.echo()
    if has_several_sets:
        overall = trust.overall
        click.echo(
            f"All {counted(overall.n, 'pair')}: {_percent(overall.accuracy)} ordered rightly."
        )
    click.echo(
        f"Judge {trust.judge_id}. Ties count half. 50 % is guessing; where an interval includes it,"
        " trust nothing."
    )


def _accuracy_cells(pairs: PairAccuracy) -> tuple[str, ...]:
    if pairs.accuracy is None or pairs.low is None or pairs.high is None:
        return ("–", "0", "–", "–", "–", "–")
    right = pairs.accuracy * pairs.n
    right_text = f"{right:g}" if not math.isclose(right, round(right)) else f"{round(right)}"
    interval = f"{_percent(pairs.low)}–{_percent(pairs.high)}"
    return (
        right_text,
        str(pairs.n),
        _percent(pairs.accuracy),
        interval,
        str(pairs.ties),
        _percent(pairs.longer_wins),
    )


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"
