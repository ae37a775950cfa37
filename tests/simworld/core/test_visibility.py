"""Who sees what, by relationship; and that nothing private ever leaks, for random scenarios and
random play."""

import dataclasses
import json
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.prompting import PROMPTS_FOLDER, PromptTemplate, build_prompt
from simworld.core.engine import play
from simworld.core.episode import Act, Action, ActionKind, Observation
from simworld.core.scenario import Limits, Persona, Relationship, Scenario, Seat, TurnOrder
from simworld.core.visibility import observe, visible_persona
from simworld.yamlfile import load_yaml, parse

FULL = Persona(
    name="Nadia Brandt",
    age=34,
    gender="woman",
    pronouns="she/her",
    occupation="bookbinder",
    public="Sings in a choir.",
    personality="Blunt.",
    values="Fairness.",
)
TEMPLATES = [
    parse(load_yaml(path), PromptTemplate) for path in sorted(PROMPTS_FOLDER.glob("*.yaml"))
]


@pytest.mark.parametrize(
    ("relationship", "visible"),
    [
        (Relationship.stranger, None),
        (Relationship.know_by_name, {"name"}),
        (Relationship.acquaintance, {"name", "age", "gender", "pronouns", "occupation", "public"}),
        (Relationship.friend, {f.name for f in dataclasses.fields(FULL)} - {"short"}),
        (
            Relationship.romantic_relationship,
            {f.name for f in dataclasses.fields(FULL)} - {"short"},
        ),
        (Relationship.family_member, {f.name for f in dataclasses.fields(FULL)} - {"short"}),
    ],
)
def test_the_relationship_decides_what_is_seen(
    relationship: Relationship, visible: set[str] | None
) -> None:
    seen = visible_persona(FULL, relationship)
    if visible is None:
        assert seen is None
    else:
        assert seen is not None
        assert {
            name for name, value in dataclasses.asdict(seen).items() if value not in ("", None)
        } == visible


def test_strangers_are_called_by_their_roles_and_namesakes_are_told_apart() -> None:
    seats = tuple(
        Seat(name=name, persona=Persona(name=full), goal="talk")
        for name, full in [("night-nurse", "Ann Lee"), ("doctor", "Ann Wu"), ("visitor", "Bo Ek")]
    )
    scenario = Scenario(
        name="x",
        setting="A ward.",
        seats=seats,
        relationships={("night-nurse", "doctor"): Relationship.acquaintance},
    )
    observation = observe(scenario, "night-nurse", (), 0, 0)
    assert observation.label == "Ann (Night nurse)"
    assert {other.seat: other.label for other in observation.others} == {
        "doctor": "Ann (Doctor)",
        "visitor": "Visitor",
    }
    assert observe(scenario, "visitor", (), 0, 0).label == "Bo"


# Every private field carries a canary of its own, which no action utters.


def _seat(index: int) -> Seat:
    persona = Persona(
        name=f"Person{index} Smith",
        age=20 + index,
        gender=f"gender-{index}-canary",
        occupation=f"occupation-{index}-canary",
        public=f"public-{index}-canary",
        personality=f"personality-{index}-canary",
        values=f"values-{index}-canary",
    )
    return Seat(
        name=f"seat-{index}",
        persona=persona,
        goal=f"goal-{index}-canary",
        knows=f"knows-{index}-canary",
        secret=f"secret-{index}-canary",
    )


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    seats = tuple(_seat(i) for i in range(draw(st.integers(2, 4))))
    pairs = list(combinations([seat.name for seat in seats], 2))
    relationships = {pair: draw(st.sampled_from(Relationship)) for pair in pairs}
    return Scenario(
        name="random",
        setting="A room.",
        judge_note="note-canary",
        seats=seats,
        relationships=relationships,
        order=draw(st.sampled_from(TurnOrder)),
        limits=Limits(turns=draw(st.integers(1, 8)), silence=9),
    )


def _forbidden(
    scenario: Scenario, observation: Observation, whispers: list[tuple[str, set[str]]]
) -> list[str]:
    forbidden = ["note-canary"]
    for index, seat in enumerate(scenario.seats):
        if seat.name == observation.seat:
            continue
        forbidden += [f"{field}-{index}-canary" for field in ("goal", "knows", "secret")]
        relationship = scenario.relationship(observation.seat, seat.name)
        if relationship in (Relationship.stranger, Relationship.know_by_name):
            forbidden += [f"{field}-{index}-canary" for field in ("gender", "occupation", "public")]
        if relationship in (
            Relationship.stranger,
            Relationship.know_by_name,
            Relationship.acquaintance,
        ):
            forbidden += [f"{field}-{index}-canary" for field in ("personality", "values")]
        if relationship is Relationship.stranger:
            forbidden.append(seat.persona.name)
    return forbidden + [text for text, hearers in whispers if observation.seat not in hearers]


def _everything(value: Any) -> str:
    return json.dumps(dataclasses.asdict(value), default=str)


@settings(max_examples=60, deadline=None)
@given(scenario=scenarios(), data=st.data())
def test_nothing_private_ever_reaches_an_observation_or_a_prompt(
    scenario: Scenario, data: st.DataObject
) -> None:
    names = [seat.name for seat in scenario.seats]
    game = play(scenario, dict.fromkeys(names, "x"), data.draw(st.integers(0, 9)))
    whispers: list[tuple[str, set[str]]] = []
    due = next(game)
    try:
        while True:
            replies = {}
            for seat, observation in due.items():
                shown = [_everything(observation)]
                shown += [
                    _everything(build_prompt(template, observation)) for template in TEMPLATES
                ]
                for canary in _forbidden(scenario, observation, whispers):
                    assert not any(canary in text for text in shown), (seat, canary)
                assert f"goal-{names.index(seat)}-canary" in shown[1]
                kind = data.draw(st.sampled_from(list(ActionKind)))
                others = [name for name in names if name != seat]
                to = tuple(data.draw(st.lists(st.sampled_from(others), unique=True)))
                text = f"whisper-{len(whispers)}-{seat}-canary" if to else "hello there"
                if kind not in (ActionKind.none, ActionKind.leave) and to:
                    whispers.append((text, {seat, *to}))
                    replies[seat] = Act(seat=seat, action=Action(kind=kind, text=text, to=to))
                else:
                    said = "" if kind in (ActionKind.none, ActionKind.leave) else text
                    replies[seat] = Act(
                        seat=seat, action=Action(kind=kind, text=said if not to else said and "hi")
                    )
            due = game.send(replies)
    except StopIteration as over:
        episode = over.value
    assert episode.failure is None
