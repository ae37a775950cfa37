"""The failures of a run as its last lines tell them: whose, where and how, and how to try again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from simworld.jobs.report import failure_summary

if TYPE_CHECKING:
    from store import EpisodeSummary, Store


def failure_lines(store: Store, run: str) -> list[str]:
    """How the last attempts at a run's work items failed, the most frequent failure first; empty if
    none failed.
    """
    from simworld.results.last_attempts import failed_attempts

    return describe_failures(failed_attempts(store, run), run)


def describe_failures(failures: Sequence[EpisodeSummary], run: str) -> list[str]:
    """The same of failures that were read before."""
    lines = failure_summary(failures, run)
    return [*lines, "  play them again with --retry-failed"] if lines else []
