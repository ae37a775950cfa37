"""An episode as a judge reads it: everything that was done, in order, everyone by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from simworld.core.episode import Act, ActionKind, Ending, Episode
from simworld.core.scenario import Persona, Relationship, Scenario, Seat
from simworld.core.visibility import full_labels

Part = Literal["setting", "note", "persona", "relationship", "goal", "knows", "secret"]
PARTS: tuple[Part, ...] = ("setting", "note", "persona", "relationship", "goal", "knows", "secret")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One episode as plain text: what came before, and what was said."""

    scenario: Scenario
    names: Mapping[str, str]  # seat → the one name the judge knows it by; all distinct
    lines: tuple[str, ...]  # `Name: text`, oldest first; empty if nobody did anything
    end: str  # how it ended, one sentence, or empty

    @property
    def dialogue(self) -> str:
        """The lines, one below the other."""
        return "\n".join(self.lines)

    def head(self, parts: Sequence[Part] = PARTS) -> str:
        """What the judge knows besides the dialogue; `parts` choose what, empty texts are left out."""
        scenario = self.scenario
        blocks = []
        if "setting" in parts and scenario.setting:
            blocks.append(scenario.setting.strip())
        if "note" in parts and scenario.judge_note:
            blocks.append(scenario.judge_note.strip())
        people = [line for seat in scenario.seats for line in self._about(seat, parts)]
        if "relationship" in parts:
            people += self._relationships()
        if people:
            blocks.append("\n".join(people))
        return "\n\n".join(blocks)

    def _about(self, seat: Seat, parts: Sequence[Part]) -> list[str]:
        name = self.names[seat.name]
        lines = []
        if "persona" in parts and (text := describe(seat.persona)):
            lines.append(f"{name}: {text}")
        if "goal" in parts and seat.goal:
            lines.append(f"{possessive(name)} goal: {flat(seat.goal)}")
        if "knows" in parts and seat.knows:
            lines.append(f"What {name} knows: {flat(seat.knows)}")
        if "secret" in parts and seat.secret:
            lines.append(f"{possessive(name)} secret: {flat(seat.secret)}")
        return lines

    def _relationships(self) -> list[str]:
        seats = [seat.name for seat in self.scenario.seats]
        return [
            f"{self.names[a]} and {self.names[b]}: {relationship.value.replace('_', ' ')}"
            for i, a in enumerate(seats)
            for b in seats[i + 1 :]
            if (relationship := self.scenario.relationship(a, b)) is not Relationship.stranger
        ]


def read(scenario: Scenario, episode: Episode) -> Reading:
    """The reading of an episode; acts of kind `none` are left out, private messages and gestures are marked."""
    names = full_labels(scenario)
    lines = tuple(line for act in episode.acts if (line := act_line(act, names)))
    end = "The conversation was cut off at the turn limit." if episode.ending is Ending.turn_limit else ""
    return Reading(scenario=scenario, names=names, lines=lines, end=end)


def act_line(act: Act, names: Mapping[str, str]) -> str:
    """One act as a line `Name: text`, gestures and deeds between asterisks; empty if nothing was done."""
    name, text = names[act.seat], flat(act.action.text)
    match act.action.kind:
        case ActionKind.none:
            return ""
        case ActionKind.leave:
            text = f"{text} *leaves*" if text else "*leaves*"
        case ActionKind.non_verbal | ActionKind.action:
            text = f"*{text.strip('*')}*" if text else ""
        case ActionKind.speak:
            pass
    if not text:
        return ""
    if act.action.to:
        others = " and ".join(names.get(seat, seat) for seat in act.action.to)
        return f"{name} (to {others} alone): {text}"
    return f"{name}: {text}"


def describe(persona: Persona) -> str:
    """A persona in one line: age, gender, work, public facts, character and values; empty if nothing is known."""
    facts = [str(persona.age) if persona.age is not None else "", persona.gender, persona.occupation]
    first = ", ".join(fact for fact in facts if fact)
    full = persona.name if persona.name != persona.called else ""
    texts = [full, first, flat(persona.public), flat(persona.personality), flat(persona.values)]
    return " ".join(text if text.endswith((".", "!", "?")) else f"{text}." for text in texts if text)


def possessive(name: str) -> str:
    """`Ann's`, `Silas'`."""
    return f"{name}'" if name.endswith("s") else f"{name}'s"


def flat(text: str) -> str:
    """The text on one line."""
    return " ".join(text.split())
