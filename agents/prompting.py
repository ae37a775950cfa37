"""Observation → prompt: templates are data files with named slots, filled in one pass, so that no text can add a slot.

Two styles. `chat`: the seat's own lines are the assistant's messages, everybody else's the user's. `script`: the dialogue so far
is a script that the model continues inside its reply.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from simworld.core.episode import ActionKind, Event, Observation, Other
from simworld.core.requests import ChatPrompt, Message
from simworld.core.scenario import Persona, Relationship

PROMPTS = Path(__file__).parent / "prompts"
SLOTS = ("setting", "name", "persona", "others", "goal", "knows", "secret")
_SLOT = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_RELATION = {
    Relationship.stranger: "a stranger",
    Relationship.know_by_name: "known by name",
    Relationship.acquaintance: "an acquaintance",
    Relationship.friend: "a friend",
    Relationship.romantic_relationship: "partner",
    Relationship.family_member: "family",
}


class PromptTemplate(BaseModel):
    """A prompt file: its style and its texts, with slots in double braces."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    style: Literal["chat", "script"]
    system: str = Field(default="", description="System message; may be empty.")
    instructions: str = Field(default="", description="script: the user's message that comes before the dialogue.")
    opening: str = Field(
        default="(You speak first.)", description="chat: the user's message when nothing was said yet."
    )

    @field_validator("system", "instructions", "opening")
    @classmethod
    def _known_slots(cls, text: str) -> str:
        if unknown := [slot for slot in _SLOT.findall(text) if slot not in SLOTS]:
            raise ValueError(f"unknown slot {{{{{unknown[0]}}}}}; the slots are {', '.join(SLOTS)}")
        return text

    @property
    def version(self) -> str:
        """48 bits of the SHA-256 of the template."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]


def build_prompt(
    template: PromptTemplate, observation: Observation, *, drop_events: int = 0, note: str = ""
) -> ChatPrompt:
    """The prompt for a seat's turn, without the `drop_events` oldest events; a `note` ends the last user's message."""
    slots = facts(observation)
    events = observation.events[drop_events:]
    system = fill(template.system, slots)
    head = (Message(role="system", content=system),) if system else ()
    if template.style == "chat":
        *before, last = _chat(template, events, observation, slots)
        return ChatPrompt(messages=(*head, *before, _noted(last, note)))
    lines = [event_line(event, observation) for event in events if event.action.kind is not ActionKind.none]
    script = "\n".join([*lines, f"{observation.label}:"])
    user = Message(role="user", content=fill(template.instructions, slots))
    return ChatPrompt(messages=(*head, _noted(user, note)), reply_start=script)


def stop_strings(template: PromptTemplate, observation: Observation) -> tuple[str, ...]:
    """Where a reply ends by itself: at the end of the line in a script, at another speaker's label in a chat."""
    if template.style == "script":
        return ("\n",)
    labels = [other.label for other in observation.others]
    # A label without a Latin letter may be followed by a full-width colon.
    wide = [label for label in labels if not any("LATIN" in unicodedata.name(char, "") for char in label)]
    return (*(f"\n{label}:" for label in labels), *(f"\n{label}：" for label in wide))


def whom_to_address(observation: Observation) -> str:
    """What a seat is told after a reply that was meant for somebody alone, but did not say for whom of those present."""
    marks = [f"(to {other.label})" for other in observation.others if other.present]
    if not marks:
        return "(Nobody else is here.)"
    return (
        f"(A reply that only one person is to hear begins with {' or '.join(marks)}, and all of it is for that person. "
        "Without such a mark everybody hears it. Nobody else is here.)"
    )


def facts(observation: Observation) -> dict[str, str]:
    """The slots' values: everything private or relation-dependent that a prompt may say."""
    return {
        "setting": _line(observation.setting),
        "name": observation.label,
        "persona": describe(observation.persona, name=False),
        "others": " ".join(filter(None, map(_other, observation.others))),
        "goal": _line(observation.goal),
        "knows": _line(observation.knows),
        "secret": _line(observation.secret),
    }


def describe(persona: Persona, *, name: bool = True) -> str:
    """A persona in one line; empty fields are left out."""
    who = [
        _line(persona.name) if name else "",
        str(persona.age) if persona.age is not None else "",
        _line(persona.gender),
        f"({_line(persona.pronouns)})" if persona.pronouns else "",
        _line(persona.occupation),
    ]
    more = [_line(text) for text in (persona.public, persona.personality, persona.values)]
    head = ", ".join(filter(None, who)).replace(", (", " (")
    return ". ".join(text.rstrip(".") for text in (head, *more) if text)


def event_line(event: Event, observation: Observation) -> str:
    """An earlier act as a line of script: speech plain, acts in square brackets, private ones marked."""
    to = addressees(event, observation)
    return f"{event.label}{to and f' {to}'}: {act_text(event)}"


def addressees(event: Event, observation: Observation) -> str:
    """`(to Buyer)` for a private act, empty for a public one."""
    labels = {other.seat: other.label for other in observation.others} | {observation.seat: observation.label}
    return f"(to {', '.join(labels[seat] for seat in event.action.to)})" if event.action.to else ""


def act_text(event: Event) -> str:
    """What was said or done, acts in square brackets."""
    text = _line(event.action.text)
    match event.action.kind:
        case ActionKind.speak:
            return text
        case ActionKind.leave:
            return f"{text} [leaves]".strip()
        case ActionKind.none:
            return "[says nothing]"
        case _:
            return f"[{text}]"


def fill(text: str, slots: dict[str, str]) -> str:
    """The text with its slots filled in one pass; a line whose slots are all empty is left out."""
    lines = []
    for line in text.splitlines():
        names = _SLOT.findall(line)
        optional = [name for name in names if name != "name"]
        if optional and not any(slots[name] for name in optional):
            continue
        lines.append(_SLOT.sub(lambda match: slots[match.group(1)], line))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _chat(
    template: PromptTemplate, events: Sequence[Event], observation: Observation, slots: dict[str, str]
) -> Iterable[Message]:
    # Templates want user and assistant to alternate, user first and, before a reply, user last.
    parts: list[tuple[bool, list[str]]] = [(False, [])]
    for event in events:
        own = event.seat == observation.seat
        said = f"{addressees(event, observation)} {act_text(event)}".strip()
        text = said if own else event_line(event, observation)
        if parts[-1][0] == own:
            parts[-1][1].append(text)
        else:
            parts.append((own, [text]))
    if parts[-1][0]:
        parts.append((False, ["(They wait for you to go on.)"]))
    for own, texts in parts:
        content = "\n".join(texts) or fill(template.opening, slots)
        yield Message(role="assistant" if own else "user", content=content)


def _noted(message: Message, note: str) -> Message:
    return Message(role=message.role, content=f"{message.content}\n\n{note}".strip()) if note else message


def _other(other: Other) -> str:
    relation = _RELATION[other.relationship]
    gone = " They have left." if not other.present else ""
    if other.persona is None:
        return f"{other.label} is {relation}.{gone}"
    about = describe(other.persona, name=other.persona.name != other.label).rstrip(".")
    return f"{other.label} ({relation}): {about}.{gone}" if about else f"{other.label} is {relation}.{gone}"


def _line(text: str) -> str:
    return " ".join(text.split())
