"""`simworld episode replay`: one stored episode turn by turn, as everybody saw it or as one seat
did.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator

import click
from rich.console import Console
from rich.text import Text

import store
from simworld.cli.options import db_option
from simworld.cli.terminal import console
from simworld.cli.text import harmless
from simworld.cli.transcript import act_line, print_ending, print_heading
from simworld.core.episode import Act
from simworld.core.errors import InputError
from simworld.core.scenario import Scenario
from simworld.core.visibility import labels_seen_by, observe, perceives
from simworld.yamlfile import did_you_mean
from store import StoredEpisode

KEYS = "Enter: the next turn · a and Enter: all that is left · q and Enter: stop"
PRIVATE = ("setting", "persona", "goal", "knows", "secret", "others")


@click.command()
@click.argument("id_", metavar="ID")
@click.option(
    "--seat", metavar="S", help="Only what this seat knew: its role and the acts that it perceived."
)
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="So many turns a minute, instead of one for each Enter.",
)
@click.option(
    "--all", "at_once", is_flag=True, help="Print all turns at once, as without a terminal."
)
@db_option
def replay(id_: str, db: str, seat: str | None, speed: float | None, at_once: bool) -> None:
    """Show an episode turn by turn: Enter shows the next one. ID may be the beginning of an id."""
    if speed is not None and at_once:
        raise click.UsageError("--speed and --all exclude each other")
    with store.open_store(db) as opened:
        stored = opened.episode(id_.lower(), vectors=False)
        scenario = opened.scenario(stored.summary.scenario_id)
    if seat is not None and seat not in (seats := [own.name for own in scenario.seats]):
        hint = did_you_mean(seat, seats) or f"; there are {', '.join(seats)}"
        raise InputError(f"no seat {seat!r} in episode {stored.id}{hint}")
    screen = console()
    if seat is None:
        print_heading(screen, stored, scenario.title)
    else:
        _print_role(screen, stored, scenario, seat)
    if not _show(screen, _turns(stored, scenario, seat), _pace(speed, at_once)):
        return
    print_ending(screen, stored)


def _print_role(screen: Console, stored: StoredEpisode, scenario: Scenario, seat: str) -> None:
    """Prints what a seat knew before the first turn."""
    from agents.prompting import prompt_facts

    observation = observe(scenario, seat, (), 0, stored.episode.seed)
    known = prompt_facts(observation)
    screen.print(
        Text(harmless(f"{known['name']}, the seat {seat} of episode {stored.id}"), style="bold")
    )
    for name in PRIVATE:
        if known[name]:
            screen.print(
                Text(f"{name}: ", style="dim").append(harmless(known[name]), style="default")
            )
    screen.print()


def _turns(stored: StoredEpisode, scenario: Scenario, seat: str | None) -> Iterator[list[Text]]:
    """The lines of each turn in which there is something to see."""
    labels = (
        labels_seen_by(scenario, seat)
        if seat
        else {own.seat: own.persona for own in stored.summary.seats}
    )
    names = {own.name: labels[own.name] for own in scenario.seats}

    def seen(act: Act) -> bool:
        return seat is None or perceives(seat, act)

    for turn in stored.episode.turns:
        if lines := [
            act_line(turn.index, act, names, scenario.language) for act in turn.acts if seen(act)
        ]:
            yield lines


def _show(screen: Console, turns: Iterator[list[Text]], go_on: Callable[[], bool]) -> bool:
    """Prints the turns, asking before each; False if somebody had seen enough."""
    for lines in turns:
        if not go_on():
            return False
        for line in lines:
            screen.print(line)
    return True


def _pace(speed: float | None, at_once: bool) -> Callable[[], bool]:
    """What waits before a turn, and says whether to show it."""
    if speed is not None:
        return lambda: _after(60 / speed)
    if at_once or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return lambda: True
    click.echo(KEYS, err=True)
    waiting = True

    def ask() -> bool:
        nonlocal waiting
        if not waiting:
            return True
        line = sys.stdin.readline()
        waiting = line.strip() != "a"
        return bool(line) and line.strip() != "q"

    return ask


def _after(seconds: float) -> bool:
    time.sleep(seconds)
    return True
