"""A progress bar on stderr, drawn only where stderr is a terminal."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from simworld.runner import stored

_RATE_OVER_S = 10.0


class Show(Protocol):
    """Draws how far it is."""

    def __call__(self, done: int, total: int, note: str = "", *, share: float | None = None) -> None:
        """`share` of the work from which the time left is told, in [0, 1]; default: done of total."""
        ...


@contextmanager
def progress_bar(label: str) -> Iterator[Show]:
    """A bar for the block; call what it gives with how much is done, of how much, and a note."""
    err = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[count]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Progress(*columns, console=err, disable=not err.is_terminal, transient=True) as bar:
        task = bar.add_task(label, total=1.0, count="", note="")

        def show(done: int, total: int, note: str = "", *, share: float | None = None) -> None:
            part = share if share is not None else done / total if total else 1.0
            bar.update(task, completed=part, count=f"{done}/{total}", note=note)

        yield show


@contextmanager
def playing_bar() -> Iterator[Callable[[stored.Progress], None]]:
    """A bar for a run: episodes done of all, time gone and left, tokens per second, failures."""
    rate = Rate()
    with progress_bar("playing") as show:

        def tell(progress: stored.Progress) -> None:
            per_s = rate.per_s(progress.new_tokens, time.monotonic())
            notes = [f"{per_s:.0f} tokens/s"] if progress.new_tokens else []
            notes += [f"{progress.failed} failed"] if progress.failed else []
            show(progress.before + progress.played, progress.planned, " · ".join(notes), share=progress.share)

        yield tell


class Rate:
    """How fast a count grows, over the last seconds."""

    def __init__(self, over_s: float = _RATE_OVER_S) -> None:
        self._over_s = over_s
        self._seen: deque[tuple[float, int]] = deque()

    def per_s(self, count: int, now: float) -> float:
        """The growth per second since the last reading that is `over_s` seconds old, or the first one; `now` in seconds."""
        self._seen.append((now, count))
        while len(self._seen) > 2 and self._seen[1][0] <= now - self._over_s:
            self._seen.popleft()
        then, before = self._seen[0]
        return (count - before) / (now - then) if now > then else 0.0
