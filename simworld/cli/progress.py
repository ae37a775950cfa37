"""Progress on stderr: a bar where stderr is a terminal, and a plain line every half minute where it
is not.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

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

from simworld.cli.remaining_time import Pace, Rate, duration_text
from simworld.cli.text import harmless

if TYPE_CHECKING:
    from simworld.runner import stored_run

EVERY_S = 30.0  # between two plain lines


class Bar:
    """Shows how far some work is: call it with how much is done, of how much, and a note."""

    def __init__(self, pace: Pace, progress: Progress) -> None:
        self._pace, self._progress = pace, progress
        self._lock = threading.Lock()  # plain lines are written beside the work
        self._task = self._added()

    def __call__(
        self, done: int, total: int, note: str = "", *, share: float | None = None
    ) -> None:
        """`share` of the work from which the time left is told, in [0, 1]; default: done of total.

        A count that begins anew (another total, or less done than before) is another part of the
        work, with a time of its own.
        """
        with self._lock:
            if self._pace.seen(done, total, note, share):
                self._progress.reset(self._task)
            forecast = self._pace.forecast()
        self._progress.update(
            self._task,
            total=1.0,
            completed=self._pace.share,
            count=f"{done}/{total}",
            note=harmless(note),
        )
        if forecast:
            self._say(forecast)

    def begin(self, label: str) -> None:
        """Something else begins, of which nothing is counted yet."""
        with self._lock:
            self._pace.begin(harmless(label))
        self._progress.remove_task(self._task)  # a task that had a total cannot lose it
        self._task = self._added()

    def tell(self) -> None:
        """Writes a plain line."""
        with self._lock:
            line = self._pace.line()
        self._say(line)

    def _added(self) -> TaskID:
        return self._progress.add_task(self._pace.label, total=None, count="", note="")

    def _say(self, line: str) -> None:
        if self._progress.disable:
            click.echo(harmless(line), err=True)
        else:
            self._progress.console.print(harmless(line), markup=False)


class _Left(ProgressColumn):
    """How long it still takes, once the pace is known."""

    max_refresh = 0.5  # seconds

    def __init__(self, pace: Pace) -> None:
        super().__init__()
        self._pace = pace

    def render(self, task: Task) -> Text:
        left = self._pace.left()
        return Text(
            "" if left is None else f"about {duration_text(left)} left", style="progress.remaining"
        )


@contextmanager
def progress_bar(
    label: str, *, every_s: float = EVERY_S, clock: Callable[[], float] = time.monotonic
) -> Iterator[Bar]:
    """Shows the progress of the block; call what it gives with how much is done, of how much, and a
    note.

    Where stderr is a terminal, a bar; elsewhere a plain line each `every_s` seconds. Either says
    after the first pieces how long it will take, where that is a minute or more.
    """
    err = Console(stderr=True)
    pace = Pace(harmless(label), clock)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[count]}"),
        TimeElapsedColumn(),
        _Left(pace),
        TextColumn("{task.fields[note]}", markup=False),
    )
    above = sys.stdout.isatty()  # what is printed goes above the bar; into a file it goes as it is
    with Progress(
        *columns, console=err, disable=not err.is_terminal, transient=True, redirect_stdout=above
    ) as progress:
        bar = Bar(pace, progress)
        with _every(every_s, bar.tell) if progress.disable else nullcontext():
            yield bar


@contextmanager
def playing_bar(*, shown: bool = True) -> Iterator[Callable[[stored_run.RunProgress], None]]:
    """The progress of a run: episodes done of all, time gone and left, tokens per second, failures;
    not `shown`: silence.
    """
    if not shown:
        yield lambda progress: None
        return
    rate = Rate()
    with progress_bar("playing") as show:

        def tell(progress: stored_run.RunProgress) -> None:
            per_s = rate.per_s(progress.new_tokens, time.monotonic())
            notes = [f"{per_s:.0f} tokens/s"] if progress.new_tokens else []
            notes += [f"{progress.failed} failed"] if progress.failed else []
            show(
                progress.finished_before + progress.played,
                progress.planned,
                " · ".join(notes),
                share=progress.done_share,
            )

        yield tell


@contextmanager
def _every(seconds: float, tell: Callable[[], None]) -> Iterator[None]:
    """Calls `tell` at intervals during the block, whatever the block is busy with."""
    over = threading.Event()

    def telling() -> None:
        while not over.wait(seconds):
            try:
                tell()
            except (
                OSError,
                ValueError,
            ):  # nobody reads, or the stream was closed: the work goes on
                return

    thread = threading.Thread(target=telling, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
