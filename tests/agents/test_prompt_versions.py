"""Prompts that were wrong and are mended, and what tells them from those that stay byte for
byte."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agents.prompting import (
    PROMPTS_FOLDER,
    PromptTemplate,
    build_prompt,
    is_outdated,
    prompt_version,
    slot_values,
    template_version,
)
from simworld.core.episode import Observation
from simworld.core.scenario import Persona, Relationship, Scenario, Seat
from simworld.core.visibility import observe
from simworld.yamlfile import load_yaml, parse


def shipped(name: str) -> PromptTemplate:
    return parse(load_yaml(PROMPTS_FOLDER / f"{name}.yaml"), PromptTemplate)


CHAT, SCRIPT, CHAT_2, SCRIPT_2 = map(shipped, ("chat", "script", "chat-2", "script-2"))
NURSE = Persona(name="Tomas Okafor", age=41, occupation="nurse")


def seen(
    own: Persona, other: Persona = NURSE, relationship: Relationship = Relationship.stranger
) -> Observation:
    seats = (
        Seat(name="seller", persona=own, goal="Sell."),
        Seat(name="buyer", persona=other, goal="Buy."),
    )
    scenario = Scenario(
        name="t", setting="A hall.", seats=seats, relationships={("seller", "buyer"): relationship}
    )
    return observe(scenario, "seller", (), 0, 0)


def system(template: PromptTemplate, observation: Observation) -> list[str]:
    return build_prompt(template, observation).messages[0].content.splitlines()


def instructions(template: PromptTemplate, observation: Observation) -> list[str]:
    return build_prompt(template, observation).messages[1].content.splitlines()


ROLE = "Stay in this role; never speak for anybody else and never say that you are an assistant."


@pytest.mark.parametrize(
    ("persona", "name", "about"),
    [
        (Persona(name="Nadia Brandt"), "Nadia", "Nadia Brandt"),
        (Persona(name="Nadia Brandt", short="Nadja"), "Nadja", "Nadia Brandt"),
        (Persona(name="Nadia\nBrandt"), "Nadia", "Nadia Brandt"),
        (Persona(name="Cleo"), "Cleo", "one of the people here"),
        (Persona(name="Mrs. Ana Lopes"), "Ana", "Mrs. Ana Lopes"),
        (
            Persona(name="Mrs. Ana Lopes", age=30, occupation="teacher"),
            "Ana",
            "Mrs. Ana Lopes, 30, teacher",
        ),
        (Persona(name="Dr. Reis", age=40), "Dr. Reis", "40"),
        (Persona(name="None"), "None", "one of the people here"),
        (Persona(name="{{secret}} {who}"), "{{secret}}", "{{secret}} {who}"),
    ],
)
def test_a_seat_is_told_who_it_is_where_its_prompt_was_wrong(
    persona: Persona, name: str, about: str
) -> None:
    observation = seen(persona)
    for chat in (CHAT, CHAT_2):
        assert system(chat, observation)[:3] == [
            f"You are {name}, {about}. {ROLE}",
            "Setting: A hall.",
            "Buyer is a stranger.",
        ]
    for script in (SCRIPT, SCRIPT_2):
        assert f"{name} is {about}. Buyer is a stranger." in instructions(script, observation)
    for template in (CHAT, SCRIPT):
        assert prompt_version(template, observation) == f"{template.version}+2"
        assert template_version(prompt_version(template, observation)) == template.version
        # a row from before this was mended
        assert is_outdated(template.version, template, observation)
        assert not is_outdated(f"{template.version}+2", template, observation)


def test_a_right_prompt_stays_and_the_second_prompts_tell_the_whole_name() -> None:
    observation = seen(NURSE, Persona(name="Cleo"))
    assert system(CHAT, observation)[0] == f"You are Tomas, 41, nurse. {ROLE}"
    assert "Tomas is 41, nurse. Buyer is a stranger." in instructions(SCRIPT, observation)
    assert (
        prompt_version(SCRIPT, observation) == SCRIPT.version == "dc45ba13afb9"
    )  # the shipped planners were taught with
    assert system(CHAT_2, observation)[0] == f"You are Tomas, Tomas Okafor, 41, nurse. {ROLE}"
    assert "Tomas is Tomas Okafor, 41, nurse. Buyer is a stranger." in instructions(
        SCRIPT_2, observation
    )
    assert prompt_version(SCRIPT_2, observation) == SCRIPT_2.version
    assert not is_outdated(SCRIPT.version, SCRIPT, observation)
    assert not is_outdated("another", SCRIPT, observation)


def test_a_title_of_somebody_else_changes_a_prompt_only_where_it_was_read() -> None:
    doctor = Persona(name="Dr. Bruno Reis", age=40)
    stranger = seen(NURSE, doctor)
    assert prompt_version(CHAT, stranger) == CHAT.version
    friend = seen(NURSE, doctor, Relationship.friend)
    assert prompt_version(CHAT, friend) == f"{CHAT.version}+2"
    assert system(CHAT, friend)[0] == f"You are Tomas, Tomas Okafor, 41, nurse. {ROLE}"
    assert system(CHAT, friend)[2] == "Bruno (a friend): Dr. Bruno Reis, 40."
    short = seen(NURSE, replace(doctor, short="Doc"), Relationship.friend)
    assert prompt_version(CHAT, short) == CHAT.version


def test_ones_own_template_loses_lines_as_before_where_they_do_not_introduce_the_seat() -> None:
    template = PromptTemplate(
        style="chat", system="Play {{name}}.\nAbout you: {{persona}}\nGoal: {{goal}}"
    )
    observation = seen(Persona(name="Nadia Brandt"))
    assert system(template, observation) == ["Play Nadia.", "Goal: Sell."]
    assert prompt_version(template, observation) == template.version
    whole = PromptTemplate(style="chat", system="You play {{who}}.")
    assert system(whole, observation) == ["You play Nadia Brandt."]


def test_the_slot_who_is_never_empty() -> None:
    for persona in (NURSE, Persona(name="Cleo"), Persona(name="Nadia Brandt")):
        assert slot_values(seen(persona))["who"]
