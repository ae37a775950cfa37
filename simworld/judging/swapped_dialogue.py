"""Dialogues as a judge could as well have read them: people listed in another order, or under each
other's names.

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
from simworld.core.words import whole_words_pattern

Swap = Literal["seats", "names"]
SWAPS: tuple[Swap, ...] = ("seats", "names")


def swapped(swap: Swap, scenario: Scenario, episode: Episode) -> tuple[Scenario, Episode]:
    """The scenario with its seats in reverse order; or scenario and episode with each person under
    the name of the next one.

    Names are exchanged wherever they stand as whole words: the full name, what others call the
    person, the first and the last word. A word that several people share stays. Pronouns stay too,
    so that a text may come to speak of Ann as of a man.
    """
    if swap == "seats":
        return replace(scenario, seats=scenario.seats[::-1]), episode
    people = [seat.persona for seat in scenario.seats]
    rename = _renaming(people)
    seats = tuple(
        replace(
            seat,
            persona=_renamed(seat.persona, after, rename),
            goal=rename(seat.goal),
            knows=rename(seat.knows),
            secret=rename(seat.secret),
        )
        for seat, after in zip(scenario.seats, people[1:] + people[:1], strict=True)
    )
    turns = tuple(
        replace(turn, acts=tuple(_said(act, rename(act.action.text)) for act in turn.acts))
        for turn in episode.turns
    )
    told = replace(
        scenario,
        seats=seats,
        setting=rename(scenario.setting),
        judge_note=rename(scenario.judge_note),
        family=scenario.family,
    )
    return told, replace(episode, turns=turns)


def _said(act: Act, text: str) -> Act:
    return replace(act, action=replace(act.action, text=text))


def _renamed(persona: Persona, after: Persona, rename: Callable[[str], str]) -> Persona:
    return replace(
        persona,
        name=after.name,
        short=after.short,
        public=rename(persona.public),
        personality=rename(persona.personality),
        values=rename(persona.values),
    )


def _renaming(people: list[Persona]) -> Callable[[str], str]:
    """A function that replaces each person's name by the next person's."""
    new: dict[str, set[str]] = defaultdict(set)
    for one, after in zip(people, people[1:] + people[:1], strict=True):
        own: dict[str, str] = {}
        for old, name in zip(_forms(one), _forms(after), strict=True):
            own.setdefault(old, name)
        for old, name in own.items():
            new[old].add(name)
    clear = {old: min(names) for old, names in new.items() if len(names) == 1}
    pattern = regex.compile(whole_words_pattern(sorted(clear, key=len, reverse=True)))
    return lambda text: (
        str(pattern.sub(lambda found: clear.get(found[0], found[0]), text)) if clear else text
    )


def _forms(persona: Persona) -> tuple[str, str, str, str]:
    words = persona.name.split() or [persona.name]
    return persona.display_name, persona.name, words[0], words[-1]
