"""`simworld episode`: list stored episodes, and show one as a transcript with its checks and scores."""

from __future__ import annotations

from typing import Any

import click
from rich.console import Console
from rich.text import Text

import store
from simworld.cli.options import db_option, json_option
from simworld.cli.terminal import cell, console, grid
from simworld.cli.text import harmless, plain_json
from simworld.core.episode import Act, ActionKind, CheckResult, Ending
from store import EpisodeSummary, StoredEpisode, StoredJudgement

SHORT_ID = 10  # digits shown in lists; any beginning that is unique names an episode
COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "red")  # one per seat, in order


@click.group()
def episode() -> None:
    """List and show stored episodes."""


@episode.command("list")
@click.option("--run", metavar="NAME", help="Only this run.")
@click.option("--scenario", help="Only this scenario: name or id.")
@click.option("--family", help="Only this family of scenarios.")
@click.option("--agent", help="Only with this agent in any seat: name or id.")
@click.option("--ending", type=click.Choice([ending.value for ending in Ending]), help="Only those that ended so.")
@click.option("--limit", type=click.IntRange(min=0), default=50, show_default=True, help="The latest so many; 0: all.")
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
    with store.open_store(db) as opened:
        found = opened.summaries(
            run=run,
            scenario=scenario,
            family=family,
            agent=agent,
            ending=Ending(ending) if ending else None,
            limit=limit or None,
        )
    if as_json:
        click.echo(plain_json([_summary(summary) for summary in found], indent=1))
        return
    if not found:
        click.echo("No episodes match.", err=True)
        return
    table = grid("id", "run", "scenario", "cast", "repeat", "ending", "turns", "ended", right=("repeat", "turns"))
    for summary in found:
        cast = ", ".join(f"{seat.seat}={seat.agent_name}" for seat in summary.seats)
        how = f"{summary.ending.value}: {summary.reason}"
        table.add_row(
            summary.id[:SHORT_ID],
            cell(summary.run),
            cell(summary.scenario_name),
            cell(cast),
            str(summary.repeat),
            cell(summary.ending.value if summary.reason == summary.ending.value else how),
            str(summary.turns),
            f"{summary.ended:%Y-%m-%d %H:%M}",
        )
    console().print(table)
    if limit and len(found) == limit:
        click.echo(f"The latest {limit:,}; --limit 0 lists all.", err=True)


@episode.command()
@click.argument("id_", metavar="ID")
@db_option
@json_option
def show(id_: str, db: str, as_json: bool) -> None:
    """Show an episode.

    Who sat where, what was said, checks and scores. ID may be the beginning of an id.
    """
    with store.open_store(db) as opened:
        found = opened.episode(id_.lower(), vectors=as_json)
        judgements = opened.judgements(found.id)
        title = opened.scenario(found.summary.scenario_id).title
    if as_json:
        from simworld.export import record

        click.echo(plain_json(record(found, judgements), indent=1))
        return
    screen = console()
    print_transcript(screen, found, title)
    print_checks(screen, found.episode.checks)
    print_scores(screen, judgements)


def print_transcript(screen: Console, stored: StoredEpisode, title: str = "") -> None:
    """Prints who sat where and every act."""
    summary = stored.summary
    screen.print(Text(harmless(title or summary.scenario_name), style="bold"))
    facts = f"episode {summary.id} · run {summary.run} · repeat {summary.repeat} · attempt {summary.attempt}"
    screen.print(Text(harmless(facts), style="dim"))
    colours = {seat.seat: COLOURS[place % len(COLOURS)] for place, seat in enumerate(summary.seats)}
    names = {seat.seat: seat.persona for seat in summary.seats}
    for seat in summary.seats:
        line = Text(harmless(seat.persona), style=colours[seat.seat])
        screen.print(line.append(harmless(f"  {seat.seat}, played by {seat.agent_name}"), style="dim"))
    screen.print()
    for turn in stored.episode.turns:
        for act in turn.acts:
            screen.print(_line(turn.index, act, names, colours.get(act.seat, "")))
    screen.print()
    end = f"Ended after {summary.turns} turns: {summary.ending.value}"
    end += f" ({summary.reason})" if summary.reason != summary.ending.value else ""
    screen.print(Text(harmless(end), style="bold"))
    if summary.failure is not None:
        screen.print(Text(harmless(str(summary.failure)), style="red"))


def print_checks(screen: Console, checks: tuple[CheckResult, ...]) -> None:
    """Prints what the scenario's checks found."""
    if not checks:
        return
    table = grid("check", "holds", "found", "turn", right=("turn",))
    for check in checks:
        holds = check.error if check.holds is None else "yes" if check.holds else "no"
        turn = None if check.turn is None else check.turn + 1  # as the transcript counts
        table.add_row(cell(check.name), cell(holds), cell(check.value), cell(turn))
    screen.print()
    screen.print(table)


def print_scores(screen: Console, judgements: list[StoredJudgement]) -> None:
    """Prints every judgement's scores, one table per judge and sample, a column per seat."""
    for stored in judgements:
        judgement = stored.judgement
        screen.print()
        head = f"Judge {stored.judge_name} ({judgement.judge_id[:SHORT_ID]}), sample {judgement.sample}"
        screen.print(Text(harmless(head), style="bold"))
        if judgement.failure is not None:
            screen.print(Text(harmless(f"failed: {judgement.failure}"), style="red"))
            continue
        seats = tuple(dict.fromkeys(verdict.seat for verdict in judgement.verdicts))
        score = {(verdict.dimension, verdict.seat): verdict.score for verdict in judgement.verdicts}
        table = grid("dimension", *seats, right=seats)
        for dimension in dict.fromkeys(verdict.dimension for verdict in judgement.verdicts):
            row = (score.get((dimension, seat)) for seat in seats)
            table.add_row(cell(dimension), *(cell(None if value is None else f"{value:.1f}") for value in row))
        screen.print(table)


def _line(turn: int, act: Act, names: dict[str, str], colour: str) -> Text:
    """One act as people read it."""
    line = Text(f"{turn + 1:>3} ", style="dim")
    line.append(harmless(names.get(act.seat, act.seat)), style=colour)
    if act.action.to:
        line.append(harmless(f" (only to {', '.join(names.get(seat, seat) for seat in act.action.to)})"), style="dim")
    said = harmless(act.action.text)
    if act.action.kind is ActionKind.speak:
        return line.append(f": {said}", style="default")
    if act.action.kind is ActionKind.leave:
        said = f"leaves: {said}" if said else "leaves"
    elif act.action.kind is ActionKind.none:
        said = "does nothing"
    return line.append(f" [{said}]", style="italic")


def _summary(summary: EpisodeSummary) -> dict[str, Any]:
    return {
        "id": summary.id,
        "run": summary.run,
        "attempt": summary.attempt,
        "scenario_id": summary.scenario_id,
        "scenario_name": summary.scenario_name,
        "family": summary.family,
        "repeat": summary.repeat,
        "cast": {seat.seat: seat.agent_name for seat in summary.seats},
        "ending": summary.ending.value,
        "reason": summary.reason,
        "failure": str(summary.failure) if summary.failure else None,
        "turns": summary.turns,
        "prompt_tokens": summary.prompt_tokens,
        "new_tokens": summary.new_tokens,
        "started": summary.started.isoformat(),
        "ended": summary.ended.isoformat(),
    }
