"""A person at the terminal in a seat: the agent asks, and a terminal backend shows what the seat
may know and reads a line.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Sequence

from agents.people_names import PeopleNames
from agents.privacy import UnresolvedAddressee
from agents.prompting import describe_self, event_line, prompt_facts, whom_to_address
from agents.reply_parsing import parse_reply
from simworld.core.episode import Act, Observation
from simworld.core.errors import Failure, Stopped
from simworld.core.protocols import ActGenerator
from simworld.core.requests import AskPerson, Finished, Generated, ModelInfo, Request
from simworld.language import load_language

MODEL = "human:terminal"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class HumanAgent:
    """Asks a person for every act; what they type is read like a model's reply: `[nods]`, `(to
    Buyer) …`, `[leaves]`.
    """

    def __init__(self, *, agent_id: str) -> None:
        self._id = agent_id

    @property
    def id(self) -> str:
        """Hash of the spec."""
        return self._id

    @property
    def model(self) -> str:
        """The terminal."""
        return MODEL

    def act(self, observation: Observation) -> ActGenerator:
        """Asks until something usable was typed, and says why where it is not clear whom a line is
        for.
        """
        note = ""
        while True:
            answer = yield AskPerson(observation=observation, note=note)
            if isinstance(answer, Failure):
                return answer
            if not isinstance(answer, Generated):
                return Failure(
                    boundary="reply",
                    kind="unexpected",
                    message=f"a person gave {type(answer).__name__}",
                )
            action = parse_reply(answer.text, PeopleNames.of(observation))
            if isinstance(action, UnresolvedAddressee):
                note = f"Nobody heard that: {action.reason}. {whom_to_address(observation)}"
            elif action is not None:
                return Act(seat=observation.seat, action=action)


class TerminalBackend:
    """Puts one question at a time to a person through `say` and `read`."""

    def __init__(self, *, say: Callable[[str], None], read: Callable[[str], str]) -> None:
        """Args: `say` prints a line; `read` shows a prompt and returns what was typed, raising
        EOFError at the end of input.
        """
        self._say_line = say
        self._read = read
        self._open: deque[tuple[int, AskPerson]] = deque()
        self._tickets = 0
        self._last: dict[tuple[int, str], Observation] = {}  # that was shown, by episode and seat
        # turns of an episode and seat whose line stands on the screen
        self._typed: set[tuple[int, str, int]] = set()

    @property
    def info(self) -> ModelInfo:
        """A person."""
        return ModelInfo(spec=MODEL, id=MODEL, dtype="", context=None)

    def submit(self, request: Request) -> int:
        """A ticket for the question."""
        if not isinstance(request, AskPerson):
            raise TypeError(f"a terminal takes questions to a person, not {type(request).__name__}")
        self._tickets += 1
        self._open.append((self._tickets, request))
        return self._tickets

    def poll(self, wait_s: float | None = None) -> Sequence[Finished]:
        """Asks the oldest open question and waits for the answer, however long it takes.

        Raises Stopped at the end of input: nobody is there, so no conversation is stored that
        nobody had.
        """
        if not self._open:
            return ()
        ticket, ask = self._open.popleft()
        observation = ask.observation
        self.show(observation)
        if ask.note:
            self._say(ask.note)
        try:
            text = self._read(f"{observation.label}: ")
        except EOFError:
            raise Stopped(
                "the terminal was closed, so nobody speaks for a person's seat; the same command"
                " plays the rest"
            ) from None
        self._typed.add((observation.episode_seed, observation.seat, observation.turn))
        done = Generated(text=text, prompt_tokens=0, new_tokens=0, finish="stop", latency_s=0.0)
        return (Finished(ticket=ticket, completion=done),)

    def show(self, observation: Observation) -> None:
        """Shows what a seat has not seen yet: at the beginning who it is and what it may type, then
        the others' lines.
        """
        # casts share it, and are played one after the other
        thread = (observation.episode_seed, observation.seat)
        last = self._last.get(thread)
        if last is None or observation.events[: len(last.events)] != last.events:
            self._typed.clear()
            self._head(observation)
            seen = 0
        else:
            seen = len(last.events)
        self._last[thread] = observation
        for event in observation.events[seen:]:
            if event.seat != observation.seat or (*thread, event.turn) not in self._typed:
                self._say(event_line(event, observation))

    def close(self) -> None:
        """Nothing to free."""

    def _head(self, observation: Observation) -> None:
        known = prompt_facts(observation)
        briefing = {
            "Setting": known["setting"],
            "You": describe_self(observation),
            "With you": known["others"],
            "Your goal": known["goal"],
            "Only you know": known["knows"],
            "Your secret": known["secret"],
        }
        self._say(f"── You are {observation.label} ──")
        for name, value in briefing.items():
            if value:
                self._say(f"{name}: {value}")
        self._say(_marks(observation))

    def _say(self, line: str) -> None:
        self._say_line(_CONTROL.sub("�", line))


def _marks(observation: Observation) -> str:
    """What a person may type, with the marks in the scenario's language."""
    words = load_language(observation.language).acts
    present = [other.label for other in observation.others if other.present]
    lines = [
        f"Type what {observation.label} says; [nods] or [opens the window] for a gesture or an act"
    ]
    if len(present) > 1:
        lines.append(f"{words.to.format(names=present[0])} first for {present[0]} alone")
    lines.append(f"[{words.says_nothing}] to let the turn pass; [{words.leaves}] to leave for good")
    return "; ".join(lines) + "."
