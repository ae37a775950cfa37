"""Observation → prompt: templates are data files with named slots, filled in one pass, so that no
text can add a slot.

Two styles. `chat`: the seat's own lines are the assistant's messages, everybody else's the user's.
`script`: the dialogue so far is a script that the model continues inside its reply. The words
around those of authors and models come from the table of the scenario's language; the built-in
prompts are written out in each.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence

from agents.prompt_template import PROMPTS_FOLDER as PROMPTS_FOLDER
from agents.prompt_template import PromptTemplate as PromptTemplate
from agents.prompt_template import template_in_language
from simworld.core.episode import ActionKind, Event, Observation, OtherSeat
from simworld.core.person_names import first_word
from simworld.core.requests import ChatPrompt, Message
from simworld.core.scenario import ENGLISH, Persona
from simworld.language import PROMPT_SLOT, Language, PersonaWords, load_language

PROMPT_RULES_VERSION = "2"  # of how prompts are filled: whole names are told, titles are no names


def build_prompt(
    template: PromptTemplate, observation: Observation, *, drop_events: int = 0, note: str = ""
) -> ChatPrompt:
    """The prompt for a seat's turn, without the `drop_events` oldest events; a `note` ends the last
    user's message.
    """
    template = template_in_language(template, observation.language)
    slots = slot_values(observation)
    events = observation.events[drop_events:]
    system = fill_template(template.system, slots)
    head = (Message(role="system", content=system),) if system else ()
    if template.style == "chat":
        *before, last = _chat_messages(template, events, observation, slots)
        return ChatPrompt(messages=(*head, *before, _with_note(last, note)))
    lines = [
        event_line(event, observation)
        for event in events
        if event.action.kind is not ActionKind.none
    ]
    script = "\n".join([*lines, _language_of(observation).speaker_label(observation.label)])
    user = Message(role="user", content=fill_template(template.instructions, slots))
    return ChatPrompt(messages=(*head, _with_note(user, note)), reply_start=script)


def stop_strings(template: PromptTemplate, observation: Observation) -> tuple[str, ...]:
    """Where a reply ends by itself: at the end of the line in a script, at another speaker's label
    in a chat.
    """
    if template.style == "script":
        return ("\n",)
    labels = [other.label for other in observation.others]
    # A label without a Latin letter may be followed by a full-width colon, whatever the language.
    labels_without_latin = [
        label
        for label in labels
        if not any("LATIN" in unicodedata.name(char, "") for char in label)
    ]
    ends = [
        *map(_language_of(observation).speaker_label, labels),
        *(f"{label}:" for label in labels),
        *(f"{label}：" for label in labels_without_latin),
    ]
    return tuple(dict.fromkeys(f"\n{end}" for end in ends))


def addressing_note(observation: Observation) -> str:
    """What a seat is told after a reply that was meant for somebody alone, but did not say for whom
    of those present.
    """
    words = _language_of(observation).acts
    marks = [words.to.format(names=other.label) for other in observation.others if other.present]
    return words.whom.format(marks=words.either.join(marks)) if marks else words.alone


def prompt_version(template: PromptTemplate, observation: Observation) -> str:
    """What the act's row says of the prompt: the template's version and, after a plus, what else
    shaped this prompt.

    Nothing is added to the prompts that have been the same since the first version. `+zh.1a2b3c` is
    the language and the version of its table. `+2` is English under the second rules, which change
    only what was wrong: the prompts of a seat of which only the name is known, and those in which a
    title stood for a name.
    """
    if observation.language != ENGLISH:
        return f"{template.version}+{observation.language}.{_language_of(observation).version}"
    wrong = _first_rules_were_wrong(observation, introduced=template.introduces_seat)
    return f"{template.version}+{PROMPT_RULES_VERSION}" if wrong else template.version


def template_version(version: str) -> str:
    """The template's version out of a prompt's."""
    return version.partition("+")[0]


def is_outdated(version: str, template: PromptTemplate, observation: Observation) -> bool:
    """Whether a row of this template and that version was sent another prompt than `build_prompt`
    makes now.

    So it is where the prompt was wrong and has been mended since, or where a word of its language's
    table has changed.
    """
    return template_version(version) == template.version and version != prompt_version(
        template, observation
    )


def slot_values(observation: Observation) -> dict[str, str]:
    """Every slot's value: the facts, and `who`, which also tells the whole name and is never empty.

    In a line that introduces the seat by name, `persona` is `who` wherever the first rules went
    wrong.
    """
    facts = prompt_facts(observation)
    second_rules = observation.language != ENGLISH or _first_rules_were_wrong(observation)
    return facts | {
        "who": describe_self(observation),
        "introduced": describe_self(observation) if second_rules else "",
    }


def describe_self(observation: Observation) -> str:
    """The seat's own person in one line, with the whole name where it is called otherwise."""
    words = _language_of(observation)
    own = observation.persona
    return (
        describe_persona(own, name=_one_line(own.name) != observation.label, language=words)
        or words.persona.nobody
    )


def prompt_facts(observation: Observation) -> dict[str, str]:
    """The slots' values: everything private or relation-dependent that a prompt may say."""
    return {
        "setting": _one_line(observation.setting),
        "name": observation.label,
        "persona": describe_persona(
            observation.persona, name=False, language=_language_of(observation)
        ),
        "others": _describe_others(observation),
        "goal": _one_line(observation.goal),
        "knows": _one_line(observation.knows),
        "secret": _one_line(observation.secret),
    }


def describe_persona(
    persona: Persona, *, name: bool = True, language: Language | None = None
) -> str:
    """A persona in one line, in English if no language is given; empty fields are left out."""
    words = (language or load_language(ENGLISH)).persona
    gap, opening = re.match(r"(\s*)(.)", words.pronouns).groups()  # type: ignore[union-attr]  # the table checks it
    parts = [
        _one_line(persona.name) if name else "",
        words.age.format(age=persona.age) if persona.age is not None else "",
        _one_line(persona.gender),
        words.pronouns.format(pronouns=_one_line(persona.pronouns)).strip()
        if persona.pronouns
        else "",
        _one_line(persona.occupation),
    ]
    head = words.comma.join(filter(None, parts)).replace(
        f"{words.comma}{opening}", f"{gap}{opening}"
    )
    more = [_one_line(text) for text in (persona.public, persona.personality, persona.values)]
    return words.stop.join(_without_final_stop(text, words) for text in (head, *more) if text)


def event_line(event: Event, observation: Observation) -> str:
    """An earlier act as a line of script: speech plain, acts in square brackets, private ones
    marked.
    """
    words, text = _language_of(observation).acts, act_text(event, _language_of(observation))
    if to := addressees(event, observation):
        return words.private_line.format(who=event.label, to=to, text=text)
    return words.line.format(who=event.label, text=text)


def addressees(event: Event, observation: Observation) -> str:
    """`(to Buyer)` for a private act, empty for a public one."""
    words = _language_of(observation).acts
    labels = {other.seat: other.label for other in observation.others} | {
        observation.seat: observation.label
    }
    return (
        words.to.format(names=words.comma.join(labels[seat] for seat in event.action.to))
        if event.action.to
        else ""
    )


def act_text(event: Event, language: Language | None = None) -> str:
    """What was said or done, acts in square brackets; in English if no language is given."""
    words = (language or load_language(ENGLISH)).acts
    text = _one_line(event.action.text)
    match event.action.kind:
        case ActionKind.speak:
            return text
        case ActionKind.leave:
            return words.after.format(text=text, deed=words.leaves).strip()
        case ActionKind.none:
            return f"[{words.says_nothing}]"
        case _:
            return f"[{text}]"


def fill_template(text: str, slots: dict[str, str]) -> str:
    """The text with its slots filled in one pass; a line whose slots are all empty is left out."""
    lines = []
    for line in text.splitlines():
        names = PROMPT_SLOT.findall(line)
        values = slots
        if {"name", "persona"} <= set(names) and slots.get("introduced"):
            values = {**slots, "persona": slots["introduced"]}
        optional = [name for name in names if name != "name"]
        if optional and not any(values[name] for name in optional):
            continue
        lines.append(PROMPT_SLOT.sub(_slot_replacer(values), line))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _slot_replacer(slots: dict[str, str]) -> Callable[[re.Match[str]], str]:
    return lambda match: slots[match.group(1)]


def _chat_messages(
    template: PromptTemplate,
    events: Sequence[Event],
    observation: Observation,
    slots: dict[str, str],
) -> Iterable[Message]:
    # Templates want user and assistant to alternate, user first and, before a reply, user last.
    language = _language_of(observation)
    parts: list[tuple[bool, list[str]]] = [(False, [])]
    for event in events:
        own = event.seat == observation.seat
        text = _own_line(event, observation) if own else event_line(event, observation)
        if parts[-1][0] == own:
            parts[-1][1].append(text)
        else:
            parts.append((own, [text]))
    if parts[-1][0]:
        parts.append((False, [language.acts.wait]))
    for own, texts in parts:
        content = "\n".join(texts) or fill_template(template.opening, slots)
        yield Message(role="assistant" if own else "user", content=content)


def _with_note(message: Message, note: str) -> Message:
    content = f"{message.content}\n\n{note}".strip() if note else message.content
    return Message(role=message.role, content=content)


def _own_line(event: Event, observation: Observation) -> str:
    text = act_text(event, _language_of(observation))
    if to := addressees(event, observation):
        return _language_of(observation).acts.private.format(to=to, text=text).strip()
    return text


def _describe_others(observation: Observation) -> str:
    language = _language_of(observation)
    return language.others.between.join(
        _describe_other(other, language) for other in observation.others
    )


def _describe_other(other: OtherSeat, language: Language) -> str:
    words = language.others
    about = ""
    if other.persona is not None:
        about = describe_persona(
            other.persona, name=other.persona.name != other.label, language=language
        )
        about = _without_final_stop(about, language.persona)
    form = words.about if about else words.bare
    line = form.format(who=other.label, relation=words.relations[other.relationship], about=about)
    return line if other.present else f"{line}{words.between}{words.left}"


def _without_final_stop(text: str, words: PersonaWords) -> str:
    """The text without the stop that the sentence around it puts."""
    return text.rstrip(f"{words.stop.strip()}.")


def _first_rules_were_wrong(observation: Observation, *, introduced: bool = True) -> bool:
    """Whether the first rules did the seat wrong, where its prompt introduces it by name."""
    return _title_stood_for_name(observation) or (
        introduced and not describe_persona(observation.persona, name=False)
    )


def _title_stood_for_name(observation: Observation) -> bool:
    people = [
        observation.persona,
        *(other.persona for other in observation.others if other.persona is not None),
    ]
    return any(
        not person.short and person.display_name != first_word(person.name) for person in people
    )


def _language_of(observation: Observation) -> Language:
    return load_language(observation.language)


def _one_line(text: str) -> str:
    return " ".join(text.split())
