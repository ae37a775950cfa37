"""A person in a seat, with a terminal made of lists."""

import re
from collections.abc import Sequence
from dataclasses import replace

import pytest

from agents.human import MODEL, HumanAgent, TerminalBackend
from agents.replies.people_names import PeopleNames
from agents.replies.reply_parsing import parse_reply
from simworld.core.episode import Act, Action, ActionKind, Event, Observation
from simworld.core.errors import Failure, Stopped
from simworld.core.requests import (
    AskPerson,
    Finished,
    Generate,
    Generated,
    Sampling,
    Scored,
    TextPrompt,
)
from simworld.core.scenario import Persona, Scenario, Seat
from simworld.core.visibility import observe
from simworld.testing import check_agent, example_observations, generated

HOST_FIRST, GUEST_FIRST, NEIGHBOUR, HOST_SECOND, *_ = example_observations()


class Terminal:
    """What was printed and asked, and what somebody types, line by line, until the input ends."""

    def __init__(self, *typed: str) -> None:
        self.said: list[str] = []
        self.asked: list[str] = []
        self._typed = list(typed)
        self.backend = TerminalBackend(print_line=self.said.append, read_line=self._read)

    def _read(self, prompt: str) -> str:
        self.asked.append(prompt)
        if not self._typed:
            raise EOFError
        return self._typed.pop(0)

    def ask(self, observation: Observation) -> Sequence[Finished]:
        self.backend.submit(AskPerson(observation=observation))
        return self.backend.poll()


def test_the_agent_asks_for_its_observation_until_something_usable_was_typed() -> None:
    thinking = HumanAgent(agent_id="h").act(GUEST_FIRST)
    assert next(thinking) == AskPerson(observation=GUEST_FIRST)
    assert thinking.send(generated("   ")) == AskPerson(observation=GUEST_FIRST)
    with pytest.raises(StopIteration) as over:
        thinking.send(generated("(to Ann) Half of it?"))
    assert over.value.value == Act(
        seat="guest", action=Action(kind=ActionKind.speak, text="Half of it?", to=("host",))
    )


def test_a_person_is_told_whom_they_may_address_and_asked_again() -> None:
    thinking = HumanAgent(agent_id="h").act(GUEST_FIRST)
    next(thinking)
    again = thinking.send(generated("(to Anna) Half of it?"))
    assert isinstance(again, AskPerson)
    assert (
        again.note
        == "Nobody heard that: it is not clear who is meant by '(to Anna)'. (A reply that only one"
        " person is to hear begins with (to Ann) or (to Cleo), and all of it is for that person."
        " Without such a mark everybody hears it. Nobody else is here.)"
    )
    with pytest.raises(StopIteration) as over:
        thinking.send(generated("(to Ann) Half of it?"))
    assert over.value.value == Act(
        seat="guest", action=Action(kind=ActionKind.speak, text="Half of it?", to=("host",))
    )


def test_the_terminal_shows_why_it_asks_again() -> None:
    terminal = Terminal("(to Anna) Hi.", "Hi.")
    terminal.ask(GUEST_FIRST)
    terminal.said.clear()
    terminal.backend.submit(AskPerson(observation=GUEST_FIRST, note="Nobody heard\x07 that."))
    terminal.backend.poll()
    assert terminal.said == ["Nobody heard� that."]


def test_failures_are_handed_on_and_other_answers_refused() -> None:
    closed = Failure(boundary="human", kind="closed", message="the terminal was closed")
    scored = Scored(logprobs=(), lengths=(), prompt_tokens=0, latency_s=0.0)
    pairs: list[tuple[Failure | Scored, Failure]] = [
        (closed, closed),
        (scored, Failure(boundary="reply", kind="unexpected", message="a person gave Scored")),
    ]
    for answer, reply in pairs:
        thinking = HumanAgent(agent_id="h").act(GUEST_FIRST)
        next(thinking)
        with pytest.raises(StopIteration) as over:
            thinking.send(answer)
        assert over.value.value == reply


def test_a_person_sees_the_facts_once_and_then_what_is_new() -> None:
    terminal = Terminal("Hello.", "Bye.")
    (done,) = terminal.ask(HOST_FIRST)
    assert isinstance(done.completion, Generated)
    assert done.completion.text == "Hello."
    assert terminal.said == [
        "── You are Ann ──",
        "Setting: One piece of cake is left on the table.",
        "You: Ann Lee, 30, baker",
        (
            "With you: Bo (an acquaintance): Bo Ek, 30, baker. Cleo (an acquaintance): Cleo Fox,"
            " 30, baker."
        ),
        "Your goal: Get the piece for the host.",
        (
            "Type what Ann says; [nods] or [opens the window] for a gesture or an act; (to Bo)"
            " first for Bo alone; [says nothing] to let the turn pass; [leaves] to leave for good."
        ),
    ]
    assert terminal.asked == ["Ann: "]
    terminal.said.clear()
    terminal.ask(HOST_SECOND)
    own, bo, cleo = HOST_SECOND.events
    assert own.seat == "host"  # their own line is not shown again
    assert terminal.said == [f"Bo: {bo.action.text}", f"Cleo: {cleo.action.text}"]


def test_two_people_at_one_terminal_each_see_their_own_seat() -> None:
    terminal = Terminal("Hello.", "Hi.")
    terminal.ask(HOST_FIRST)
    terminal.said.clear()
    terminal.ask(GUEST_FIRST)
    assert "Your goal: Get the piece for the guest." in terminal.said
    assert not any("host" in line for line in terminal.said)


def test_questions_are_put_in_order_and_one_at_a_time() -> None:
    terminal = Terminal("One.", "Two.")
    tickets = [
        terminal.backend.submit(AskPerson(observation=it)) for it in (HOST_FIRST, GUEST_FIRST)
    ]
    assert terminal.asked == []
    assert [finished.ticket for _ in tickets for finished in terminal.backend.poll(0.0)] == tickets
    assert terminal.asked == ["Ann: ", "Bo: "]
    assert terminal.backend.poll() == ()


def test_the_end_of_input_stops_the_command_and_is_no_failure_of_a_conversation() -> None:
    with pytest.raises(
        Stopped, match=r"the terminal was closed, .*; the same command plays the rest"
    ):
        Terminal().ask(HOST_FIRST)


def test_what_may_be_typed_is_told_in_the_language_of_the_scenario_and_means_that() -> None:
    for observation in (
        HOST_FIRST,
        replace(HOST_FIRST, language="zh"),
        replace(HOST_FIRST, language="ar"),
    ):
        terminal = Terminal("Hello.")
        terminal.ask(observation)
        marks = re.findall(r"\[[^]]+\]|\([^)]+\)|（[^）]+）", terminal.said[-1])
        assert len(marks) == 5
        kinds = []
        for mark in marks:
            action = parse_reply(
                mark if mark.startswith("[") else f"{mark} Psst.", PeopleNames.of(observation)
            )
            assert isinstance(action, Action)
            kinds.append((action.kind, action.to))
        assert kinds == [
            (ActionKind.non_verbal, ()),
            (ActionKind.action, ()),
            (ActionKind.speak, ("guest",)),
            (ActionKind.none, ()),
            (ActionKind.leave, ()),
        ]


def test_no_mark_of_privacy_is_told_where_there_is_one_other() -> None:
    terminal = Terminal("Hello.")
    terminal.ask(replace(HOST_FIRST, others=HOST_FIRST.others[:1]))
    assert "(to" not in terminal.said[-1]


def test_asked_again_a_person_is_shown_nothing_twice() -> None:
    terminal = Terminal("", "Hello.")
    terminal.ask(HOST_FIRST)
    terminal.said.clear()
    terminal.ask(HOST_FIRST)
    assert terminal.said == []


def test_another_conversation_of_the_same_seed_begins_with_who_one_is() -> None:
    terminal = Terminal("Hello.", "Hello.")
    terminal.ask(HOST_FIRST)
    terminal.backend.show(HOST_SECOND)
    terminal.said.clear()
    terminal.ask(HOST_FIRST)  # the same scenario and seed beside other partners
    assert terminal.said[0] == "── You are Ann ──"
    terminal.said.clear()
    terminal.backend.show(HOST_SECOND)
    assert terminal.said == [
        f"{event.label}: {event.action.text}" for event in HOST_SECOND.events[1:]
    ]


def test_lines_that_were_not_typed_here_are_shown() -> None:
    terminal = Terminal()
    terminal.backend.show(HOST_SECOND)  # a branch: a stored line of the own seat comes before
    own = HOST_SECOND.events[0]
    assert f"Ann: {own.action.text}" in terminal.said


def test_control_characters_never_reach_the_terminal() -> None:
    seats = tuple(
        Seat(name=name, persona=Persona(name=name.title()), goal="Talk.") for name in ("ann", "bo")
    )
    scenario = Scenario(name="x", setting="A room\x1b[2J\x07.", seats=seats)
    event = Event(
        turn=0,
        seat="bo",
        label="Bo",
        action=Action(kind=ActionKind.speak, text="Hi\x1b]0;title\x9b"),
    )
    shown = observe(scenario, "ann", (), 0, 0)
    terminal = Terminal("Hello.", "Hello.")
    terminal.ask(shown)
    backend_sees = Observation(
        **{name: getattr(shown, name) for name in shown.__dataclass_fields__ if name != "events"},
        events=(event,),
    )
    terminal.ask(backend_sees)
    assert terminal.said[1] == "Setting: A room�[2J�."
    assert terminal.said[-1] == "Bo: Hi�]0;title�"


def test_only_questions_to_people_are_taken() -> None:
    backend = Terminal().backend
    with pytest.raises(TypeError, match="a terminal takes questions to a person, not Generate"):
        backend.submit(Generate(prompt=TextPrompt(text="x"), sampling=Sampling(), seed=0))
    assert backend.poll() == ()
    assert backend.info.spec == backend.info.id == MODEL
    backend.close()


def test_it_keeps_the_promises_of_an_agent() -> None:
    check_agent(HumanAgent(agent_id="h"))
    assert HumanAgent(agent_id="h").model == MODEL
