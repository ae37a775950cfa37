"""How far a run is, judged by the turns of all its conversations, and not only by those that have
ended.
"""

from __future__ import annotations

from dataclasses import dataclass

from simworld.runner.conversations import PlayCounters, Played


@dataclass(slots=True, kw_only=True)
class TurnProgress:
    """The share of a run's work that is done."""

    limits: int  # turns that all conversations of this command may have, together
    turns_ended: int = 0  # of those that have ended
    limits_ended: int = 0  # that they might have had

    def ended(self, played: Played) -> None:
        """A conversation has ended."""
        self.turns_ended += len(played.episode.turns)
        self.limits_ended += played.job.scenario.limits.turns

    def share(self, pulse: PlayCounters) -> float:
        """Between 0 and 1. What is not begun is expected to use as much of its turn limit as what
        has ended and what is under way, which counts in full.
        """
        seen = self.limits_ended + pulse.limits_live
        expected = (
            self.limits * (self.turns_ended + pulse.limits_live) / seen if seen else self.limits
        )
        return pulse.turns / max(1.0, expected, pulse.turns)
