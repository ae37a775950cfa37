"""What was planned for one act; without torch, so that unsteered agents share the type."""

from __future__ import annotations

from dataclasses import dataclass

from simworld.core.episode import PlanStep
from simworld.core.requests import Prefix


@dataclass(frozen=True, slots=True, kw_only=True)
class ActPlan:
    """The vectors to store with an act, and the prefix for its reply; both None for an agent that
    does not plan.
    """

    step: PlanStep | None = None
    prefix: Prefix | None = None
