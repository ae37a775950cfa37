"""An agent that says what it was told to, turn by turn: a baseline, and a partner for tests."""

from __future__ import annotations

from collections.abc import Sequence

from agents.replies.people_names import PeopleNames
from agents.replies.privacy import UnresolvedAddressee
from agents.replies.reply_parsing import parse_reply
from simworld.core.episode import Act, Action, ActionKind, Observation
from simworld.core.errors import Failure
from simworld.core.protocols import ActGenerator
from simworld.core.seeding import derive_seed, make_rng


class ScriptedAgent:
    """Plays its lines in order, one per turn of its seat; after the last it leaves, or does
    nothing, or starts again.
    """

    model = ""  # none is asked

    def __init__(
        self,
        *,
        agent_id: str,
        lines: Sequence[str],
        after: ActionKind | None = ActionKind.none,
        drawn: bool = False,
    ) -> None:
        """Args:
        agent_id: hash of the spec.
        lines: in the order they were written.
        after: what follows the last line; None starts again.
        drawn: the order is drawn by the seed of the episode and the seat, and anew each time it
            starts again; whoever plays the other seats hears the same.
        """
        self.id = agent_id
        self._lines = tuple(lines)
        self._after = after
        self._drawn = drawn

    def act(self, observation: Observation) -> ActGenerator:
        """The next line as an act; lines are read like a model's replies, so `[nods]` is non-verbal
        and `[leaves]` leaves.

        Fails where a line is private, but to nobody here.
        """
        spoken = sum(event.seat == observation.seat for event in observation.events)
        number = self._line_number(spoken, observation)
        action = self._next_action(spoken, number, PeopleNames.of(observation))
        if isinstance(action, UnresolvedAddressee):
            message = f"line {number}: {action.reason}"
            return Failure(boundary="reply", kind="private", message=message)
        return Act(seat=observation.seat, action=action)
        yield  # a generator that asks for nothing

    def unresolved_lines(self, observation: Observation) -> list[str]:
        """The problems of its lines in this scenario: private lines whose addressee is not at the
        table.
        """
        names = PeopleNames.of(observation)
        here = ", ".join(other.label for other in observation.others)
        read = [parse_reply(line, names) for line in self._lines]
        return [
            f"line {number}: {act.reason}; those at the table are {here}"
            for number, act in enumerate(read, 1)
            if isinstance(act, UnresolvedAddressee)
        ]

    def _line_number(self, spoken: int, observation: Observation) -> int:
        """The line that is due, from 1; 0 where there are none."""
        if not self._lines:
            return 0
        passes, index = divmod(spoken, len(self._lines))
        if self._drawn:
            seed = derive_seed(observation.episode_seed, observation.seat, "lines", passes)
            index = int(make_rng(seed).permutation(len(self._lines))[index])
        return index + 1

    def _next_action(
        self, spoken: int, number: int, names: PeopleNames
    ) -> Action | UnresolvedAddressee:
        if spoken >= len(self._lines) and self._after is not None:
            return Action(kind=self._after)
        return parse_reply(self._lines[number - 1], names) or Action(kind=ActionKind.none)
