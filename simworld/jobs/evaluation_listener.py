"""Who is told while an evaluation goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simworld.judging.judging_pass import JudgingTally
    from simworld.runner.stored_run import RunProgress


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationListener:
    """Who is told while an evaluation goes on."""

    on_playing: Callable[[RunProgress], None] = lambda progress: None
    on_judging: Callable[[JudgingTally], None] = lambda tally: None
