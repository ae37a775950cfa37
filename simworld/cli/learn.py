"""`simworld learn`: the whole loop from one file, or a grid of loops."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

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
from simworld.cli.output.terminal import cell, console, grid
from simworld.cli.output.text import harmless, print_json, say
from simworld.cli.output.traits import show_traits
from simworld.code_version import code_version
from simworld.core.counts import counted
from simworld.jobs.progress import progress_bar
from simworld.jobs.report import failure_summary

if TYPE_CHECKING:
    from simworld.pipeline.learn.grid import GridPoint
    from simworld.pipeline.learn.learn_stages import LearnResult
    from simworld.pipeline.learn.stage_cache import StageState
    from store import EpisodeSummary


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
    from simworld.jobs.learn import LearnListener, run_learn, values_text
    from simworld.jobs.settings import JobSettings
    from simworld.pipeline.learn.grid import grid_points
    from simworld.pipeline.learn.shipped_files import open_learn_file

    points = grid_points(open_learn_file(file))
    has_begun = False

    def on_point(number: int, point: GridPoint) -> None:
        nonlocal has_begun
        has_begun = True
        if len(points) > 1:
            say(f"{number} of {len(points)}: {values_text(point.values)}", err=True)

    @contextmanager
    def listen() -> Iterator[LearnListener]:
        with progress_bar("learning") as bar:
            yield LearnListener(bar=bar, on_point=on_point, on_stage=_print_stage)

    try:
        done = run_learn(
            points,
            db,
            work,
            JobSettings(
                retry_failed=retry_failed,
                max_live=max_live,
                cpu_threads=cpu_threads,
                server=limits.server,
                stopping=limits.stopping,
                warn=lambda text: click.echo(f"Note: {harmless(text)}.", err=True),
            ),
            dry_run=dry_run,
            listen=listen,
        )
    except KeyboardInterrupt:
        if not has_begun:
            raise
        click.echo("Stopped; the same command goes on from here.", err=True)
        raise click.exceptions.Exit(130) from None
    results = done.results
    if used := token_usage_line(limits.stopping):
        click.echo(used, err=True)
    if as_json:
        print_json([_result_json(result) for result in results], indent=1)
    elif dry_run:
        _show_stages(results)
    else:
        _show_results(results, done.name, done.folder)
    if as_json:
        return
    if dry_run:
        suggest_again(without="--dry-run")
    elif done.failed:
        suggest_again("--retry-failed")
    else:
        suggest_next("serve", db=db)


def _print_stage(stage: StageState, failures: tuple[EpisodeSummary, ...]) -> None:
    if stage.output is None:
        click.echo(f"{stage.label} …", err=True)
        return
    parts = [f"{stage.label}: {'done before' if stage.skipped else f'{stage.seconds:.0f} s'}"]
    if stage.skipped and stage.code_version not in ("", code_version()):
        parts.append(f"by simworld {stage.code_version}")
    if stage.output.failed:
        parts.append(f"{stage.output.failed} failed (--retry-failed tries again)")
    say(", ".join(parts), err=True)
    for line in failure_summary(failures, failures[0].run if failures else ""):
        click.echo(line, err=True)


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
    from simworld.jobs.learn import is_constant, planner_name

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
            planner_name(result): result.report["traits"]["planner"]
            for result in results
            # not in reports of earlier versions
            if result.report and "planner" in result.report.get("traits", {})
        }
        show_traits(traits, next((each["base"] for each in reports if "base" in each), ""))
    for result in results:
        say(f"{planner_name(result)}: {result.planner}")
        if is_constant(result):
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
    from simworld.jobs.learn import is_constant

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
        "constant": is_constant(result),
        "report": result.report,
    }
