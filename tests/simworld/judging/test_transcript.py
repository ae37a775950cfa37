"""What a judge reads."""

from __future__ import annotations

from simworld.core.episode import Act, Action, ActionKind, Ending, Episode, Turn
from simworld.core.scenario import Persona, Relationship, Scenario, Seat
from simworld.judging.transcript import read
from tests.simworld.judging.helpers import lamp, talk


def act(seat: str, kind: ActionKind, text: str = "", to: tuple[str, ...] = ()) -> Act:
    return Act(seat=seat, action=Action(kind=kind, text=text, to=to))


def test_all_kinds_of_acts_are_told_apart_and_inaction_is_left_out() -> None:
    scenario = lamp()
    acts = (
        act("seller", ActionKind.speak, "Forty.\nNot less."),
        act("buyer", ActionKind.non_verbal, "shakes his head"),
        act("seller", ActionKind.none),
        act("buyer", ActionKind.action, "*puts a note on the table*"),
        act("seller", ActionKind.speak, "Deal.", to=("buyer",)),
        act("buyer", ActionKind.leave),
        act("seller", ActionKind.leave, "Bye."),
    )
    episode = Episode(
        scenario_id=scenario.id,
        cast={},
        seed=0,
        turns=tuple(Turn(index=i, acts=(a,)) for i, a in enumerate(acts)),
        ending=Ending.turn_limit,
        reason="turn_limit",
    )
    reading = read(scenario, episode)
    assert reading.lines == (
        "Ann: Forty. Not less.",
        "Bob: *shakes his head*",
        "Bob: *puts a note on the table*",
        "Ann (to Bob alone): Deal.",
        "Bob: *leaves*",
        "Ann: Bye. *leaves*",
    )
    assert reading.end == "The conversation was cut off at the turn limit."


def test_the_head_holds_what_is_asked_for_and_no_more() -> None:
    reading = read(lamp(), talk(lamp()))
    assert reading.head() == (
        "A flea market.\n\nLamps like it go for 30.\n\n"
        "Ann: Ann Lee.\nAnn's goal: Sell the lamp for 40 euros.\nAnn's secret: It flickers.\n"
        "Bob: Bob Ray. 40, baker.\nBob's goal: Pay at most 20."
    )
    assert reading.head(("goal",)) == "Ann's goal: Sell the lamp for 40 euros.\nBob's goal: Pay at most 20."
    assert reading.head(()) == ""
    assert reading.dialogue == ""
    assert reading.end == ""


def test_two_people_of_one_name_keep_distinct_names() -> None:
    seats = tuple(Seat(name=name, persona=Persona(name="Ann Lee"), goal="Win.") for name in ("chair", "clerk"))
    scenario = Scenario(
        name="two", setting="", seats=seats, relationships={("chair", "clerk"): Relationship.family_member}
    )
    reading = read(scenario, talk(scenario, ("clerk", "Hello.")))
    assert len(set(reading.names.values())) == 2
    assert reading.lines == (f"{reading.names['clerk']}: Hello.",)
    assert "family member" in reading.head()
