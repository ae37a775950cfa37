"""Dialogues as a judge might have read them: seats in another order, or names exchanged.

Nothing that is judged changes, so what a score moves by is the judge's own doing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import regex

from simworld.core.episode import Act, Episode
from simworld.core.scenario import Persona, Scenario
from simworld.core.whole_words import whole_words_pattern

Swap = Literal["seats", "names"]
SWAPS: tuple[Swap, ...] = ("seats", "names")


def swap_dialogue(swap: Swap, scenario: Scenario, episode: Episode) -> tuple[Scenario, Episode]:
    """The scenario with its seats reversed, or both with each person under the next one's name.

    Names are exchanged wherever they stand as whole words: the full name, what others call the
    person, the first and the last word. A word that several people share stays. Pronouns stay too,
    so that a text may come to speak of Ann as of a man.
    """
    if swap == "seats":
        return replace(scenario, seats=scenario.seats[::-1]), episode
    people = [seat.persona for seat in scenario.seats]
    rename = _make_renamer(people)
    seats = tuple(
        replace(
            seat,
            persona=_rename_persona(seat.persona, next_person, rename),
            goal=rename(seat.goal),
            knows=rename(seat.knows),
            secret=rename(seat.secret),
        )
        for seat, next_person in zip(scenario.seats, people[1:] + people[:1], strict=True)
    )
    turns = tuple(
        replace(turn, acts=tuple(_with_text(act, rename(act.action.text)) for act in turn.acts))
        for turn in episode.turns
    )
    renamed_scenario = replace(
        scenario,
        seats=seats,
        setting=rename(scenario.setting),
        judge_note=rename(scenario.judge_note),
    )
    return renamed_scenario, replace(episode, turns=turns)


def _with_text(act: Act, text: str) -> Act:
    return replace(act, action=replace(act.action, text=text))


def _rename_persona(persona: Persona, into: Persona, rename: Callable[[str], str]) -> Persona:
    return replace(
        persona,
        name=into.name,
        short=into.short,
        public=rename(persona.public),
        personality=rename(persona.personality),
        values=rename(persona.values),
    )


def _make_renamer(people: list[Persona]) -> Callable[[str], str]:
    """A function that replaces each person's name by the next person's."""
    new_names: dict[str, set[str]] = defaultdict(set)
    for person, next_person in zip(people, people[1:] + people[:1], strict=True):
        own_names: dict[str, str] = {}
        for old, name in zip(_name_forms(person), _name_forms(next_person), strict=True):
            own_names.setdefault(old, name)
        for old, name in own_names.items():
            new_names[old].add(name)
    unique = {old: min(names) for old, names in new_names.items() if len(names) == 1}
    pattern = regex.compile(whole_words_pattern(sorted(unique, key=len, reverse=True)))
    return lambda text: (
        str(pattern.sub(lambda match: unique.get(match[0], match[0]), text)) if unique else text
    )


def _name_forms(persona: Persona) -> tuple[str, str, str, str]:
    words = persona.name.split() or [persona.name]
    return persona.display_name, persona.name, words[0], words[-1]
