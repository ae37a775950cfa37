"""What a judge reads."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simworld.core.episode import Act, Action, ActionKind, Ending, Episode, Turn
from simworld.core.scenario import Persona, Relationship, Scenario, Seat
from simworld.judging.transcript import make_judge_transcript
from tests.factories.judging import lamp_scenario, make_episode


def act(seat: str, kind: ActionKind, text: str = "", to: tuple[str, ...] = ()) -> Act:
    return Act(seat=seat, action=Action(kind=kind, text=text, to=to))


def test_all_kinds_of_acts_are_told_apart_and_inaction_is_left_out() -> None:
    scenario = lamp_scenario()
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
    reading = make_judge_transcript(scenario, episode)
    assert reading.lines == (
        "Ann: Forty. Not less.",
        "Bob: *shakes his head*",
        "Bob: *puts a note on the table*",
        "Ann (to Bob alone): Deal.",
        "Bob: *leaves*",
        "Ann: Bye. *leaves*",
    )
    assert reading.ending_note == "The conversation was cut off at the turn limit."


def test_the_head_holds_what_is_asked_for_and_no_more() -> None:
    reading = make_judge_transcript(lamp_scenario(), make_episode(lamp_scenario()))
    assert (
        reading.context() == "A flea market.\n\nLamps like it go for 30.\n\n"
        "Ann: Ann Lee.\nAnn's goal: Sell the lamp for 40 euros.\nAnn's secret: It flickers.\n"
        "Bob: Bob Ray. 40, baker.\nBob's goal: Pay at most 20."
    )
    assert (
        reading.context(("goal",))
        == "Ann's goal: Sell the lamp for 40 euros.\nBob's goal: Pay at most 20."
    )
    assert reading.context(()) == ""
    assert reading.dialogue == ""
    assert reading.ending_note == ""


def test_two_people_of_one_name_keep_distinct_names() -> None:
    seats = tuple(
        Seat(name=name, persona=Persona(name="Ann Lee"), goal="Win.") for name in ("chair", "clerk")
    )
    scenario = Scenario(
        name="two",
        setting="",
        seats=seats,
        relationships={("chair", "clerk"): Relationship.family_member},
    )
    reading = make_judge_transcript(scenario, make_episode(scenario, ("clerk", "Hello.")))
    assert len(set(reading.names.values())) == 2
    assert reading.lines == (f"{reading.names['clerk']}: Hello.",)
    assert "family member" in reading.context()


@pytest.mark.parametrize(
    ("language", "head", "lines", "end", "silence"),
    [
        (
            "de",
            (
                "Ann: Ann Lee.\nZiel von Ann: Sell the lamp for 40 euros.\nGeheimnis von Ann: It"
                " flickers.\nBob: Bob Ray. 40 Jahre alt, baker.\nZiel von Bob: Pay at most 20.\nAnn"
                " und Bob: befreundet"
            ),
            (
                "Ann: Forty.",
                "Bob: *nods*",
                "Ann (nur zu Bob): Deal.",
                "Bob: *geht*",
                "Ann: Bye. *geht*",
            ),
            "Das Gespräch wurde abgebrochen, weil die Höchstzahl an Redebeiträgen erreicht war.",
            "(Niemand hat etwas gesagt oder getan.)",
        ),
        (
            "zh",
            (
                "Ann：Ann Lee。\nAnn的目标：Sell the lamp for 40 euros.\nAnn的秘密：It flickers.\n"
                "Bob：Bob Ray。40岁，baker。\nBob的目标：Pay at most 20.\nAnn和Bob：朋友"
            ),
            (
                "Ann：Forty.",
                "Bob：*nods*",
                "Ann（只对Bob说）：Deal.",
                "Bob：*离开*",
                "Ann：Bye.*离开*",
            ),
            "对话达到轮数上限，被中断。",
            "（没有人说话，也没有人做任何事。）",
        ),
        (
            "ar",
            (
                "Ann: Ann Lee.\nهدف Ann: Sell the lamp for 40 euros.\nسرّ Ann: It flickers.\n"
                "Bob: Bob Ray. العمر 40، baker.\nهدف Bob: Pay at most 20.\nAnn وBob: صداقة"
            ),
            (
                "Ann: Forty.",
                "Bob: *nods*",
                "Ann (إلى Bob فقط): Deal.",
                "Bob: *مغادرة*",
                "Ann: Bye. *مغادرة*",
            ),
            "انقطعت المحادثة عند بلوغ الحد الأقصى لعدد الأدوار.",
            "(لم يقل أحد شيئًا ولم يفعل شيئًا.)",
        ),
    ],
)
def test_the_words_between_are_those_of_the_scenarios_language(
    language: str, head: str, lines: tuple[str, ...], end: str, silence: str
) -> None:
    friends = {("seller", "buyer"): Relationship.friend}
    scenario = replace(lamp_scenario(), language=language, relationships=friends, judge_note="")
    acts = (
        act("seller", ActionKind.speak, "Forty."),
        act("buyer", ActionKind.non_verbal, "nods"),
        act("seller", ActionKind.speak, "Deal.", to=("buyer",)),
        act("buyer", ActionKind.leave),
        act("seller", ActionKind.leave, "Bye."),
    )
    turns = tuple(Turn(index=i, acts=(a,)) for i, a in enumerate(acts))
    episode = Episode(
        scenario_id=scenario.id,
        cast={},
        seed=0,
        turns=turns,
        ending=Ending.turn_limit,
        reason="turn_limit",
    )
    reading = make_judge_transcript(scenario, episode)
    assert reading.context(("persona", "relationship", "goal", "secret")) == head
    assert (reading.lines, reading.ending_note) == (lines, end)
    assert (
        make_judge_transcript(scenario, replace(episode, turns=())).dialogue_or_silence == silence
    )
