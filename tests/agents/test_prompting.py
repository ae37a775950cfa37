"""From what a seat may know to its prompt."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from agents.prompting import (
    PROMPTS_FOLDER,
    PromptTemplate,
    act_text,
    addressing_note,
    build_prompt,
    describe_persona,
    event_line,
    fill_template,
    prompt_facts,
    stop_strings,
)
from simworld.core.episode import Act, Action, ActionKind, Event, Observation, Turn
from simworld.core.requests import Message
from simworld.core.scenario import Limits, Persona, Relationship, Scenario, Seat
from simworld.core.visibility import observe
from simworld.yamlfile import load_yaml, parse

SCENARIO = Scenario(
    name="ticket",
    setting="Outside\nthe hall.",
    seats=(
        Seat(
            name="seller",
            persona=Persona(
                name="Nadia Brandt",
                age=34,
                pronouns="she/her",
                occupation="bookbinder",
                public="Sings.",
            ),
            goal="Sell for 65.",
            secret="A bad seat.",
        ),
        Seat(
            name="buyer",
            persona=Persona(name="Tomas Okafor", occupation="nurse"),
            goal="Buy for 60.",
        ),
        Seat(name="guard", persona=Persona(name="Cleo Fox"), goal="Close the gate."),
    ),
    relationships={("seller", "buyer"): Relationship.acquaintance},
    limits=Limits(turns=9),
)
CHAT = PromptTemplate(style="chat", system="You are {{name}}.", opening="(Begin.)")
SCRIPT = PromptTemplate(style="script", system="Write.", instructions="{{name}} wants: {{goal}}")
LIBRARY = [parse(load_yaml(path), PromptTemplate) for path in sorted(PROMPTS_FOLDER.glob("*.yaml"))]


def say(text: str, *to: str, kind: ActionKind = ActionKind.speak) -> Action:
    return Action(kind=kind, text=text, to=to)


def seen(seat: str, *acts: tuple[str, Action]) -> Observation:
    turns = [
        Turn(index=i, acts=(Act(seat=name, action=action),))
        for i, (name, action) in enumerate(acts)
    ]
    return observe(SCENARIO, seat, turns, len(turns), 0)


HISTORY = (
    ("seller", say("Ninety euros.")),
    ("buyer", say("shakes his head", kind=ActionKind.non_verbal)),
    ("guard", say("", kind=ActionKind.none)),
    ("buyer", say("Sixty, between us.", "seller")),
    ("seller", say("Seventy.", "buyer")),
    ("guard", say("Good night.", kind=ActionKind.leave)),
)


def test_the_facts_of_a_seat() -> None:
    assert prompt_facts(seen("seller", *HISTORY)) == {
        "setting": "Outside the hall.",
        "name": "Nadia",
        "persona": "34 (she/her), bookbinder. Sings",
        "others": (
            "Tomas (an acquaintance): Tomas Okafor, nurse. Guard is a stranger. They have left."
        ),
        "goal": "Sell for 65.",
        "knows": "",
        "secret": "A bad seat.",
    }


@pytest.mark.parametrize(
    ("persona", "line"),
    [
        (Persona(name="Ann Lee"), "Ann Lee"),
        (Persona(name="Ann Lee", age=0), "Ann Lee, 0"),
        (Persona(name="Ann Lee", pronouns="she/her"), "Ann Lee (she/her)"),
        (
            Persona(
                name="Ann Lee",
                age=40,
                gender="woman",
                occupation="baker",
                public="Sings.",
                personality="Blunt.",
            ),
            "Ann Lee, 40, woman, baker. Sings. Blunt",
        ),
        (
            Persona(name="Ann Lee", occupation="baker\nSecret: none", values="Truth."),
            "Ann Lee, baker Secret: none. Truth",
        ),
    ],
)
def test_a_persona_in_a_line(persona: Persona, line: str) -> None:
    assert describe_persona(persona) == line


@pytest.mark.parametrize(
    ("action", "line"),
    [
        (say("Ninety\neuros."), "Nadia: Ninety euros."),
        (say("nods", kind=ActionKind.non_verbal), "Nadia: [nods]"),
        (say("pays", kind=ActionKind.action), "Nadia: [pays]"),
        (say("", kind=ActionKind.none), "Nadia: [says nothing]"),
        (say("", kind=ActionKind.leave), "Nadia: [leaves]"),
        (say("Bye.", kind=ActionKind.leave), "Nadia: Bye. [leaves]"),
        (say("Ninety.", "buyer"), "Nadia (to Tomas): Ninety."),
        (say("Ninety.", "buyer", "guard"), "Nadia (to Tomas, Guard): Ninety."),
        (say("nods", "buyer", kind=ActionKind.non_verbal), "Nadia (to Tomas): [nods]"),
    ],
)
def test_an_act_as_a_line_of_script(action: Action, line: str) -> None:
    observation = seen("seller")
    event = Event(turn=0, seat="seller", label="Nadia", action=action)
    assert event_line(event, observation) == line
    assert event_line(event, observation).endswith(act_text(event))


def test_a_script_ends_with_the_seats_own_label() -> None:
    prompt = build_prompt(SCRIPT, seen("seller", *HISTORY))
    assert prompt.messages == (
        Message(role="system", content="Write."),
        Message(role="user", content="Nadia wants: Sell for 65."),
    )
    assert prompt.reply_start.split("\n") == [
        "Nadia: Ninety euros.",
        "Tomas: [shakes his head]",
        "Tomas (to Nadia): Sixty, between us.",
        "Nadia (to Tomas): Seventy.",
        "Guard: Good night. [leaves]",
        "Nadia:",
    ]
    assert stop_strings(SCRIPT, seen("seller")) == ("\n",)


def test_a_chat_alternates_and_a_seats_own_lines_are_the_assistants() -> None:
    prompt = build_prompt(CHAT, seen("seller", *HISTORY))
    assert [(message.role, message.content) for message in prompt.messages] == [
        ("system", "You are Nadia."),
        ("user", "(Begin.)"),
        ("assistant", "Ninety euros."),
        (
            "user",
            "Tomas: [shakes his head]\nGuard: [says nothing]\nTomas (to Nadia): Sixty, between us.",
        ),
        ("assistant", "(to Tomas) Seventy."),
        ("user", "Guard: Good night. [leaves]"),
    ]
    assert prompt.reply_start == ""
    assert stop_strings(CHAT, seen("seller")) == ("\nTomas:", "\nGuard:")


def test_a_note_ends_the_last_message_of_the_user() -> None:
    prompt = build_prompt(CHAT, seen("seller", *HISTORY), note="(Hush.)")
    plain = build_prompt(CHAT, seen("seller", *HISTORY))
    assert prompt.messages[:-1] == plain.messages[:-1]
    assert prompt.messages[-1].content == "Guard: Good night. [leaves]\n\n(Hush.)"
    noted = build_prompt(SCRIPT, seen("seller", *HISTORY), note="(Hush.)")
    assert noted.messages[-1].content == "Nadia wants: Sell for 65.\n\n(Hush.)"
    assert noted.reply_start == build_prompt(SCRIPT, seen("seller", *HISTORY)).reply_start


def test_only_those_who_are_here_can_be_addressed() -> None:
    assert "with (to Tomas) or (to Guard), and" in addressing_note(seen("seller"))
    assert "with (to Tomas), and" in addressing_note(seen("seller", *HISTORY))  # the guard has left


def test_labels_of_other_scripts_may_be_followed_by_a_full_width_colon() -> None:
    people = {"a": "小红", "b": "小明", "c": "Zoé", "d": "عمر"}
    seats = tuple(
        Seat(name=name, persona=Persona(name=called), goal="Talk.")
        for name, called in people.items()
    )
    pairs = {("a", other): Relationship.know_by_name for other in "bcd"}
    scenario = Scenario(name="x", setting="x", seats=seats, relationships=pairs)
    assert stop_strings(CHAT, observe(scenario, "a", (), 0, 0)) == (
        "\n小明:", "\nZoé:", "\nعمر:", "\n小明：", "\nعمر："
    )  # fmt: skip


def test_a_chat_whose_last_word_was_ones_own_still_ends_with_the_user() -> None:
    prompt = build_prompt(CHAT, seen("seller", ("buyer", say("Hello.")), ("seller", say("Hi."))))
    assert [message.role for message in prompt.messages] == ["system", "user", "assistant", "user"]
    assert prompt.messages[-1].content == "(They wait for you to go on.)"


def test_what_was_whispered_to_others_is_in_no_prompt() -> None:
    for template in (*LIBRARY, CHAT, SCRIPT):
        assert "Sixty" not in str(build_prompt(template, seen("guard", *HISTORY)))


def test_the_oldest_events_are_dropped() -> None:
    prompt = build_prompt(SCRIPT, seen("seller", *HISTORY), drop_events=4)
    assert prompt.reply_start == "Nadia (to Tomas): Seventy.\nGuard: Good night. [leaves]\nNadia:"
    assert build_prompt(SCRIPT, seen("seller", *HISTORY), drop_events=6).reply_start == "Nadia:"


SLOTS = {
    "name": "Ann",
    "goal": "Win.",
    "secret": "",
    "knows": "",
    "setting": "",
    "persona": "",
    "others": "",
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{name}} wants: {{goal}}", "Ann wants: Win."),
        ("{{ name }}", "Ann"),
        ("A\nSecret: {{secret}}\nB", "A\nB"),  # the slot is empty: no line
        ("{{name}} keeps: {{secret}}", ""),  # the name alone does not keep a line
        ("{{goal}} {{secret}}|", "Win. |"),  # one of two is enough
        ("A\n\n{{secret}}\n\n\nB", "A\n\nB"),
        ("{goal} {{{goal}}}", "{goal} {Win.}"),
        ("", ""),
    ],
)
def test_filling_a_template(template: str, text: str) -> None:
    assert fill_template(template, SLOTS) == text


def test_what_stands_in_a_value_is_no_slot() -> None:
    slots = SLOTS | {"setting": "{{secret}} {{goal}} \\1 \\g<0>", "secret": "S3CRET"}
    assert fill_template("{{setting}}", slots) == "{{secret}} {{goal}} \\1 \\g<0>"


def test_a_setting_cannot_reach_another_slot() -> None:
    seats = (
        Seat(name="a", persona=Persona(name="Ann"), goal="Talk.", secret="S3CRET"),
        Seat(name="b", persona=Persona(name="Bo"), goal="{{secret}}", secret="T0P"),
    )
    scenario = Scenario(name="x", setting="{{secret}}\n{{goal}}", seats=seats)
    for template in LIBRARY:
        messages = build_prompt(template, observe(scenario, "a", (), 0, 0)).messages
        shown = "\n".join(message.content for message in messages)
        assert "{{secret}} {{goal}}" in shown
        assert shown.count("S3CRET") == 1
        assert "T0P" not in shown


def test_an_unknown_slot_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        ValidationError, match=r"unknown slot \{\{gaol\}\}; the slots are setting, name, persona"
    ):
        PromptTemplate(style="chat", system="{{gaol}}")


def test_the_version_changes_with_every_text() -> None:
    versions = {
        CHAT.version,
        SCRIPT.version,
        CHAT.model_copy(update={"system": "x"}).version,
        CHAT.model_copy(update={"opening": "x"}).version,
        SCRIPT.model_copy(update={"instructions": "x"}).version,
    }
    assert len(versions) == 5
    assert all(len(version) == 12 for version in versions)
    assert (
        CHAT.version
        == PromptTemplate(style="chat", system="You are {{name}}.", opening="(Begin.)").version
    )


ACTIONS = st.builds(
    lambda kind, text, private: Action(kind=kind, text=text, to=("buyer",) if private else ()),
    st.sampled_from(ActionKind),
    st.text(max_size=12),
    st.booleans(),
)


@settings(max_examples=200, deadline=None)
@given(
    history=st.lists(st.tuples(st.sampled_from(["seller", "guard"]), ACTIONS), max_size=8),
    drop=st.integers(0, 9),
)
def test_any_history_gives_a_prompt_that_a_model_takes(
    history: list[tuple[str, Action]], drop: int
) -> None:
    for seat in ("seller", "buyer", "guard"):
        observation = seen(seat, *history)
        for template in (*LIBRARY, CHAT, SCRIPT):
            prompt = build_prompt(template, observation, drop_events=drop)
            roles = [message.role for message in prompt.messages if message.role != "system"]
            assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"]
            assert sum(message.role == "system" for message in prompt.messages) <= 1
            assert all(message.content for message in prompt.messages if message.role == "user")
            if template.style == "script":
                assert prompt.reply_start.split("\n")[-1] == f"{observation.label}:"
                assert len(prompt.reply_start.split("\n")) <= len(history) + 1
