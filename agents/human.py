"""A person at the terminal in a seat: the agent asks, and a terminal backend shows what the seat
may know and reads a line.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Sequence

from agents.prompting import addressing_note, describe_self, event_line, prompt_facts
from agents.replies.people_names import PeopleNames
from agents.replies.privacy import UnresolvedAddressee
from agents.replies.reply_parsing import parse_reply
from simworld.core.episode import Act, Observation
from simworld.core.errors import Failure, Stopped
from simworld.core.protocols import ActGenerator
from simworld.core.requests import AskPerson, Finished, Generated, ModelInfo, Request
from simworld.language import load_language

MODEL = "human:terminal"
_CONTROL_CHARACTER = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class HumanAgent:
    """Asks a person for every act; what they type is read like a model's reply: `[nods]`, `(to
    Buyer) …`, `[leaves]`.
    """

    model = MODEL

    def __init__(self, *, agent_id: str) -> None:
        self.id = agent_id

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
                message = f"a person gave {type(answer).__name__}"
                return Failure(boundary="reply", kind="unexpected", message=message)
            action = parse_reply(answer.text, PeopleNames.of(observation))
            if isinstance(action, UnresolvedAddressee):
                note = f"Nobody heard that: {action.reason}. {addressing_note(observation)}"
            elif action is not None:
                return Act(seat=observation.seat, action=action)


class TerminalBackend:
    """Puts one question at a time to a person through `print_line` and `read_line`."""

    def __init__(
        self, *, print_line: Callable[[str], None], read_line: Callable[[str], str]
    ) -> None:
        """Args: `read_line` shows a prompt and returns what was typed, raising EOFError at the end
        of input.
        """
        self._print_line = print_line
        self._read_line = read_line
        self._open_questions: deque[tuple[int, AskPerson]] = deque()
        self._last_ticket = 0
        # that was shown, by episode and seat
        self._last_shown: dict[tuple[int, str], Observation] = {}
        # turns of an episode and seat whose line stands on the screen
        self._typed_turns: set[tuple[int, str, int]] = set()

    @property
    def info(self) -> ModelInfo:
        """A person."""
        return ModelInfo(spec=MODEL, id=MODEL, dtype="", context=None)

    def submit(self, request: Request) -> int:
        """A ticket for the question."""
        if not isinstance(request, AskPerson):
            raise TypeError(f"a terminal takes questions to a person, not {type(request).__name__}")
        self._last_ticket += 1
        self._open_questions.append((self._last_ticket, request))
        return self._last_ticket

    def poll(self, wait_s: float | None = None) -> Sequence[Finished]:
        """Asks the oldest open question and waits for the answer, however long it takes.

        Raises Stopped at the end of input: nobody is there, so no conversation is stored that
        nobody had.
        """
        if not self._open_questions:
            return ()
        ticket, ask = self._open_questions.popleft()
        observation = ask.observation
        self.show(observation)
        if ask.note:
            self._print(ask.note)
        try:
            text = self._read_line(f"{observation.label}: ")
        except EOFError:
            raise Stopped(
                "the terminal was closed, so nobody speaks for a person's seat; the same command"
                " plays the rest"
            ) from None
        self._typed_turns.add((observation.episode_seed, observation.seat, observation.turn))
        done = Generated(text=text, prompt_tokens=0, new_tokens=0, finish="stop", latency_s=0.0)
        return (Finished(ticket=ticket, completion=done),)

    def show(self, observation: Observation) -> None:
        """Shows what a seat has not seen yet: at the beginning who it is and what it may type, then
        the others' lines.
        """
        # casts share it, and are played one after the other
        episode_seat = (observation.episode_seed, observation.seat)
        last = self._last_shown.get(episode_seat)
        if last is None or observation.events[: len(last.events)] != last.events:
            self._typed_turns.clear()
            self._show_briefing(observation)
            shown_count = 0
        else:
            shown_count = len(last.events)
        self._last_shown[episode_seat] = observation
        for event in observation.events[shown_count:]:
            if (
                event.seat != observation.seat
                or (*episode_seat, event.turn) not in self._typed_turns
            ):
                self._print(event_line(event, observation))

    def close(self) -> None:
        """Nothing to free."""

    def _show_briefing(self, observation: Observation) -> None:
        facts = prompt_facts(observation)
        briefing = {
            "Setting": facts["setting"],
            "You": describe_self(observation),
            "With you": facts["others"],
            "Your goal": facts["goal"],
            "Only you know": facts["knows"],
            "Your secret": facts["secret"],
        }
        self._print(f"── You are {observation.label} ──")
        for name, value in briefing.items():
            if value:
                self._print(f"{name}: {value}")
        self._print(_typing_help(observation))

    def _print(self, line: str) -> None:
        self._print_line(_CONTROL_CHARACTER.sub("�", line))


def _typing_help(observation: Observation) -> str:
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
