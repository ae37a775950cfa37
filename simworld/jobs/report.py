"""What a job reports: counts, ids and failures, a table, and a few lines for people."""

from __future__ import annotations

import html
import warnings
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from simworld.core.counts import counted
from simworld.core.errors import SimworldError
from simworld.core.text import harmless

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import RenderableType

    from store import EpisodeSummary

MAX_ROWS_SHOWN = 20  # of the table in a notebook
MAX_FAILURES_SHOWN = 5  # kinds


class JobReport(ABC):
    """What a job did. `print` shows its lines, `rich.print` and a notebook its table as well."""

    __slots__ = ()

    @abstractmethod
    def summary(self) -> str:
        """What was done and what failed, in a few lines."""

    @abstractmethod
    def frame(self) -> pd.DataFrame:
        """The table that the job is for."""

    def __str__(self) -> str:
        return harmless(self.summary())

    def _repr_html_(self) -> str:
        """Lines and table for a notebook."""
        lines = "<br>".join(html.escape(line) for line in str(self).splitlines())
        table = self._table_or_none()
        if table is None:
            return f"<p>{lines}</p>"
        return f"<p>{lines}</p>{table.head(MAX_ROWS_SHOWN).to_html(index=False)}"

    def __rich__(self) -> RenderableType:
        """Lines and table for a terminal."""
        from rich.console import Group
        from rich.table import Column, Table
        from rich.text import Text

        frame = self._table_or_none()
        if frame is None:
            return Text(str(self))
        table = Table(*(Column(Text(harmless(str(name)))) for name in frame.columns))
        for row in frame.head(MAX_ROWS_SHOWN).itertuples(index=False):
            table.add_row(*(Text(_cell_text(value)) for value in row))
        return Group(Text(str(self)), table)

    def _table_or_none(self) -> pd.DataFrame | None:
        """The table, unless there is none to show, as where nothing is scored yet."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its notes are for who asks for the frame
            try:
                return self.frame()
            except SimworldError:
                return None


def failure_summary(failures: Sequence[EpisodeSummary], run: str) -> list[str]:
    """A line for each way in which episodes of a run failed, the most frequent first."""
    counts = Counter(summary.failure_text for summary in failures)
    frequent = sorted(counts.items(), key=lambda kind: (-kind[1], kind[0]))
    lines = [
        f"  failed{f' {times} times' if times > 1 else ''}: {cause}"
        for cause, times in frequent[:MAX_FAILURES_SHOWN]
    ]
    if (more := len(counts) - MAX_FAILURES_SHOWN) > 0:
        lines.append(
            f"  {counted(more, 'more kind')}: simworld episode list --run {run} --ending failed"
        )
    return [harmless(line) for line in lines]


def _cell_text(value: Any) -> str:
    if value is None or value != value:  # NaN
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else harmless(str(value))
