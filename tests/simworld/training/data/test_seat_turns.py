"""What stands around the acts of a seat."""

from typing import Any

import pytest

from simworld.core.episode import Act, Action, ActionKind, Ending, Episode, Turn
from simworld.core.scenario import Limits, Persona, Scenario, Seat
from simworld.training.data.seat_turns import SeatTurn, asks, seat_turns

SPEAK, NONE = ActionKind.speak, ActionKind.none


def scenario(*names: str, turns: int = 6) -> Scenario:
    seats = tuple(Seat(name=n, persona=Persona(name=n.title()), goal=f"{n}'s goal") for n in names)
    return Scenario(
        name="x", setting="A bench.", seats=seats, limits=Limits(turns=turns), kind="repair"
    )


def said(seat: str, text: str, *to: str) -> Act:
    kind = SPEAK if text else NONE
    return Act(seat=seat, action=Action(kind=kind, text=text, to=to))


def episode(played: Scenario, *turns: tuple[Act, ...]) -> Episode:
    return Episode(
        scenario_id=played.id,
        cast={seat.name: "a" for seat in played.seats},
        seed=0,
        turns=tuple(Turn(index=index, acts=acts) for index, acts in enumerate(turns)),
        ending=Ending.turn_limit,
        reason="turn_limit",
    )


def test_what_was_heard_said_before_and_answered() -> None:
    two = scenario("ann", "bo")
    lines = ("Hello.", "Well?", "Yes.", "Good.")
    acts = [(said("ann" if i % 2 == 0 else "bo", line),) for i, line in enumerate(lines)]
    everything: dict[str, Any] = {
        "turns_limit": 6, "goal": "ann's goal", "scenario_kind": "repair"
    }  # fmt: skip
    assert seat_turns(two, episode(two, *acts), "ann") == {
        0: SeatTurn(
            text="Hello.",
            turn=0,
            heard="",
            own_before="",
            has_asked=False,
            answer="Well?",
            **everything,
        ),
        2: SeatTurn(
            text="Yes.",
            turn=2,
            heard="Well?",
            own_before="Hello.",
            has_asked=False,
            answer="Good.",
            **everything,
        ),
    }
    last = seat_turns(two, episode(two, *acts), "bo")[3]
    assert (last.heard, last.own_before, last.answer) == ("Yes.", "Well?", None)
    assert last.has_asked


@pytest.mark.parametrize(
    ("text", "asked"),
    [("Why?", True), ("为什么？", True), ("لماذا؟", True), ("Why.", False), ("", False)],
)
def test_questions_in_several_scripts(text: str, asked: bool) -> None:
    assert asks(text) is asked


def test_silence_is_no_answer_and_nothing_that_was_heard() -> None:
    two = scenario("ann", "bo")
    played = episode(
        two, (said("ann", "Hello."),), (said("bo", ""),), (said("ann", ""),), (said("bo", "Yes."),)
    )
    first, second = seat_turns(two, played, "ann").values()
    assert (first.answer, second.heard, second.text) == (None, "", "")
    assert second.answer == "Yes."


def test_words_for_another_are_neither_heard_nor_answers() -> None:
    three = scenario("ann", "bo", "cleo")
    played = episode(
        three,
        (said("ann", "Hello."),),
        (said("bo", "Psst.", "cleo"),),
        (said("cleo", "What?", "ann"),),
        (said("ann", "Nothing."),),
    )
    first, second = seat_turns(three, played, "ann").values()
    assert first.answer == second.heard == "What?"
    assert seat_turns(three, played, "bo")[1].answer == "Nothing."


def test_acts_of_one_turn_do_not_hear_each_other() -> None:
    two = scenario("ann", "bo")
    played = episode(
        two, (said("ann", "A?"), said("bo", "B.")), (said("ann", "C."), said("bo", "D."))
    )
    first, second = seat_turns(two, played, "ann").values()
    assert (first.heard, first.answer) == ("", None)
    assert (second.heard, second.answer) == ("B.", None)


def test_halves_are_of_the_turn_limit() -> None:
    two = scenario("ann", "bo", turns=5)
    acts = [(said("ann" if i % 2 == 0 else "bo", "A."),) for i in range(5)]
    turns = {
        **seat_turns(two, episode(two, *acts), "ann"),
        **seat_turns(two, episode(two, *acts), "bo"),
    }
    assert {turn: each.in_first_half for turn, each in sorted(turns.items())} == {
        0: True, 1: True, 2: True, 3: False, 4: False
    }  # fmt: skip
