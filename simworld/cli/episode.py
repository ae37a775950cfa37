"""`simworld episode`: list stored episodes, and show one as a transcript with its checks and
scores; the other commands by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

import store
from simworld.cli.lazy_group import LazyCommands, LazyGroup
from simworld.cli.next_command import suggest_next
from simworld.cli.options import db_option, json_option
from simworld.cli.output.terminal import cell, console, grid
from simworld.cli.output.text import print_json
from simworld.cli.output.transcript import SHORT_ID, print_checks, print_scores, print_transcript
from simworld.core.episode import Ending
from store import EpisodeSummary, StoredEpisode

if TYPE_CHECKING:
    from agents.steering.named_ways import NearWay

COMMANDS: LazyCommands = {
    "list": ("episode:list_", "List episodes, the latest last."),
    "show": ("episode:show", "Show one: who sat where, what was said, checks, scores."),
    "replay": ("episode_replay:replay", "Show one turn by turn, or as one seat sees it."),
    "branch": ("episode_branch:branch", "Play one on from a turn with another cast, and compare."),
    "search": ("episode_search:search", "Find episodes by meaning."),
}


# of a summary, which tell the episode from others
NAMING_FIELDS = ("id", "run", "attempt", "scenario_id", "scenario_name", "family", "repeat")


@click.group(cls=LazyGroup, lazy_commands=COMMANDS)
def episode() -> None:
    """List, show, replay, branch and search stored episodes."""


@click.command("list")
@click.option("--run", metavar="NAME", help="Only this run.")
@click.option("--scenario", help="Only this scenario: name or id.")
@click.option("--family", help="Only this family of scenarios.")
@click.option("--agent", help="Only with this agent in any seat: name or id.")
@click.option(
    "--ending",
    type=click.Choice([ending.value for ending in Ending]),
    help="Only those that ended so.",
)
@click.option("--limit", type=click.IntRange(min=0), default=50, help="The latest so many; 0: all.")
@db_option
@json_option
def list_(
    db: str,
    run: str | None,
    scenario: str | None,
    family: str | None,
    agent: str | None,
    ending: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List episodes, the latest last."""
    with store.open_store(db) as database:
        filters = {"run": run, "scenario": scenario, "family": family, "agent": agent}
        database.check_names(**filters)
        summaries = database.episode_summaries(
            **filters, ending=Ending(ending) if ending else None, limit=limit or None
        )
    if as_json:
        print_json([_summary_json(summary) for summary in summaries], indent=1)
        return
    if not summaries:
        click.echo("No episodes match.", err=True)
        return
    columns = ("id", "run", "scenario", "cast", "repeat", "ending", "turns", "ended")
    table = grid(*columns, right=("repeat", "turns"))
    for summary in summaries:
        cast = ", ".join(f"{seat.seat}={seat.agent_name}" for seat in summary.seats)
        ending_text = f"{summary.ending.value}: {summary.reason}"
        if summary.failed_seat is not None:
            ending_text += f", {summary.failed_seat.seat} ({summary.failed_seat.agent_name})"
        table.add_row(
            summary.id[:SHORT_ID],
            cell(summary.run),
            cell(summary.scenario_name),
            cell(cast),
            str(summary.repeat),
            cell(summary.ending.value if summary.reason == summary.ending.value else ending_text),
            str(summary.turns),
            f"{summary.ended:%Y-%m-%d %H:%M}",
        )
    console().print(table)
    if limit and len(summaries) == limit:
        click.echo(f"The latest {limit:,}; --limit 0 lists all.", err=True)
    suggest_next("episode show", summaries[-1].id[:SHORT_ID], db=db)


@click.command()
@click.argument("id_", metavar="ID")
@click.option(
    "--reasoning",
    is_flag=True,
    help="Show what models thought before they spoke, and in how many tokens.",
)
@db_option
@json_option
def show(id_: str, reasoning: bool, db: str, as_json: bool) -> None:
    """Show an episode.

    Who sat where, what was said, checks and scores; of a steered line the ways of replying that its
    action is nearest to, by cosine. ID may be the beginning of an id.
    """
    from simworld.results.planner_ways import act_ways

    with store.open_store(db) as database:
        stored = database.episode(id_.lower())
        judgements = database.judgements(stored.id)
        scenario = database.scenario(stored.summary.scenario_id)
        ways = act_ways(database, stored)
    if as_json:
        from simworld.export import record

        print_json(record(stored, judgements) | _ways_json(stored, ways), indent=1)
        return
    screen = console()
    print_transcript(screen, stored, scenario, reasoning=reasoning, ways=ways)
    print_checks(screen, stored.episode.checks)
    print_scores(screen, judgements)
    if stored.summary.failure is None and not judgements:
        suggest_next("judge run", "--run", stored.summary.run, db=db)
    elif stored.summary.failure is None:
        suggest_next("serve", db=db)


def _ways_json(
    stored: StoredEpisode, ways: Mapping[int, Sequence[NearWay]]
) -> dict[str, list[dict[str, Any]]]:
    """The ways of steered acts; nothing where there are none."""
    acts = [(turn.index, act) for turn in stored.episode.turns for act in turn.acts]
    rows = [
        {
            "turn": acts[number][0],
            "seat": acts[number][1].seat,
            "ways": [{"words": way.words, "cosine": way.cosine} for way in near],
        }
        for number, near in sorted(ways.items())
    ]
    return {"nearest_ways": rows} if rows else {}


def _summary_json(summary: EpisodeSummary) -> dict[str, Any]:
    return {
        **{name: getattr(summary, name) for name in NAMING_FIELDS},
        "cast": {seat.seat: seat.agent_name for seat in summary.seats},
        "ending": summary.ending.value,
        "reason": summary.reason,
        "failure": str(summary.failure) if summary.failure else None,
        "failed_seat": summary.failed_seat.seat if summary.failed_seat else None,
        "failed_agent": summary.failed_seat.agent_name if summary.failed_seat else None,
        "turns": summary.turns,
        "prompt_tokens": summary.prompt_tokens,
        "new_tokens": summary.new_tokens,
        "started": summary.started.isoformat(),
        "ended": summary.ended.isoformat(),
    }
