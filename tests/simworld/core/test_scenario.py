"""Scenario ids: golden ones, and what they depend on."""

import dataclasses
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from simworld.core.scenario import (
    Check,
    CheckKind,
    Limits,
    Persona,
    Relationship,
    Scenario,
    Seat,
    TurnOrder,
)

SMALL = Scenario(
    name="hello",
    setting="A bench.",
    seats=(
        Seat(name="ann", persona=Persona(name="Ann Lee"), goal="Say hello."),
        Seat(name="bo", persona=Persona(name="Bo Ek"), goal="Say nothing."),
    ),
)
SMALL_TEXT = (
    '{"seats":[{"goal":"Say hello.","name":"ann","persona":{"name":"Ann Lee"}},'
    '{"goal":"Say nothing.","name":"bo","persona":{"name":"Bo Ek"}}],"setting":"A bench."}'
)
FULL = Scenario(
    name="ticket",
    title="The last ticket",
    setting="Outside the hall; it rains – heavily.",
    seats=(
        Seat(
            name="seller",
            persona=Persona(
                name="Nadia Brandt",
                short="Nadja",
                age=34,
                gender="woman",
                pronouns="she/her",
                occupation="bookbinder",
                public="Sings.",
                personality="Blunt.",
                values="Fairness.",
            ),
            goal="Sell.",
            knows="You paid 60.",
            secret="Bad seat.",
        ),
        Seat(name="buyer", persona=Persona(name="Tomás Okafor"), goal="Buy."),
        Seat(name="guard", persona=Persona(name="Cleo Fox"), goal="Close the gate."),
    ),
    relationships={("seller", "buyer"): Relationship.friend},
    order=TurnOrder.random,
    limits=Limits(turns=12, silence=3),
    checks=(
        Check(
            name="price",
            kind=CheckKind.number,
            pattern=r"(\d+) euros",
            between=(65.0, 90.0),
            last=True,
        ),
        Check(name="deal", kind=CheckKind.keyword, words=("deal", "agreed"), by="buyer", ends=True),
    ),
    family="tickets",
    kind="bargaining",
    tags=("money",),
    rubric="sotopia",
    judge_note="A note.",
    meta={"source": "ours"},
)


def test_golden_ids() -> None:
    assert SMALL.id == "s1-823e2ec23e0809a26d82b00a0707e51b"
    assert FULL.id == "s1-678cbb54fcfdb062a9c936a81f93e77b"


def test_an_id_is_the_hash_of_the_content_with_defaults_left_out() -> None:
    assert json.dumps(SMALL.content(), sort_keys=True, separators=(",", ":")) == SMALL_TEXT
    assert SMALL.id == f"s1-{hashlib.sha256(SMALL_TEXT.encode()).hexdigest()[:32]}"


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"title": "other"},
        {"family": "other"},
        {"kind": "other"},
        {"tags": ("other",)},
        {"rubric": "other"},
        {"judge_note": "other"},
        {"meta": {"source": "other"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_neither_seats_nor_engine_read_leaves_the_id(change: dict[str, Any]) -> None:
    assert dataclasses.replace(FULL, **change).id == FULL.id


def _with_seat(**change: Any) -> Scenario:
    seat = dataclasses.replace(FULL.seats[0], **change)
    return dataclasses.replace(FULL, seats=(seat, *FULL.seats[1:]))


def _with_persona(**change: Any) -> Scenario:
    return _with_seat(persona=dataclasses.replace(FULL.seats[0].persona, **change))


def _with_check(index: int, **change: Any) -> Scenario:
    checks = list(FULL.checks)
    checks[index] = dataclasses.replace(checks[index], **change)
    return dataclasses.replace(FULL, checks=tuple(checks))


def _with(**change: Any) -> Scenario:
    return dataclasses.replace(FULL, **change)


CHANGED: dict[str, Callable[[], Scenario]] = {
    "language": lambda: _with(language="de"),
    "setting": lambda: _with(setting="Inside."),
    "goal": lambda: _with_seat(goal="Keep it."),
    "secret": lambda: _with_seat(secret="None."),
    "secret removed": lambda: _with_seat(secret=""),
    "knows": lambda: _with_seat(knows="You paid 61."),
    "persona name": lambda: _with_persona(name="Nadia Brand"),
    "persona short": lambda: _with_persona(short="Nadia"),
    "persona age": lambda: _with_persona(age=35),
    "persona gender": lambda: _with_persona(gender="man"),
    "persona pronouns": lambda: _with_persona(pronouns="they/them"),
    "persona occupation": lambda: _with_persona(occupation="baker"),
    "persona public": lambda: _with_persona(public="Sings well."),
    "persona personality": lambda: _with_persona(personality="Kind."),
    "persona values": lambda: _with_persona(values="Truth."),
    "turns": lambda: _with(limits=Limits(turns=13, silence=3)),
    "silence": lambda: _with(limits=Limits(turns=12, silence=4)),
    "order": lambda: _with(order=TurnOrder.simultaneous),
    "order of seats": lambda: _with(seats=FULL.seats[::-1]),
    "relationship": lambda: _with(relationships={("seller", "buyer"): Relationship.acquaintance}),
    "relationship removed": lambda: _with(relationships={}),
    "relationship added": lambda: _with(
        relationships={**FULL.relationships, ("buyer", "guard"): Relationship.know_by_name}
    ),
    "check name": lambda: _with_check(0, name="cost"),
    "check pattern": lambda: _with_check(0, pattern=r"(\d+) pounds"),
    "check between": lambda: _with_check(0, between=(65.0, 91.0)),
    "check last": lambda: _with_check(0, last=False),
    "check words": lambda: _with_check(1, words=("deal",)),
    "check by": lambda: _with_check(1, by="seller"),
    "check ends": lambda: _with_check(1, ends=False),
    "check absent": lambda: _with_check(1, absent=True),
    "check kind": lambda: _with_check(1, kind=CheckKind.regex),
    "check removed": lambda: _with(checks=FULL.checks[:1]),
    "checks swapped": lambda: _with(checks=FULL.checks[::-1]),
}


@pytest.mark.parametrize("change", CHANGED, ids=str)
def test_what_seats_or_engine_read_changes_the_id(change: str) -> None:
    assert CHANGED[change]().id != FULL.id


def test_all_those_ids_differ() -> None:
    ids = [make().id for make in CHANGED.values()]
    assert len(set(ids)) == len(ids)


def test_defaults_written_out_leave_the_id() -> None:
    ann = Persona(
        name="Ann Lee",
        short="",
        age=None,
        gender="",
        pronouns="",
        occupation="",
        public="",
        personality="",
    )
    written = Scenario(
        name="hello",
        setting="A bench.",
        seats=(
            Seat(name="ann", persona=ann, goal="Say hello.", knows="", secret=""),
            SMALL.seats[1],
        ),
        relationships={("ann", "bo"): Relationship.stranger},
        order=TurnOrder.round_robin,
        limits=Limits(turns=20, silence=2),
        checks=(),
    )
    assert written.id == SMALL.id
    plain_check = Check(name="a", kind=CheckKind.regex, pattern="x")
    written_check = Check(
        name="a",
        kind=CheckKind.regex,
        pattern="x",
        words=(),
        by="",
        between=None,
        last=False,
        absent=False,
        ends=False,
    )
    assert _with(checks=(plain_check,)).id == _with(checks=(written_check,)).id


def test_the_direction_of_a_relationship_does_not_matter() -> None:
    turned = _with(relationships={("buyer", "seller"): Relationship.friend})
    assert (
        turned.relationship("seller", "buyer")
        is turned.relationship("buyer", "seller")
        is Relationship.friend
    )
    assert turned.id == FULL.id


def test_the_family_is_the_name_unless_said() -> None:
    assert SMALL.family == "hello"
    assert FULL.family == "tickets"


def test_seats_are_found_by_name() -> None:
    assert FULL.seat("guard").goal == "Close the gate."
    with pytest.raises(KeyError):
        FULL.seat("mayor")


def test_people_are_called_by_their_first_word_or_short_name() -> None:
    assert Persona(name="Ann Lee").display_name == "Ann"
    assert FULL.seats[0].persona.display_name == "Nadja"
