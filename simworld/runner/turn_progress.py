"""How far a run is, by the turns of all its conversations, not only of those that ended."""

from __future__ import annotations

from dataclasses import dataclass

from simworld.runner.conversations import PlayCounters, Played


@dataclass(slots=True, kw_only=True)
class TurnProgress:
    """Turns of the conversations that have ended, against what all of them may have."""

    turn_limits: int  # turns that all conversations of this command may have, together
    ended_turns: int = 0  # of those that have ended
    ended_limits: int = 0  # that they might have had

    def add_ended(self, played: Played) -> None:
        """Counts a conversation that has ended."""
        self.ended_turns += len(played.episode.turns)
        self.ended_limits += played.job.scenario.limits.turns

    def done_share(self, counters: PlayCounters) -> float:
        """The share of the work that is done, in [0, 1].

        What is not begun is expected to use as much of its turn limit as what has ended and what is
        under way, which counts in full.
        """
        live_limits, expected_turns = counters.live_turn_limits, float(self.turn_limits)
        if begun_limits := self.ended_limits + live_limits:
            expected_turns *= (self.ended_turns + live_limits) / begun_limits
        return counters.turns / max(1.0, expected_turns, counters.turns)
