"""Swapped dialogues: the same people and words, in another order or under other names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from simworld.core.requests import Score
from simworld.core.scenario import Persona, Scenario, Seat
from simworld.judging.judge_spec import load_judge
from simworld.judging.judging_pass import JudgingPass
from simworld.judging.swapped_dialogue import SWAPS, Swap, swap_dialogue
from simworld.judging.transcript import make_judge_transcript
from simworld.testing import FakeBackend
from store import open_store
from tests.factories.judging import lamp_scenario, make_episode
from tests.factories.stored import RENT, add, begin, played

LAMP = lamp_scenario()
SAID = make_episode(
    LAMP,
    ("seller", "Mr Ray, may I call you Bob? I am Ann."),
    ("buyer", "Annual Lee sale, Ann Lee? *Bob*"),
)


def test_seats_are_listed_in_reverse_order_and_nothing_else_changes() -> None:
    scenario, episode = swap_dialogue("seats", LAMP, SAID)
    assert [seat.name for seat in scenario.seats] == ["buyer", "seller"]
    assert episode == SAID
    assert make_judge_transcript(scenario, episode).lines == make_judge_transcript(LAMP, SAID).lines
    assert (
        make_judge_transcript(scenario, episode).context()
        != make_judge_transcript(LAMP, SAID).context()
    )


def test_people_take_each_others_names_wherever_they_stand() -> None:
    scenario, episode = swap_dialogue("names", LAMP, SAID)
    assert [(seat.name, seat.persona.name, seat.goal) for seat in scenario.seats] == [
        ("seller", "Bob Ray", "Sell the lamp for 40 euros."),
        ("buyer", "Ann Lee", "Pay at most 20."),
    ]
    assert scenario.seat("buyer").persona.age == 40
    assert make_judge_transcript(scenario, episode).lines == (
        "Bob: Mr Lee, may I call you Ann? I am Bob.",
        "Ann: Annual Ray sale, Bob Ray? *Ann",
    )


@pytest.mark.parametrize("swap", SWAPS)
def test_swapping_twice_is_no_change(swap: Swap) -> None:
    assert swap_dialogue(swap, *swap_dialogue(swap, LAMP, SAID)) == (LAMP, SAID)


def trio(*names: tuple[str, str]) -> Scenario:
    seats = tuple(
        Seat(name=f"s{n}", persona=Persona(name=name, short=short), goal=f"Help {name}.")
        for n, (name, short) in enumerate(names)
    )
    return replace(LAMP, seats=seats)


def test_three_people_and_names_that_are_shared() -> None:
    scenario = trio(("Ann Bell", "Annie"), ("Bo Bell", ""), ("Cy", ""))
    episode = make_episode(scenario, ("s0", "Annie, Ann, Bo, Cy and Mrs Bell."))
    told, renamed = swap_dialogue("names", scenario, episode)
    assert [seat.goal for seat in told.seats] == ["Help Bo Bell.", "Help Cy.", "Help Annie."]
    # which of the Bells is not said
    assert renamed.acts[0].action.text == "Bo, Bo, Cy, Annie and Mrs Bell."


def test_names_are_found_where_no_space_stands_beside_them() -> None:
    scenario = replace(
        trio(("小红", ""), ("田中 花子", "花子")),
        language="zh",
        setting="小红和田中 花子都在，花子先到。",
    )
    told, episode = swap_dialogue(
        "names", scenario, make_episode(scenario, ("s0", "花子，我是小红啊。"))
    )
    assert told.setting == "花子和小红都在，小红先到。"
    assert episode.acts[0].action.text == "小红，我是花子啊。"


def test_a_swapped_judge_is_another_judge_beside_the_plain_one(tmp_path: Path) -> None:
    spec, _ = load_judge("smol-statements")
    with open_store(str(tmp_path / "x.db"), create=True) as store:
        (work, *_) = begin(store, repeats=1, scenario=RENT)
        add(store, work, played(work, "Ann, dear.", "Yes?"))
        prompts = []
        for swap in (None, *SWAPS):
            backend = FakeBackend()
            tally = JudgingPass(store, spec, backend, swap=swap).judge_missing()
            assert (tally.scored, tally.failed) == (1, 0)
            prompts.append(
                [request.prompt for request in backend.requests if isinstance(request, Score)]
            )
        judges = {judge.name: judge for judge in store.judges()}
        plain, *others = (judges[f"smol-statements{end}"] for end in ("", "~seats", "~names"))
        assert len(judges) == 3
        assert {judge.spec["spec"]["of"] for judge in others} == {plain.id}
        assert tuple(judge.spec["spec"]["swap"] for judge in others) == SWAPS
        assert "swap" not in plain.spec["spec"]
        assert len({row.judge_id for row in store.score_rows()}) == 3
    assert prompts[0] != prompts[2]  # it reads other names
