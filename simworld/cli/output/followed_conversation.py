"""One conversation of many, line by line while it is played."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from simworld.cli.output.text import harmless
from simworld.cli.output.transcript import act_line
from simworld.core.episode import Act

if TYPE_CHECKING:
    from simworld.runner.conversations import Job


class FollowedConversation:
    """Prints the first conversation that an agent has a seat in, as its lines come."""

    def __init__(self, screen: Console, ids: Mapping[str, str], agent_name: str) -> None:
        """Args: `ids` of the agents by name; `agent_name` is the name of one of them."""
        self._screen, self._ids, self._agent_name = screen, ids, agent_name
        self._key: str | None = None

    @property
    def has_printed(self) -> bool:
        """Whether there was a line to print."""
        return self._key is not None

    def on_acts(self, job: Job, turn: int, acts: Sequence[Act]) -> None:
        """What was done in a turn of any conversation."""
        if self._key is None and self._ids[self._agent_name] in {
            agent.id for agent in job.agents.values()
        }:
            self._key = job.item.key
            self._print_heading(job)
        if job.item.key == self._key:
            names = _seat_names(job)
            for act in acts:
                self._screen.print(act_line(turn, act, names, job.scenario.language))

    def _print_heading(self, job: Job) -> None:
        title = (
            f"One of the conversations, as it is played: {job.scenario.title or job.scenario.name}"
        )
        self._screen.print(Text(harmless(title), style="bold"))
        name_by_id = {id_: name for name, id_ in self._ids.items()}
        names = _seat_names(job)
        seats = ", ".join(
            f"{names[seat]} by {name_by_id[agent.id]}" for seat, agent in job.agents.items()
        )
        self._screen.print(Text(harmless(seats), style="dim"))


def _seat_names(job: Job) -> dict[str, str]:
    """Seat → name, as stored transcripts show them."""
    return {seat.name: seat.persona.name for seat in job.scenario.seats}
