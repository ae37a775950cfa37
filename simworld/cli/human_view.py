"""A person's seat at this terminal: no bar over what they type, one conversation at a time, and the
others' lines as they come.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from simworld.cli.progress import playing_bar
from simworld.cli.text import harmless
from simworld.core.episode import Act, Turn
from simworld.core.visibility import observe

if TYPE_CHECKING:
    from agents import LoadedSpec, TerminalBackend
    from simworld.runner.conversations import Job, OnActs
    from simworld.runner.stored_run import RunProgress


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """What a run tells while it plays."""

    progress: Callable[[RunProgress], None]
    acts: OnActs


def has_person(specs: Mapping[str, LoadedSpec]) -> bool:
    """Whether a person has a seat among these agents."""
    from agents import HumanSpec

    return any(isinstance(loaded.spec, HumanSpec) for loaded in specs.values())


def terminal() -> TerminalBackend:
    """A person at this terminal."""
    from agents import TerminalBackend

    return TerminalBackend(print_line=_say, read_line=_read)


@contextmanager
def watching_play(specs: Mapping[str, LoadedSpec], at: TerminalBackend) -> Iterator[Watching]:
    """A bar; where a person plays at the terminal `at`, what their seat sees instead."""
    if has_person(specs):
        seats = _PersonView(at)
        yield Watching(progress=seats.tell, acts=seats.hear)
        return
    with playing_bar() as tell:
        yield Watching(progress=tell, acts=lambda job, turn, acts: None)


class _PersonView:
    """Shows each person what their seat perceives, and when a conversation is over."""

    def __init__(self, at: TerminalBackend) -> None:
        self._at = at
        self._turns: dict[str, list[Turn]] = {}  # of the conversations under way, by work item
        self._played = 0

    def hear(self, job: Job, turn: int, acts: Sequence[Act]) -> None:
        """A turn is over."""
        turns = self._turns.setdefault(job.item.key, [])
        turns.append(Turn(index=turn, acts=tuple(acts)))
        for seat, agent in job.agents.items():
            if agent.model == self._at.info.spec:
                self._at.show(observe(job.scenario, seat, turns, turn + 1, job.seed))

    def tell(self, progress: RunProgress) -> None:
        """Says so where a conversation has ended."""
        if progress.played > self._played:
            self._played = progress.played
            self._turns.clear()
            _say(
                f"── The conversation is over: {progress.finished_before + progress.played} of"
                f" {progress.planned}. ──"
            )


def _say(line: str) -> None:
    click.echo(harmless(line), err=True)


def _read(prompt: str) -> str:
    click.echo(harmless(prompt), nl=False, err=True)
    line = sys.stdin.readline()
    if not line:
        click.echo(err=True)
        raise EOFError
    return line.rstrip("\n")
