"""A person's seat at this terminal: no bar over what they type, one conversation at a time, and the
others' lines as they come.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from simworld.cli.output.text import harmless, say
from simworld.core.episode import Act, Turn
from simworld.core.visibility import observe
from simworld.jobs.progress import playing_bar

if TYPE_CHECKING:
    from agents import LoadedSpec, TerminalBackend
    from simworld.jobs.run import PlayListener
    from simworld.runner.conversations import Job
    from simworld.runner.stored_run import RunProgress


def terminal_backend() -> TerminalBackend:
    """A person at this terminal."""
    from agents import TerminalBackend

    return TerminalBackend(print_line=_print_line, read_line=_read_line)


@contextmanager
def listen_to_play(
    specs: Mapping[str, LoadedSpec], terminal: TerminalBackend
) -> Iterator[PlayListener]:
    """A bar; where a person plays at this terminal, what their seat sees instead."""
    from simworld.jobs.run import PlayListener, has_human

    if has_human(specs):
        view = _HumanSeatView(terminal)
        yield PlayListener(on_progress=view.on_progress, on_acts=view.on_acts)
        return
    with playing_bar() as show_progress:
        yield PlayListener(on_progress=show_progress)


class _HumanSeatView:
    """Shows each person what their seat perceives, and when a conversation is over."""

    def __init__(self, terminal: TerminalBackend) -> None:
        self._terminal = terminal
        self._turns: dict[str, list[Turn]] = {}  # of the conversations under way, by work item
        self._played = 0

    def on_acts(self, job: Job, turn: int, acts: Sequence[Act]) -> None:
        """A turn is over."""
        turns = self._turns.setdefault(job.item.key, [])
        turns.append(Turn(index=turn, acts=tuple(acts)))
        for seat, agent in job.agents.items():
            if agent.model == self._terminal.info.spec:
                self._terminal.show(observe(job.scenario, seat, turns, turn + 1, job.seed))

    def on_progress(self, progress: RunProgress) -> None:
        """Says so where a conversation has ended."""
        if progress.played > self._played:
            self._played = progress.played
            self._turns.clear()
            _print_line(
                f"── The conversation is over: {progress.finished_before + progress.played} of"
                f" {progress.planned}. ──"
            )


def _print_line(line: str) -> None:
    say(line, err=True)


def _read_line(prompt: str) -> str:
    click.echo(harmless(prompt), nl=False, err=True)
    line = sys.stdin.readline()
    if not line:
        click.echo(err=True)
        raise EOFError
    return line.rstrip("\n")
