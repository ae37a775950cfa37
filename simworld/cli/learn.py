"""`simworld learn`: the whole loop from one file, or a grid of loops."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from simworld.cli.failures import failure_lines
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
from simworld.cli.output.progress import progress_bar
from simworld.cli.output.terminal import cell, console, grid
from simworld.cli.output.text import harmless, print_json, say
from simworld.cli.output.traits import show_traits
from simworld.code_version import code_version
from simworld.core.counts import counted
from simworld.core.errors import InputError, Problem, StoreMismatch

if TYPE_CHECKING:
    from simworld.pipeline.learn.context import PipelineContext
    from simworld.pipeline.learn.grid import GridPoint
    from simworld.pipeline.learn.learn_stages import LearnResult
    from simworld.pipeline.learn.stage_cache import StageState
    from store import Store


MIN_FAMILIES = 20  # with fewer, intervals are rough


@click.command()
@click.argument("file", metavar="FILE")
@click.option(
    "--dry-run",
    is_flag=True,
    help="Only show the stages, which are done, and how many episodes there are.",
)
@click.option(
    "--work",
    type=click.Path(path_type=Path, file_okay=False),
    help=(
        "Folder for checkpoints, data and reports. Default: learn-NAME here, NAME the file's `work`"
        " or its own."
    ),
)
@click.option(
    "--retry-failed",
    is_flag=True,
    help="Do again the stages in which something failed, and what depends on them.",
)
@click.option(
    "--live", "max_live", type=click.IntRange(min=1), default=32, help="Conversations at once."
)
@threads_option
@request_limit_options
@db_option
@allow_import_option
@json_option
@resumes
def learn(
    file: str,
    dry_run: bool,
    work: Path | None,
    retry_failed: bool,
    max_live: int,
    cpu_threads: int | None,
    limits: RequestLimits,
    db: str,
    as_json: bool,
) -> None:
    """Collect, judge, clone, train and evaluate, as FILE says: a file, or the name of a shipped
    one.

    Shipped: small and when-to-thank (minutes), steers and thanks (an hour and more),
    propose-then-thank, thank-or-propose, earn-thanks and be-thanked (hours), and the paper's
    experiments self-clone, warm-start and sweep.

    A stage is done once, by whatever version of simworld: the same command goes on where it
    stopped, and after a change does again what depends on it. Any key may be a list; then every
    combination is run, and a table compares them at the end.
    """
    from simworld.pipeline.learn.grid import grid_points
    from simworld.pipeline.learn.learn_stages import declare_stages, read_result
    from simworld.pipeline.learn.shipped_files import open_learn_file
    from simworld.pipeline.learn.stage_cache import StageCache

    points = grid_points(open_learn_file(file))
    name, work_name = points[0].file.name, points[0].file.work_name
    folder = work or Path(f"learn-{work_name}")
    with _open_store(db, dry_run) as store, progress_bar("learning") as bar:
        contexts = _open_contexts(
            points,
            store,
            folder,
            max_live=max_live,
            retry_failed=retry_failed,
            cpu_threads=cpu_threads,
            server=limits.server,
            stopping=limits.stopping,
            on_progress=bar,
            warn=lambda text: click.echo(f"Note: {harmless(text)}.", err=True),
        )

        def on_stage(stage: StageState) -> None:
            if dry_run:
                return
            if stage.output is None:
                bar.begin(stage.label)
            _print_stage(stage)
            if stage.output is not None and stage.output.failed:
                for line in failure_lines(store, f"{work_name}-{stage.label}")[:-1]:
                    click.echo(line, err=True)

        cache = StageCache(folder, dry=dry_run, retry_failed=retry_failed, on_stage=on_stage)
        results: list[LearnResult] = []
        try:
            for number, (point, context) in enumerate(zip(points, contexts, strict=True), 1):
                if len(points) > 1:
                    say(f"{number} of {len(points)}: {_values_text(point.values)}", err=True)
                stages = cache.run(declare_stages(context), context)
                results.append(read_result(stages, point.values))
        except KeyboardInterrupt:
            click.echo("Stopped; the same command goes on from here.", err=True)
            raise click.exceptions.Exit(130) from None
    if used := token_usage_line(limits.stopping):
        click.echo(used, err=True)
    if as_json:
        print_json([_result_json(result) for result in results], indent=1)
    elif dry_run:
        _show_stages(results)
    else:
        _show_results(results, name, folder)
    if as_json:
        return
    if dry_run:
        suggest_again(without="--dry-run")
    elif any(
        stage.output is not None and stage.output.failed
        for result in results
        for stage in result.stages
    ):
        suggest_again("--retry-failed")
    else:
        suggest_next("serve", db=db)


@contextmanager
def _open_store(db: str, dry_run: bool) -> Iterator[Store]:
    """The database; a dry run makes none, and sees an empty one that is thrown away."""
    from store import check_store, open_store

    if not dry_run:
        with open_store(db, create=True) as store:
            yield store
        return
    check_store(db)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        try:
            store = stack.enter_context(open_store(db))
        except (InputError, StoreMismatch):  # it could be made, so it is not there yet
            store = stack.enter_context(open_store(str(Path(folder) / "none.db"), create=True))
        yield store


def _open_contexts(
    points: Sequence[GridPoint], store: Store, folder: Path, **settings: Any
) -> list[PipelineContext]:
    """A context for each point of a grid; everything wrong with any of them at once."""
    from simworld.pipeline.learn.context import open_context

    contexts, problems = [], dict[Problem, None]()
    for point in points:
        try:
            contexts.append(open_context(point.file, store, folder, **settings))
        except InputError as error:
            problems |= dict.fromkeys(error.problems)
    if problems:
        raise InputError(problems)
    return contexts


def _print_stage(stage: StageState) -> None:
    if stage.output is None:
        click.echo(f"{stage.label} …", err=True)
        return
    parts = [f"{stage.label}: {'done before' if stage.skipped else f'{stage.seconds:.0f} s'}"]
    if stage.skipped and stage.code_version not in ("", code_version()):
        parts.append(f"by simworld {stage.code_version}")
    if stage.output.failed:
        parts.append(f"{stage.output.failed} failed (--retry-failed tries again)")
    say(", ".join(parts), err=True)


def _show_stages(results: Sequence[LearnResult]) -> None:
    table = grid("stage", "episodes", "", right=("episodes",))
    stage_by_label = {stage.label: stage for result in results for stage in result.stages}
    for label, stage in stage_by_label.items():
        table.add_row(
            label, str(stage.max_episodes or "–"), "done" if stage.output is not None else "to do"
        )
    console().print(table)
    episodes_left = sum(
        stage.max_episodes for stage in stage_by_label.values() if stage.output is None
    )
    click.echo(f"{counted(episodes_left, 'episode')} to play, at most")


def _show_results(results: Sequence[LearnResult], name: str, folder: Path) -> None:
    keys = tuple(dict.fromkeys(key for result in results for key in result.values))
    numbers = ("difference", "z", "p", "n", "families", "perplexity")
    table = grid(
        *keys, "planner less", "measure", *numbers[:1], "95 % interval", *numbers[1:], right=numbers
    )
    reports = []
    for result in results:
        if (report := result.report) is None:
            continue
        reports.append(report)
        for comparison in report["comparisons"]:
            if comparison["first"] == "planner" or "planner" not in report["arms"]:
                table.add_row(
                    *(cell(str(result.values.get(key, ""))) for key in keys),
                    *_comparison_cells(report, comparison),
                )
    screen = console()
    screen.print(Text("Planner against the other arms, on scenarios it has not seen", style="bold"))
    screen.print(table)
    for told in dict.fromkeys(line for report in reports for line in _sentence_lines(report)):
        say(told)
    if reports:
        click.echo(explain_results(reports, name))
        traits = {
            _planner_name(result): result.report["traits"]["planner"]
            for result in results
            # not in reports of earlier versions
            if result.report and "planner" in result.report.get("traits", {})
        }
        show_traits(traits, next((each["base"] for each in reports if "base" in each), ""))
    for result in results:
        say(f"{_planner_name(result)}: {result.planner}")
        if _is_constant(result):
            click.echo(
                "  constant: training found nothing that gains more than one standard error over"
                " the best constant action, so the planner is that action"
            )
    say(f"Reports with every dimension and the language of each arm: {folder}/evaluate-*.json")


def _sentence_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """What the arm `prompted` was told, and what each sentence earned where it was chosen."""
    if (prompted := report.get("prompted")) is None:
        return
    yield f"prompted: {prompted['sentence']!r}, by its mean {prompted['measure']} in training:"
    for each in prompted["sentences"]:
        mean = "–" if each["mean"] is None else f"{each['mean']:+.3f}"
        yield f"  {mean} (n {each['n']}) {each['sentence']}"


def explain_results(reports: Sequence[Mapping[str, Any]], name: str) -> str:
    """What the numbers of the table say, and where they are too few to say anything, how to get
    more.
    """
    measures = " or ".join(dict.fromkeys(str(report["main"]) for report in reports))
    lines = [
        (
            f"difference: the planner's mean {measures} less the other arm's, over n pairs (same"
            " scenario, seat, partner, seed);"
        ),
        (
            "p: how often chance alone makes one as large; perplexity: how much more surprising the"
            " lines are, as a ratio."
        ),
    ]
    families = max(
        (
            paired["families"]
            for report in reports
            for comparison in report["comparisons"]
            if (paired := comparison["measures"].get(report["main"]))
        ),
        default=0,
    )
    if families < MIN_FAMILIES:
        advice = (
            "at full size: simworld learn steers (an hour and more)"
            if name == "small"
            else "more scenarios under `scenarios: {test: …}` tell more"
        )
        lines.append(
            f"{counted(families, 'family shows', 'families show')} that it runs, but no effect: "
            f"that takes {MIN_FAMILIES} or more; {advice}."
        )
    return harmless("\n".join(lines))


def _comparison_cells(report: Mapping[str, Any], comparison: Mapping[str, Any]) -> list[Any]:
    first, second = comparison["first"], comparison["second"]
    label = second if first == "planner" else f"({first}) {second}"
    paired = comparison["measures"].get(report["main"])
    quality = report["arms"][first]["quality"]["perplexity"]
    other = report["arms"][second]["quality"]["perplexity"]
    ratio = f"{quality / other:.2f} ×" if quality and other else "–"
    if paired is None:
        return [label, report["main"], *("–",) * 6, ratio]
    interval = "–" if paired["low"] is None else f"{paired['low']:+.3f} … {paired['high']:+.3f}"
    z, p = (
        "–" if paired[name] is None else f"{paired[name]:{form}}"
        for name, form in (("z", ".2f"), ("p", ".3g"))
    )
    numbers = (f"{paired['mean']:+.3f}", interval, z, p)
    counts = (str(paired["pairs"]), str(paired["families"]))
    return [label, report["main"], *numbers, *counts, ratio]


def _result_json(result: LearnResult) -> dict[str, Any]:
    return {
        "values": dict(result.values),
        "stages": [
            {
                "stage": stage.label,
                "done": stage.output is not None,
                "skipped": stage.skipped,
                "episodes": stage.max_episodes,
                "failed": stage.output.failed if stage.output else 0,
                "code_version": stage.code_version,
            }
            for stage in result.stages
        ],
        "planner": None if result.planner is None else str(result.planner),
        "constant": _is_constant(result),
        "report": result.report,
    }


def _planner_name(result: LearnResult) -> str:
    return f"planner ({_values_text(result.values)})" if result.values else "planner"


def _is_constant(result: LearnResult) -> bool:
    """Whether training said that a constant action is as good as what it learned."""
    from agents.steering.checkpoint_folder import read_folder

    if result.planner is None:
        return False
    return "constant" in read_folder(result.planner).info.metrics


def _values_text(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in values.items())
