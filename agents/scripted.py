"""An agent that says what it was told to, turn by turn: a baseline, and a partner for tests."""

from __future__ import annotations

from collections.abc import Sequence

from agents.replies import Names, parse_reply
from simworld.core.episode import Act, Action, ActionKind, Observation
from simworld.core.protocols import Thinking


class ScriptedAgent:
    """Plays its lines in order, one per turn of its seat; after the last it leaves, or does nothing, or starts again."""

    def __init__(self, *, agent_id: str, lines: Sequence[str], after: ActionKind | None = ActionKind.none) -> None:
        """Args: `after` is what follows the last line; None starts again from the first."""
        self._id = agent_id
        self._lines = tuple(lines)
        self._after = after

    @property
    def id(self) -> str:
        """Hash of the spec."""
        return self._id

    @property
    def model(self) -> str:
        """Empty: no model is asked."""
        return ""

    def act(self, observation: Observation) -> Thinking:
        """The next line as an act; lines are read like a model's replies, so `[nods]` is non-verbal and `[leaves]` leaves."""
        spoken = sum(event.seat == observation.seat for event in observation.events)
        action = self._action(spoken, Names.of(observation))
        return Act(seat=observation.seat, action=action)
        yield  # a generator that asks for nothing

    def _action(self, spoken: int, names: Names) -> Action:
        if spoken >= len(self._lines) and self._after is not None:
            return Action(kind=self._after)
        line = self._lines[spoken % len(self._lines)]
        return parse_reply(line, names) or Action(kind=ActionKind.none)
