"""Progress on stderr: a bar where stderr is a terminal, and a plain line every half minute where it
is not.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from simworld.core.text import harmless
from simworld.jobs.evaluation_listener import EvaluationListener
from simworld.jobs.remaining_time import RecentRate, RemainingTime, duration_text

if TYPE_CHECKING:
    from simworld.judging.judging_pass import JudgingTally
    from simworld.runner.stored_run import RunProgress
    from simworld.tournaments.play import TournamentListener

LINE_INTERVAL_S = 30.0  # between two plain lines


class ProgressBar:
    """Shows how far some work is: call it with how much is done, of how much, and a note."""

    def __init__(self, remaining_time: RemainingTime, progress: Progress) -> None:
        self._remaining_time, self._progress = remaining_time, progress
        self._lock = threading.Lock()  # plain lines are written beside the work
        self._task = self._add_task()

    def __call__(
        self, done: int, total: int, note: str = "", *, share: float | None = None
    ) -> None:
        """`share` of the work from which the time left is told, in [0, 1]; default: done of total.

        A count that begins anew (another total, or less done than before) is another part of the
        work, with a time of its own.
        """
        with self._lock:
            if self._remaining_time.update(done, total, note, share):
                self._progress.reset(self._task)
            forecast = self._remaining_time.forecast_line()
        self._progress.update(
            self._task,
            total=1.0,
            completed=self._remaining_time.share,
            count=f"{done}/{total}",
            note=harmless(note),
        )
        if forecast:
            self._print(forecast)

    def begin(self, label: str) -> None:
        """Something else begins, of which nothing is counted yet."""
        with self._lock:
            self._remaining_time.begin(harmless(label))
        self._progress.remove_task(self._task)  # a task that had a total cannot lose it
        self._task = self._add_task()

    def print_line(self) -> None:
        """Writes a plain line."""
        with self._lock:
            line = self._remaining_time.status_line()
        self._print(line)

    def _add_task(self) -> TaskID:
        return self._progress.add_task(self._remaining_time.label, total=None, count="", note="")

    def _print(self, line: str) -> None:
        if self._progress.disable:
            click.echo(harmless(line), err=True)
        else:
            self._progress.console.print(harmless(line), markup=False)


class _TimeLeftColumn(ProgressColumn):
    """How long it still takes, once the pace is known."""

    max_refresh = 0.5  # seconds

    def __init__(self, remaining_time: RemainingTime) -> None:
        super().__init__()
        self._remaining_time = remaining_time

    def render(self, task: Task) -> Text:
        seconds_left = self._remaining_time.seconds_left()
        return Text(
            "" if seconds_left is None else f"about {duration_text(seconds_left)} left",
            style="progress.remaining",
        )


@contextmanager
def progress_bar(
    label: str, *, interval_s: float = LINE_INTERVAL_S, clock: Callable[[], float] = time.monotonic
) -> Iterator[ProgressBar]:
    """Shows the progress of the block; call what it gives with how much is done, of how much, and a
    note.

    Where stderr is a terminal, a bar; elsewhere a plain line each `interval_s` seconds. Either says
    after the first pieces how long it will take, where that is a minute or more.
    """
    err = Console(stderr=True)
    remaining_time = RemainingTime(harmless(label), clock)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[count]}"),
        TimeElapsedColumn(),
        _TimeLeftColumn(remaining_time),
        TextColumn("{task.fields[note]}", markup=False),
    )
    # what is printed goes above the bar; into a file it goes as it is
    redirect_stdout = sys.stdout.isatty()
    with Progress(
        *columns,
        console=err,
        disable=not err.is_terminal,
        transient=True,
        redirect_stdout=redirect_stdout,
    ) as progress:
        bar = ProgressBar(remaining_time, progress)
        with _calling_every(interval_s, bar.print_line) if progress.disable else nullcontext():
            yield bar


@contextmanager
def playing_bar(*, visible: bool = True) -> Iterator[Callable[[RunProgress], None]]:
    """The progress of a run: episodes done of all, time gone and left, tokens per second, failures;
    not `visible`: silence.
    """
    if not visible:
        yield lambda progress: None
        return
    rate = RecentRate()
    with progress_bar("playing") as show:

        def on_progress(progress: RunProgress) -> None:
            per_s = rate.per_s(progress.new_tokens, time.monotonic())
            notes = [f"{per_s:.0f} tokens/s"] if progress.new_tokens else []
            notes += [f"{progress.failed} failed"] if progress.failed else []
            show(
                progress.finished_before + progress.played,
                progress.planned,
                " · ".join(notes),
                share=progress.done_share,
            )

        yield on_progress


@contextmanager
def judging_bar() -> Iterator[Callable[[JudgingTally], None]]:
    """The progress of a judge's pass: judgements made, of those that were to make."""
    with progress_bar("judging") as show:
        yield lambda tally: show(
            tally.scored + tally.failed, tally.total - tally.already_judged, ""
        )


@contextmanager
def tournament_bars() -> Iterator[TournamentListener]:
    """A bar for playing, with the time left, and another for each judge: one at a time, each from
    when it begins.
    """
    from simworld.tournaments.play import TournamentListener

    bars: dict[str, Any] = {}
    with ExitStack() as stack:

        def bar_for(name: str, make_bar: Callable[[], AbstractContextManager[Any]]) -> Any:
            if name not in bars:
                stack.close()
                bars.clear()
                bars[name] = stack.enter_context(make_bar())
            return bars[name]

        def on_playing(progress: RunProgress) -> None:
            bar_for("", playing_bar)(progress)

        def on_judging(judge: str, tally: JudgingTally) -> None:
            done = tally.already_judged + tally.scored + tally.failed
            bar_for(judge, lambda: progress_bar(harmless(f"judging by {judge}")))(
                done, tally.total, f"{tally.failed} failed"
            )

        yield TournamentListener(on_playing=on_playing, on_judging=on_judging)


@contextmanager
def evaluation_bar() -> Iterator[EvaluationListener]:
    """One bar for an evaluation: the episodes, then the judgements."""
    with progress_bar("evaluating") as bar:
        yield EvaluationListener(
            on_playing=lambda progress: bar(
                progress.finished_before + progress.played,
                progress.planned,
                f"episodes; {progress.failed} failed",
                share=progress.done_share,
            ),
            on_judging=lambda tally: bar(
                tally.already_judged + tally.scored + tally.failed,
                tally.total,
                f"judgements; {tally.failed} failed",
            ),
        )


@contextmanager
def _calling_every(seconds: float, callback: Callable[[], None]) -> Iterator[None]:
    """Calls `callback` at intervals during the block, whatever the block is busy with."""
    stopped = threading.Event()

    def repeat() -> None:
        while not stopped.wait(seconds):
            try:
                callback()
            except (OSError, ValueError):  # nobody reads, or the stream is closed
                return

    thread = threading.Thread(target=repeat, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
