"""The failures of a run as its last lines tell them: whose, where and how, and how to try again."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from simworld.cli.output.text import harmless
from simworld.core.counts import counted

if TYPE_CHECKING:
    from store import Store

MAX_KINDS = 5  # kinds of failure that are told


def failure_lines(store: Store, run: str) -> list[str]:
    """How the last attempts at a run's work items failed, the most frequent failure first; empty if
    none failed.
    """
    from simworld.results.last_attempts import last_attempts

    last_by_item = last_attempts(store.episode_summaries(run=run))
    counts = Counter(
        summary.failure_text for summary in last_by_item.values() if summary.failure is not None
    )
    frequent = sorted(counts.items(), key=lambda kind: (-kind[1], kind[0]))
    lines = [
        f"  failed{f' {times} times' if times > 1 else ''}: {cause}"
        for cause, times in frequent[:MAX_KINDS]
    ]
    if len(counts) > MAX_KINDS:
        lines.append(
            f"  {counted(len(counts) - MAX_KINDS, 'more kind')}: simworld episode list --run {run}"
            " --ending failed"
        )
    return [harmless(line) for line in lines] + ["  play them again with --retry-failed"] * bool(
        counts
    )
