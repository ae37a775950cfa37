"""Scenario: who sits at the table, what each wants and knows, and the rules of the conversation."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import combinations
from typing import Any

from simworld.core.judgement import Rubric
from simworld.core.person_names import short_name

SCENARIO_ID_VERSION = "s1"
ENGLISH = "en"  # the language of a scenario that names none


class Relationship(StrEnum):
    """What two seats are to each other; decides what each sees of the other's persona."""

    stranger = "stranger"
    know_by_name = "know_by_name"
    acquaintance = "acquaintance"
    friend = "friend"
    romantic_relationship = "romantic_relationship"
    family_member = "family_member"


class TurnOrder(StrEnum):
    """Who acts when: one after the other, one drawn at random each turn, or all at once."""

    round_robin = "round-robin"
    random = "random"
    simultaneous = "simultaneous"


class CheckKind(StrEnum):
    """How a check reads the dialogue."""

    regex = "regex"  # the pattern occurs
    keyword = "keyword"  # one of the words occurs as a whole word in its script, case ignored
    number = "number"  # the pattern's first group is a number within `between`


@dataclass(frozen=True, slots=True, kw_only=True)
class Persona:
    """Who a character is. Everything but `name` may be left empty."""

    name: str
    short: str = ""  # what others call them; default: out of `name`, mostly its first word
    age: int | None = None  # years
    gender: str = ""
    pronouns: str = ""
    occupation: str = ""
    public: str = ""  # facts an acquaintance knows
    personality: str = ""  # traits, known to friends
    values: str = ""  # what they hold dear, known to friends

    @property
    def display_name(self) -> str:
        """The short name others use."""
        return self.short or short_name(self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """A place at the table. `goal`, `knows` and `secret` are private to it."""

    name: str  # its role, public: "seller"
    persona: Persona
    goal: str
    knows: str = ""
    secret: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When a conversation is cut: after `turns` turns, or after `silence` turns in a row in which
    nobody did anything.
    """

    turns: int = 20
    silence: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A programmatic question to the dialogue: recorded for every episode, and with `ends` also its
    end.
    """

    name: str
    kind: CheckKind
    pattern: str = ""  # for regex and number; number reads group 1
    words: tuple[str, ...] = ()  # for keyword
    by: str = ""  # only this seat's acts; empty: anyone's
    between: tuple[float, float] | None = None  # for number, both ends included
    last: bool = False  # number: read the last occurrence instead of the first
    absent: bool = False  # regex, keyword: holds when nothing occurs
    ends: bool = False  # the episode ends, terminated, once the check holds

    def __post_init__(self) -> None:
        if self.between is not None:  # 65 and 65.0 are equal, and must be one scenario
            low, high = self.between
            object.__setattr__(self, "between", (float(low), float(high)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Setting, seats, relationships, turn order, limits, checks, language and rubric of one
    conversation.
    """

    name: str
    setting: str
    seats: tuple[Seat, ...]  # at least two, names distinct
    # keys (a, b) with a before b in `seats`
    relationships: Mapping[tuple[str, str], Relationship] = field(default_factory=dict)
    order: TurnOrder = TurnOrder.round_robin
    limits: Limits = field(default_factory=Limits)
    checks: tuple[Check, ...] = ()
    language: str = ENGLISH  # of the words that simworld itself writes into prompts and transcripts
    # What neither the seats nor the engine read:
    title: str = ""
    family: str = ""  # the statistical unit; default: the name
    kind: str = ""  # bargaining, persuasion, …
    tags: tuple[str, ...] = ()
    rubric: str = "sotopia"
    # what stood in the file that `rubric` names; None for a shipped one
    own_rubric: Rubric | None = None
    judge_note: str = ""  # background for the judge's eyes alone
    meta: Mapping[str, str] = field(default_factory=dict)  # where it came from

    def __post_init__(self) -> None:
        if not self.family:
            object.__setattr__(self, "family", self.name)

    @property
    def id(self) -> str:
        """`s1-` and the first 128 bits of the SHA-256 of what the seats and the engine read,
        defaults left out.
        """
        text = json.dumps(self.content(), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return f"{SCENARIO_ID_VERSION}-{hashlib.sha256(text.encode()).hexdigest()[:32]}"

    def content(self) -> dict[str, Any]:
        """What the seats and the engine read as plain JSON data, personas resolved, defaults left
        out.
        """
        pairs = {
            f"{a}|{b}": self.relationship(a, b).value
            for a, b in combinations((seat.name for seat in self.seats), 2)
            if self.relationship(a, b) is not Relationship.stranger
        }
        content: dict[str, Any] = {
            "setting": self.setting,
            "seats": [nondefaults(seat) for seat in self.seats],
            "relationships": pairs,
            "order": self.order.value if self.order is not TurnOrder.round_robin else None,
            "limits": nondefaults(self.limits),
            "checks": [nondefaults(check) for check in self.checks],
            "language": self.language if self.language != ENGLISH else None,
        }
        return {key: value for key, value in content.items() if value}

    def seat(self, name: str) -> Seat:
        """The seat of that name. Raises KeyError."""
        for seat in self.seats:
            if seat.name == name:
                return seat
        raise KeyError(name)

    def relationship(self, a: str, b: str) -> Relationship:
        """What seats `a` and `b` are to each other, the same in both directions; stranger where
        nothing is said.
        """
        return (
            self.relationships.get((a, b))
            or self.relationships.get((b, a))
            or Relationship.stranger
        )


def nondefaults(record: Any) -> dict[str, Any]:
    """A dataclass's fields that differ from their defaults, as JSON data."""
    data: dict[str, Any] = {}
    for f in dataclasses.fields(record):
        value = getattr(record, f.name)
        if value == f.default or (
            f.default_factory is not dataclasses.MISSING and value == f.default_factory()
        ):
            continue
        data[f.name] = _json_value(value)
    return data


def _json_value(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return nondefaults(value)
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, tuple):
        return [_json_value(item) for item in value]
    return value
