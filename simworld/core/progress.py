"""Who is told how far long work is, and what was measured in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

# done, of how many, and a note
ReportProgress = Callable[[int, int, str], None]
# the step, and its metrics by name
MetricsSink = Callable[[int, Mapping[str, float]], None]
