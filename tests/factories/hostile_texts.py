"""A run in which every text that a page shows tries to be more than text."""

from __future__ import annotations

from simworld.core.episode import Act, Action, ActionKind
from simworld.core.errors import Failure
from simworld.core.judgement import Judgement, JudgementStatus, Verdict
from simworld.core.scenario import Persona, Scenario, Seat
from store import Store
from tests.factories.web_episodes import AGENTS, BROKEN, CONTROLS, SCRIPT, add, begin

HOSTILE = Scenario(
    name=f"hostile{SCRIPT}",
    title=f"</title>{SCRIPT}",
    setting=BROKEN,
    seats=(
        Seat(
            name=f"one{SCRIPT}", persona=Persona(name=f"Ann{BROKEN}"), goal=SCRIPT, secret=CONTROLS
        ),
        Seat(name="two", persona=Persona(name=f"Bo{SCRIPT}"), goal=BROKEN, knows=SCRIPT),
    ),
    kind=SCRIPT,
    tags=(BROKEN,),
    judge_note=SCRIPT,
)


def hostile(store: Store) -> None:
    """Every text that a page shows tries to be more than text."""
    seats = [seat.name for seat in HOSTILE.seats]
    (item,) = begin(store, f"run/{BROKEN}", HOSTILE, (AGENTS[2].id, "a-plain"), 1)
    texts = (SCRIPT, BROKEN, CONTROLS)
    acts = [
        Act(seat=seats[i % 2], action=Action(kind=ActionKind.speak, text=text))
        for i, text in enumerate(texts)
    ]
    id_ = add(
        store,
        item,
        HOSTILE,
        acts,
        Failure(boundary="model", kind=SCRIPT, message=f"{BROKEN}{CONTROLS}"),
    )
    dimension = {"name": SCRIPT, "low": 0, "high": 10, "weight": 1, "question": BROKEN}
    rubric = {"name": SCRIPT, "id": "x@1", "dimensions": [dimension]}
    store.add_judge("j-hostile", f"judge{BROKEN}", {"spec": {"method": SCRIPT}, "rubric": rubric})
    verdict = Verdict(
        seat=seats[0], dimension=SCRIPT, score=5.0, reasoning=BROKEN, raw={SCRIPT: 1.0}
    )
    judgement = Judgement(
        episode_id=id_,
        judge_id="j-hostile",
        sample=0,
        status=JudgementStatus.ok,
        rubric_id=SCRIPT,
        verdicts=(verdict,),
        reply=SCRIPT,
    )
    store.add_judgement(judgement, {(seats[0], SCRIPT): 0.5})
