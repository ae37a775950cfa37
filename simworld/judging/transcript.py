"""An episode as a judge reads it: all acts in order, by name, in the scenario's language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from simworld.core.episode import Act, ActionKind, Ending, Episode
from simworld.core.scenario import Persona, Relationship, Scenario, Seat
from simworld.core.visibility import omniscient_labels
from simworld.language import Language, load_language

ContextPart = Literal["setting", "note", "persona", "relationship", "goal", "knows", "secret"]
CONTEXT_PARTS: tuple[ContextPart, ...] = get_args(ContextPart)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeTranscript:
    """One episode as plain text: what came before, and what was said."""

    scenario: Scenario
    names: Mapping[str, str]  # seat → the one name the judge knows it by; all distinct
    lines: tuple[str, ...]  # `Name: text`, oldest first; empty if nobody did anything
    ending_note: str  # how it ended, one sentence, or empty

    @property
    def language(self) -> Language:
        """The words between those of the scenario and the dialogue."""
        return load_language(self.scenario.language)

    @property
    def dialogue(self) -> str:
        """The lines, one below the other."""
        return "\n".join(self.lines)

    @property
    def dialogue_or_silence(self) -> str:
        """The dialogue; where nobody did anything, a line that says so."""
        return self.dialogue or self.language.judge.silence

    def context(self, parts: Sequence[ContextPart] = CONTEXT_PARTS) -> str:
        """What the judge knows besides the dialogue, without empty texts; `parts` choose what."""
        scenario = self.scenario
        paragraphs = []
        if "setting" in parts and scenario.setting:
            paragraphs.append(scenario.setting.strip())
        if "note" in parts and scenario.judge_note:
            paragraphs.append(scenario.judge_note.strip())
        people_lines = [line for seat in scenario.seats for line in self._seat_lines(seat, parts)]
        if "relationship" in parts:
            people_lines += self._relationships()
        if people_lines:
            paragraphs.append("\n".join(people_lines))
        return "\n\n".join(paragraphs)

    def _seat_lines(self, seat: Seat, parts: Sequence[ContextPart]) -> list[str]:
        name, words = self.names[seat.name], self.language.judge
        whose = possessive(name, self.language)
        lines = []
        if "persona" in parts and (text := describe_persona(seat.persona, self.language)):
            lines.append(words.persona.format(who=name, text=text))
        if "goal" in parts and seat.goal:
            lines.append(words.goal.format(whose=whose, text=one_line(seat.goal)))
        if "knows" in parts and seat.knows:
            lines.append(words.knows.format(who=name, text=one_line(seat.knows)))
        if "secret" in parts and seat.secret:
            lines.append(words.secret.format(whose=whose, text=one_line(seat.secret)))
        return lines

    def _relationships(self) -> list[str]:
        seats, words = [seat.name for seat in self.scenario.seats], self.language.judge
        return [
            words.between.format(
                one=self.names[a], other=self.names[b], relation=words.relations[relationship]
            )
            for i, a in enumerate(seats)
            for b in seats[i + 1 :]
            if (relationship := self.scenario.relationship(a, b)) is not Relationship.stranger
        ]


def make_judge_transcript(scenario: Scenario, episode: Episode) -> JudgeTranscript:
    """The transcript of an episode, without idle acts; private acts and gestures are marked."""
    names, language = omniscient_labels(scenario), load_language(scenario.language)
    lines = tuple(line for act in episode.acts if (line := act_line(act, names, language)))
    ending_note = language.judge.cut_off if episode.ending is Ending.turn_limit else ""
    return JudgeTranscript(scenario=scenario, names=names, lines=lines, ending_note=ending_note)


def act_line(act: Act, names: Mapping[str, str], language: Language) -> str:
    """An act as a line `Name: text`, gestures and deeds between asterisks; empty if idle."""
    name, text, words = names[act.seat], one_line(act.action.text), language.judge
    match act.action.kind:
        case ActionKind.none:
            return ""
        case ActionKind.leave:
            text = f"{text}{words.between_sentences}*{words.leaves}*".strip()
        case ActionKind.non_verbal | ActionKind.action:
            text = f"*{text.strip('*')}*" if text else ""
        case ActionKind.speak:
            pass
    if not text:
        return ""
    if act.action.to:
        addressees = words.conjunction.join(names.get(seat, seat) for seat in act.action.to)
        return words.private_line.format(who=name, names=addressees, text=text)
    return words.line.format(who=name, text=text)


def describe_persona(persona: Persona, language: Language) -> str:
    """A persona in one line: age, gender, work, public facts, character, values; or empty."""
    age = language.persona.age.format(age=persona.age) if persona.age is not None else ""
    facts = language.persona.comma.join(
        fact for fact in (age, persona.gender, persona.occupation) if fact
    )
    full_name = persona.name if persona.name != persona.display_name else ""
    texts = [
        full_name,
        facts,
        one_line(persona.public),
        one_line(persona.personality),
        one_line(persona.values),
    ]
    sentence_ends = language.judge.sentence_ends
    return language.judge.between_sentences.join(
        text if text.endswith(sentence_ends) else f"{text}{sentence_ends[0]}"
        for text in texts
        if text
    )


def possessive(name: str, language: Language) -> str:
    """`Ann's`, `Silas'`."""
    after_s = language.judge.whose_after_s
    return (after_s if after_s and name.endswith("s") else language.judge.whose).format(who=name)


def one_line(text: str) -> str:
    """The text on one line."""
    return " ".join(text.split())
