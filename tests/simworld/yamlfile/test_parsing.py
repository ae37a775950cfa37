"""From a document to a model: the exact line for every kind of mistake, in the order of the
file."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator

from simworld.core.errors import InputError
from simworld.yamlfile import did_you_mean, load_text, parse


class Order(StrEnum):
    round_robin = "round-robin"
    random = "random"


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Persona(Part):
    name: str
    age: int | None = None


class Seat(Part):
    name: str = Field(min_length=1)
    goal: str
    persona: str | Persona
    secret: str = ""


class Dog(Part):
    animal: Literal["dog"]
    barks: bool


class Cat(Part):
    animal: Literal["cat"]
    lives: int


class Model(Part):
    name: str
    seats: tuple[Seat, ...] = Field(min_length=2, max_length=3)
    order: Order = Order.random
    between: tuple[float, float] | None = None
    share: float = Field(0.5, ge=0, lt=1)
    by_name: Mapping[str, Persona] = {}
    pet: Annotated[Dog | Cat, Field(discriminator="animal")] | None = None
    even: int = 0

    @field_validator("even")
    @classmethod
    def _even(cls, value: int) -> int:
        if value % 2:
            raise ValueError(f"expected an even number, found {value}")
        return value


SEATS = "seats: [{name: a, goal: g, persona: p}, {name: b, goal: no, persona: {name: Bo}}]\n"
PET = "f.yaml:2:6: pet: 'animal'"


def lines(text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        parse(load_text(text, "f.yaml"), Model)
    return str(caught.value).split("\n")


def test_a_good_file() -> None:
    model = parse(
        load_text(f"name: x\n{SEATS}between: [1, 2.5]\norder: round-robin\n", "f.yaml"), Model
    )
    assert model.seats[1].goal == "no"
    assert model.seats[1].persona == Persona(name="Bo")
    assert model.between == (1.0, 2.5)
    assert model.order is Order.round_robin


def test_every_problem_at_once_in_the_order_of_the_file() -> None:
    text = """\
name: 12
order: round_robin
between: [1, 2, 3]
seats:
  - name: a
    gaol: x
    persona: {nam: bob, age: "4"}
    secret: no
  - name: ''
    goal:
    persona: 3
by_name: {a: {agee: 3, name: no}}
"""
    assert lines(text) == [
        "f.yaml:1:7: name: expected text, found the number 12; put it in quotes",
        (
            "f.yaml:2:8: order: expected round-robin or random, found the text 'round_robin'; did"
            " you mean 'round-robin'?"
        ),
        "f.yaml:3:10: between: expected at most 2 entries, found 3 entries",
        "f.yaml:6:5: seats.0.gaol: unknown field; did you mean 'goal'?",
        "f.yaml:7:15: seats.0.persona.nam: unknown field; did you mean 'name'?",
        "f.yaml:7:30: seats.0.persona.age: expected a whole number, found the text '4'",
        "f.yaml:9:11: seats.1.name: must not be empty",
        (
            "f.yaml:10:10: seats.1.goal: expected text, found nothing; write a value or remove the"
            " line"
        ),
        (
            "f.yaml:11:14: seats.1.persona: expected text or a mapping, found the number 3; put it"
            " in quotes"
        ),
        "f.yaml:12:15: by_name.a.agee: unknown field; did you mean 'age'?",
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (SEATS, "f.yaml:1:1: name: required field is missing"),
        (f"name: true\n{SEATS}", "f.yaml:1:7: name: expected text, found the truth value true; put it in quotes"),
        (f"name: [a]\n{SEATS}", "f.yaml:1:7: name: expected text, found a list"),
        (f"name: {{a: b}}\n{SEATS}", "f.yaml:1:7: name: expected text, found a mapping"),
        (f"name: 0x1F\n{SEATS}", "f.yaml:1:7: name: expected text, found the number 0x1F; put it in quotes"),
        ("name: x\nseats: []", "f.yaml:2:8: seats: expected at least 2 entries, found 0 entries"),
        ("name: x\nseats: a", "f.yaml:2:8: seats: expected a list, found the text 'a'"),
        (f"name: x\nshare: 1.0\n{SEATS}", "f.yaml:2:8: share: expected less than 1, found the number 1.0"),
        (f"name: x\nshare: -1\n{SEATS}", "f.yaml:2:8: share: expected at least 0, found the number -1"),
        (f"name: x\nshare: yes\n{SEATS}", "f.yaml:2:8: share: expected a number, found the text 'yes'"),
        (f"name: x\neven: 3\n{SEATS}", "f.yaml:2:7: even: expected an even number, found 3"),
        (f"name: x\neven: 2.5\n{SEATS}", "f.yaml:2:7: even: expected a whole number, found the number 2.5"),
        (f"name: x\npet: {{animal: dgo}}\n{SEATS}", f"{PET}: expected dog or cat, found 'dgo'; did you mean 'dog'?"),
        (f"name: x\npet: {{animal: dog, barks: 1}}\n{SEATS}", "f.yaml:2:27: pet.barks: expected true or false, found the number 1"),
        (f"name: x\npet: {{lives: 9}}\n{SEATS}", "f.yaml:2:6: pet: animal: required field is missing"),
        ("", "f.yaml:1:1: the file is empty"),
        ("# only a comment\n", "f.yaml:1:1: the file is empty"),
        ("- a\n", "f.yaml:1:1: expected a mapping, found a list"),
    ],
)  # fmt: skip
def test_one_mistake_one_line(text: str, line: str) -> None:
    assert lines(text) == [line]


def test_a_file_of_another_kind_does_not_fill_the_screen() -> None:
    found = lines(f"name: x\n{SEATS}" + "".join(f"z{i}q: 1\n" for i in range(10_000)))
    assert len(found) == 101
    assert found[-1] == "f.yaml: … and 9,900 more problems"


def test_did_you_mean() -> None:
    assert did_you_mean("gaol", ["goal", "name"]) == "; did you mean 'goal'?"
    assert did_you_mean("Round_Robin", ["round-robin", "random"]) == "; did you mean 'round-robin'?"
    assert did_you_mean("zzz", ["goal", "name"]) == ""
