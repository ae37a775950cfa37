"""A person at the terminal in a seat: the agent asks, and a terminal backend shows what the seat may know and reads a line."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Sequence

from agents.names import Names
from agents.privacy import Unresolved
from agents.prompting import event_line, facts, who, whom_to_address
from agents.replies import parse_reply
from simworld.core.episode import Act, Observation
from simworld.core.errors import Failure
from simworld.core.protocols import Thinking
from simworld.core.requests import Ask, Finished, Generated, ModelInfo, Request

MODEL = "human:terminal"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class HumanAgent:
    """Asks a person for every act; what they type is read like a model's reply: `[nods]`, `(to Buyer) …`, `[leaves]`."""

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

    def act(self, observation: Observation) -> Thinking:
        """Asks until something usable was typed, and says why where it is not clear whom a line is for."""
        note = ""
        while True:
            answer = yield Ask(observation=observation, note=note)
            if isinstance(answer, Failure):
                return answer
            if not isinstance(answer, Generated):
                return Failure(boundary="reply", kind="unexpected", message=f"a person gave {type(answer).__name__}")
            action = parse_reply(answer.text, Names.of(observation))
            if isinstance(action, Unresolved):
                note = f"Nobody heard that: {action.reason}. {whom_to_address(observation)}"
            elif action is not None:
                return Act(seat=observation.seat, action=action)


class TerminalBackend:
    """Puts one question at a time to a person through `say` and `read`."""

    def __init__(self, *, say: Callable[[str], None], read: Callable[[str], str]) -> None:
        """Args: `say` prints a line; `read` shows a prompt and returns what was typed, raising EOFError at the end of input."""
        self._say = say
        self._read = read
        self._open: deque[tuple[int, Ask]] = deque()
        self._tickets = 0
        self._shown: dict[tuple[int, str], int] = {}

    @property
    def info(self) -> ModelInfo:
        """A person."""
        return ModelInfo(spec=MODEL, id=MODEL, dtype="", context=None)

    def submit(self, request: Request) -> int:
        """A ticket for the question."""
        if not isinstance(request, Ask):
            raise TypeError(f"a terminal takes questions to a person, not {type(request).__name__}")
        self._tickets += 1
        self._open.append((self._tickets, request))
        return self._tickets

    def poll(self, wait_s: float | None = None) -> Sequence[Finished]:
        """Asks the oldest open question and waits for the answer, however long it takes."""
        if not self._open:
            return ()
        ticket, ask = self._open.popleft()
        try:
            text = self._put(ask)
        except EOFError:
            failure = Failure(boundary="human", kind="closed", message="the terminal was closed")
            return (Finished(ticket=ticket, completion=failure),)
        done = Generated(text=text, prompt_tokens=0, new_tokens=0, finish="stop", latency_s=0.0)
        return (Finished(ticket=ticket, completion=done),)

    def close(self) -> None:
        """Nothing to free."""

    def _put(self, ask: Ask) -> str:
        observation = ask.observation
        thread = (observation.episode_seed, observation.seat)
        if thread not in self._shown:
            known = facts(observation) | {"persona": who(observation)}
            for name, value in known.items():
                if value:
                    self._say(_CONTROL.sub("�", f"{name}: {value}"))
        for event in observation.events[self._shown.get(thread, 0) :]:
            if event.seat != observation.seat:
                self._say(_CONTROL.sub("�", event_line(event, observation)))
        self._shown[thread] = len(observation.events)
        if ask.note:
            self._say(_CONTROL.sub("�", ask.note))
        return self._read(f"{observation.label}: ")
