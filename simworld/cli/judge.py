"""`simworld judge`: score stored episodes, and measure a judge before trusting it."""

from __future__ import annotations

import math
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simworld.cli.lazy import Homes, LazyGroup
from simworld.cli.options import db_option, json_option, profile_option, threads_option
from simworld.cli.profile import print_profile
from simworld.cli.progress import progress_bar
from simworld.cli.terminal import console, grid
from simworld.cli.text import harmless, plain_json
from simworld.judging.rubrics import load_rubric
from simworld.judging.spec import DEFAULT_JUDGE, JudgeSpec, builtin_judges, load_judge

if TYPE_CHECKING:
    from simworld.core.protocols import Backend
    from simworld.judging.run import Tally
    from simworld.judging.swap import Swap
    from simworld.judging.trust import Share, Trust

judge_option = click.option(
    "--judge",
    "judge_name",
    metavar="SPEC",
    default=DEFAULT_JUDGE,
    show_default=True,
    help="A shipped judge's name, or a file.",
)


COMMANDS: Homes = {
    "run": ("simworld.cli.judge", "run", "Judge stored episodes."),
    "check": ("simworld.cli.judge", "check", "Measure how far to trust a judge."),
    "agree": ("simworld.cli.judge_agree", "agree", "Measure how far raters agree about the same seats."),
    "import": ("simworld.cli.judge_agree", "import_", "Store scores that a person gave."),
    "attribute": ("simworld.cli.judge", "attribute", "Say what each utterance was worth."),
    "list": ("simworld.cli.judge", "list_", "List the shipped judges."),
    "show": ("simworld.cli.judge", "show", "Show a judge and its rubric."),
}


@click.group(cls=LazyGroup, homes=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
def judge() -> None:
    """Score stored episodes, and measure a judge before trusting it."""


@click.command()
@judge_option
@click.option("--run", "run_name", metavar="NAME", help="Only this run's episodes; default: every run's.")
@click.option("--samples", type=click.IntRange(min=1), help="Judgements per episode; default: the judge's own.")
@click.option(
    "--retry-failed",
    is_flag=True,
    help="Judge again where this judge failed; the failure is kept beside the new attempt.",
)
@click.option(
    "--swap",
    type=click.Choice(["seats", "names"]),
    help="As another judge that is shown people in reverse order, or under each other's names; see `judge agree`.",
)
@threads_option
@profile_option
@db_option
@json_option
def run(
    db: str,
    judge_name: str,
    run_name: str | None,
    samples: int | None,
    retry_failed: bool,
    swap: Swap | None,
    threads: int | None,
    with_profile: bool,
    as_json: bool,
) -> None:
    """Judge stored episodes.

    Those that this judge has not judged yet; the same command again goes on where it stopped.
    """
    from simworld.judging.run import JudgingRun
    from simworld.runner.profile import Profiler
    from store import open_store

    spec, _ = load_judge(judge_name)
    if spec.rubric:
        load_rubric(spec.rubric)  # before the model is loaded
    with open_store(db) as store:
        if run_name is not None:
            known_run(run_name, [summary.run.name for summary in store.runs()])
        with closing(_backend(spec, threads)) as backend:
            judging = JudgingRun(store, spec, backend, run=run_name, retry_failed=retry_failed, swap=swap)
            profiler = Profiler({spec.model: backend})
            try:
                with progress_bar("judging") as show:
                    tally = judging.go(
                        samples=samples, on_progress=lambda t: show(t.scored + t.failed, t.total - t.already, "")
                    )
            except KeyboardInterrupt:
                click.echo(f"{_counts(judging.tally)}. Stopped; the same command goes on from here.", err=True)
                raise click.exceptions.Exit(130) from None
            profiler.add("storing", judging.storing_s)
            profile = profiler.profile({spec.model: judging.waited.seconds})
    if as_json:
        click.echo(plain_json(_plain(tally) | ({"profile": profile.plain()} if with_profile else {})))
    else:
        click.echo(_counts(tally))
        if with_profile:
            print_profile(profile)
    if tally.failed and tally.last_failure:
        hint = "simworld judge run --retry-failed tries them again"
        click.echo(f"The last failure: {harmless(str(tally.last_failure))}; {hint}.", err=True)


@click.command()
@judge_option
@click.option(
    "--pairs",
    "pairs_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A YAML list of pairs; default: the shipped set.",
)
@click.option("--rubric", "rubric_name", metavar="NAME", help="Default: the judge's, else sotopia.")
@threads_option
@json_option
def check(
    judge_name: str, pairs_file: Path | None, rubric_name: str | None, threads: int | None, as_json: bool
) -> None:
    """Measure how far to trust a judge.

    How often it puts the better of two contrasting transcripts first, by dimension, with 95 % intervals.
    """
    from simworld.judging.trust import check_dimensions, check_judge, load_pairs, shipped_pairs

    spec, _ = load_judge(judge_name)
    rubric = load_rubric(rubric_name or spec.rubric or "sotopia")
    sets = shipped_pairs() if pairs_file is None else (load_pairs(pairs_file),)
    check_dimensions(sets, rubric)  # before the model is loaded
    with closing(_backend(spec, threads)) as backend, progress_bar("judging pairs") as show:
        trust = check_judge(spec, backend, rubric, sets, on_progress=lambda done, total: show(done, total, ""))
    if as_json:
        click.echo(plain_json(trust.plain(), indent=2))
    else:
        _print_trust(trust)
    failures = [outcome.failure for outcome in trust.outcomes if outcome.failure]
    if failures:
        click.echo(f"{len(failures)} pairs were not judged; the last: {harmless(str(failures[-1]))}", err=True)


@click.command()
@judge_option
@click.option(
    "--method",
    required=True,
    type=click.Choice(["attributed", "prefixes"]),
    help="attributed: weights of single lines, by a judge of opposed statements; prefixes: scores of the dialogue so far.",
)
@click.option("--run", "run_name", metavar="NAME", help="Only this run's episodes; default: every run's.")
@threads_option
@db_option
@json_option
def attribute(db: str, judge_name: str, method: str, run_name: str | None, threads: int | None, as_json: bool) -> None:
    """Say what each utterance was worth.

    For judgements that this judge has made; training shares their scores out with it (--place).
    """
    from simworld.judging.attribute import attribute_episodes
    from simworld.judging.attribution import check_method
    from store import open_store

    spec, _ = load_judge(judge_name)
    check_method(spec, method)  # before the model is loaded
    with open_store(db) as store:
        if run_name is not None:
            known_run(run_name, [summary.run.name for summary in store.runs()])
        with closing(_backend(spec, threads)) as backend, progress_bar("attributing") as show:
            shared = attribute_episodes(
                store, spec, backend, method, run=run_name, on_progress=lambda t: show(t.done + t.failed, t.total, "")
            )
    counts = {"attributed": shared.done, "failed": shared.failed}
    click.echo(plain_json(counts) if as_json else f"{shared.done} attributed, {shared.failed} failed")
    if shared.last_failure:
        click.echo(f"The last failure: {harmless(str(shared.last_failure))}; the same command tries again.", err=True)


@click.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the shipped judges."""
    specs = [load_judge(name)[0] for name in builtin_judges()]
    if as_json:
        click.echo(
            plain_json([{"name": s.name, "title": s.title, "method": s.method, "model": s.model} for s in specs])
        )
        return
    table = grid("name", "method", "model", "what")
    for spec in specs:
        mark = f"{spec.name} (default)" if spec.name == DEFAULT_JUDGE else spec.name
        table.add_row(mark, spec.method, spec.model, spec.title)
    console().print(table)


@click.command()
@click.argument("judge_name", metavar="SPEC", default=DEFAULT_JUDGE)
@json_option
def show(judge_name: str, as_json: bool) -> None:
    """Show a judge's settings and its rubric.

    Also where they came from.
    """
    spec, origin = load_judge(judge_name)
    rubric = load_rubric(spec.rubric or "sotopia")
    if as_json:
        dimensions = [
            {"name": d.name, "low": d.low, "high": d.high, "weight": d.weight, "question": d.question}
            for d in rubric.dimensions
        ]
        click.echo(
            plain_json(
                {
                    "from": origin,
                    "spec": spec.model_dump(mode="json"),
                    "rubric": {"id": rubric.id, "dimensions": dimensions},
                },
                indent=2,
            )
        )
        return
    click.echo(harmless(f"{spec.name} ({origin}): {spec.title}".rstrip(": ")))
    for key, value in spec.model_dump(
        mode="json", exclude={"name", "title", "calibration"}, exclude_defaults=True
    ).items():
        click.echo(f"  {key}: {harmless(str(value))}")
    note = "" if spec.rubric else " (unless a scenario names another)"
    click.echo(f"Rubric {rubric.id}{note}:")
    for d in rubric.dimensions:
        click.echo(f"  {d.name} [{d.low:g}, {d.high:g}] weight {d.weight:g}: {harmless(d.question)}")
        for high, low in zip(d.high_statements, d.low_statements, strict=True):
            click.echo(f"    + {harmless(high)}\n    - {harmless(low)}")


def _backend(spec: JudgeSpec, threads: int | None) -> Backend:
    from agents.models import load_backend

    return load_backend(spec.model, dtype=spec.dtype, threads=threads)


def known_run(name: str, known: list[str]) -> None:
    """Raises InputError for a run that is not among the known ones."""
    from simworld.core.errors import InputError
    from simworld.yamlfile import did_you_mean

    if name not in known:
        hint = did_you_mean(name, known) or f"; there are: {', '.join(known[:10]) or 'none'}"
        raise InputError(f"no run {name!r} in this database{hint}")


def _counts(tally: Tally) -> str:
    return f"{tally.scored} scored, {tally.failed} failed, {tally.already} already there"


def _plain(tally: Tally) -> dict[str, object]:
    return {"scored": tally.scored, "failed": tally.failed, "already": tally.already, "judges": list(tally.judge_ids)}


def _print_trust(trust: Trust) -> None:
    several = len(trust.by_set) > 1
    for name in trust.by_set if several else [""]:
        part = trust.within(name) if name else trust
        table = grid(
            name or "dimension",
            "right",
            "of",
            "share",
            "95 %",
            "ties",
            "longer text wins",
            right=("right", "of", "share", "ties"),
        )
        for dimension, share in part.by_dimension.items():
            table.add_row(dimension, *_cells(share))
        table.add_row("all", *_cells(part.overall), style="bold")
        console().print(table)
        click.echo()
    if several:
        overall = trust.overall
        click.echo(f"All {overall.n} pairs: {_percent(overall.accuracy)} ordered rightly.")
    click.echo(
        f"Judge {trust.judge_id}. Ties count half. 50 % is guessing; where an interval includes it, trust nothing."
    )


def _cells(share: Share) -> tuple[str, ...]:
    if share.accuracy is None or share.low is None or share.high is None:
        return ("–", "0", "–", "–", "–", "–")
    right = share.accuracy * share.n
    shown = f"{right:g}" if not math.isclose(right, round(right)) else f"{round(right)}"
    interval = f"{_percent(share.low)}–{_percent(share.high)}"
    return (shown, str(share.n), _percent(share.accuracy), interval, str(share.ties), _percent(share.longer_wins))


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"
