"""Who sees what: the one place where a scenario and its history become what a single seat may know.

Another seat's goal, private knowledge, secret or private message never enters an Observation, and
the relationship decides how much of another persona does (docs/concepts/glossary.md): stranger
nothing; know_by_name the name; acquaintance also age, gender, pronouns, occupation and public
facts; friend, romantic_relationship and family_member also personality and values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from simworld.core.episode import Act, ActionKind, Event, Observation, OtherSeat, Turn
from simworld.core.scenario import Persona, Relationship, Scenario, Seat
from simworld.core.seeding import derive_seed

_KNOWS_FACTS = frozenset(
    {
        Relationship.acquaintance,
        Relationship.friend,
        Relationship.romantic_relationship,
        Relationship.family_member,
    }
)
_KNOWS_CHARACTER = _KNOWS_FACTS - {Relationship.acquaintance}


def observe(
    scenario: Scenario, seat: str, turns: Sequence[Turn], index: int, seed: int
) -> Observation:
    """Exactly what `seat` may know at turn `index`, after `turns`; `seed` is the episode's."""
    own = scenario.seat(seat)
    labels = labels_seen_by(scenario, seat)
    gone = {act.seat for turn in turns for act in turn.acts if act.action.kind is ActionKind.leave}
    others = tuple(
        OtherSeat(
            seat=other.name,
            label=labels[other.name],
            relationship=(relationship := scenario.relationship(seat, other.name)),
            persona=visible_persona(other.persona, relationship),
            present=other.name not in gone,
        )
        for other in scenario.seats
        if other.name != seat
    )
    events = tuple(
        Event(turn=turn.index, seat=act.seat, label=labels[act.seat], action=act.action)
        for turn in turns
        for act in turn.acts
        if perceives(seat, act)
    )
    return Observation(
        seat=seat,
        label=labels[seat],
        persona=own.persona,
        setting=scenario.setting,
        goal=own.goal,
        knows=own.knows,
        secret=own.secret,
        others=others,
        events=events,
        turn=index,
        turns_limit=scenario.limits.turns,
        seed=derive_seed(seed, "turn", index, seat),
        episode_seed=seed,
        language=scenario.language,
    )


def perceives(seat: str, act: Act) -> bool:
    """Whether a seat perceives an act: its own, a public one, or one addressed to it."""
    return act.seat == seat or not act.action.to or seat in act.action.to


def visible_persona(persona: Persona, relationship: Relationship) -> Persona | None:
    """What a relationship shows of a persona: the hidden fields empty, None for strangers."""
    if relationship is Relationship.stranger:
        return None
    shows_facts = relationship in _KNOWS_FACTS
    shows_character = relationship in _KNOWS_CHARACTER
    return Persona(
        name=persona.name,
        short=persona.short,
        age=persona.age if shows_facts else None,
        gender=persona.gender if shows_facts else "",
        pronouns=persona.pronouns if shows_facts else "",
        occupation=persona.occupation if shows_facts else "",
        public=persona.public if shows_facts else "",
        personality=persona.personality if shows_character else "",
        values=persona.values if shows_character else "",
    )


def labels_seen_by(scenario: Scenario, seat: str) -> dict[str, str]:
    """Each seat's label as `seat` knows it: short names, and roles of strangers; all distinct."""
    labels = {}
    for other in scenario.seats:
        is_known = (
            other.name == seat
            or scenario.relationship(seat, other.name) is not Relationship.stranger
        )
        labels[other.name] = other.persona.display_name if is_known else role_label(other)
    return _distinct_labels(scenario, labels)


def omniscient_labels(scenario: Scenario) -> dict[str, str]:
    """Seat → short name, as one who knows everybody (a judge) calls them; all distinct."""
    return _distinct_labels(
        scenario, {seat.name: seat.persona.display_name for seat in scenario.seats}
    )


def role_label(seat: Seat) -> str:
    """A seat's name as a label: `night-nurse` becomes `Night nurse`."""
    words = seat.name.replace("-", " ").replace("_", " ")
    return words[:1].upper() + words[1:]


def _distinct_labels(scenario: Scenario, labels: dict[str, str]) -> dict[str, str]:
    # Two people called alike are told apart by their roles, which are distinct.
    label_counts = Counter(label.casefold() for label in labels.values())
    role_labels = {seat.name: role_label(seat) for seat in scenario.seats}
    return {
        seat: label
        if label_counts[label.casefold()] == 1 or label == role_labels[seat]
        else f"{label} ({role_labels[seat]})"
        for seat, label in labels.items()
    }
