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
from simworld.cli.output.terminal import console
from simworld.cli.output.text import harmless
from simworld.cli.output.transcript import act_line, print_ending, print_heading
from simworld.core.episode import Act
from simworld.core.errors import InputError
from simworld.core.scenario import Scenario
from simworld.core.visibility import labels_seen_by, observe, perceives
from simworld.yamlfile import did_you_mean
from store import StoredEpisode

KEY_HELP = "Enter: the next turn · a and Enter: all that is left · q and Enter: stop"
ROLE_FACTS = ("setting", "persona", "goal", "knows", "secret", "others")


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
    with store.open_store(db) as database:
        stored = database.episode(id_.lower(), vectors=False)
        scenario = database.scenario(stored.summary.scenario_id)
    if seat is not None and seat not in (seats := [own_seat.name for own_seat in scenario.seats]):
        hint = did_you_mean(seat, seats) or f"; there are {', '.join(seats)}"
        raise InputError(f"no seat {seat!r} in episode {stored.id}{hint}")
    screen = console()
    if seat is None:
        print_heading(screen, stored, scenario.title)
    else:
        _print_role(screen, stored, scenario, seat)
    if not _print_turns(
        screen, _visible_turns(stored, scenario, seat), _make_pacer(speed, at_once)
    ):
        return
    print_ending(screen, stored)


def _print_role(screen: Console, stored: StoredEpisode, scenario: Scenario, seat: str) -> None:
    """Prints what a seat knew before the first turn."""
    from agents.prompting import prompt_facts

    observation = observe(scenario, seat, (), 0, stored.episode.seed)
    facts = prompt_facts(observation)
    screen.print(
        Text(harmless(f"{facts['name']}, the seat {seat} of episode {stored.id}"), style="bold")
    )
    for name in ROLE_FACTS:
        if facts[name]:
            screen.print(
                Text(f"{name}: ", style="dim").append(harmless(facts[name]), style="default")
            )
    screen.print()


def _visible_turns(
    stored: StoredEpisode, scenario: Scenario, seat: str | None
) -> Iterator[list[Text]]:
    """The lines of each turn in which there is something to see."""
    labels = (
        labels_seen_by(scenario, seat)
        if seat
        else {seat_record.seat: seat_record.persona for seat_record in stored.summary.seats}
    )
    names = {seat_record.name: labels[seat_record.name] for seat_record in scenario.seats}

    def is_visible(act: Act) -> bool:
        return seat is None or perceives(seat, act)

    for turn in stored.episode.turns:
        if lines := [
            act_line(turn.index, act, names, scenario.language)
            for act in turn.acts
            if is_visible(act)
        ]:
            yield lines


def _print_turns(
    screen: Console, turns: Iterator[list[Text]], may_continue: Callable[[], bool]
) -> bool:
    """Prints the turns, asking before each; False if somebody had seen enough."""
    for lines in turns:
        if not may_continue():
            return False
        for line in lines:
            screen.print(line)
    return True


def _make_pacer(speed: float | None, at_once: bool) -> Callable[[], bool]:
    """What waits before a turn, and says whether to show it."""
    if speed is not None:
        return lambda: _wait(60 / speed)
    if at_once or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return lambda: True
    click.echo(KEY_HELP, err=True)
    waiting = True

    def ask() -> bool:
        nonlocal waiting
        if not waiting:
            return True
        line = sys.stdin.readline()
        waiting = line.strip() != "a"
        return bool(line) and line.strip() != "q"

    return ask


def _wait(seconds: float) -> bool:
    time.sleep(seconds)
    return True
