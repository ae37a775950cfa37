"""A small world to look at: a tournament of scripted agents, a steered run, a hostile one, and
trainings."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from simworld.core.episode import Act, Action, ActionKind, Generation, PlanStep
from simworld.core.errors import Failure
from simworld.core.judgement import Judgement, JudgementStatus, Verdict
from simworld.core.scenario import Check, CheckKind, Persona, Relationship, Scenario, Seat
from store import Store, TrainingRecord, open_store
from tests.factories.hostile_texts import hostile
from tests.factories.languages import LANGUAGES, spoken
from tests.factories.tournaments import play, tournament, write
from tests.factories.web_episodes import BROKEN, NOON, SCRIPT, add, begin

MARKET = Scenario(
    name="market",
    title="At the market",
    setting="A stall, late in the day.",
    seats=(
        Seat(
            name="seller",
            persona=Persona(name="Nadia Brandt", age=41),
            goal="Sell for 65.",
            secret="It is the last.",
        ),
        Seat(
            name="buyer",
            persona=Persona(name="Tomas Okafor"),
            goal="Buy for 50.",
            knows="It rains soon.",
        ),
    ),
    relationships={("seller", "buyer"): Relationship.know_by_name},
    checks=(
        Check(
            name="price", kind=CheckKind.number, pattern=r"(\d+) euros", between=(50, 65), last=True
        ),
    ),
)


def build(folder: Path) -> str:
    """The address of a database with all of it."""
    write(folder, families=3, tables=1, agents=("ada", "ben", "cyn"))
    url = f"sqlite:///{folder / 'world.db'}"
    with open_store(url, create=True) as store:
        play(
            tournament(folder, agents=("ada", "ben", "cyn"), scenarios="[k*.yaml, t*.yaml]"), store
        )
        steered(store)
        hostile(store)
        trainings(store)
        for language in LANGUAGES:
            spoken(store, language)
    return url


def steered(store: Store) -> None:
    """Four episodes of which the last failed; the seller is steered, and a judge spoke digits,
    twice."""
    rng = np.random.default_rng(0)
    items = begin(store, "steered", MARKET, ("a-steered", "a-plain"), 5)
    judge = {
        "spec": {"name": "digits", "method": "answers"},
        "rubric": {
            "name": "own",
            "id": "own@1",
            "dimensions": [
                {
                    "name": "goal",
                    "low": 0,
                    "high": 10,
                    "weight": 1,
                    "question": "Did {name} get it?",
                }
            ],
        },
    }
    store.add_judge("j-digits", "digits", judge)
    for item in items[:3]:
        acts = [line(seat, text, i, rng) for i, (seat, text) in enumerate(TALK)]
        id_ = add(store, item, MARKET, acts)
        for sample in (0, 1):
            score(store, id_, sample, {"seller": 4.0 + item.repeat + sample / 2, "buyer": 6.0})
    failure = Failure(boundary="model", kind="timeout", message="no answer in 60 s")
    add(store, items[3], MARKET, [line("seller", "Good evening.", 0, rng)], failure)
    store.add_judgement(
        Judgement(
            episode_id=items[0].episode_id(1),
            judge_id="j-digits",
            sample=2,
            status=JudgementStatus.failed,
            rubric_id="own@1",
            failure=Failure(boundary="judge", kind="refused", message="would not say"),
        ),
        {},
    )


TALK = (
    ("seller", "Good evening. 65 euros."),
    ("buyer", "Too much; 60 euros."),
    ("seller", "Take it, then."),
    ("buyer", "shakes hands"),
)


def line(seat: str, text: str, turn: int, rng: np.random.Generator) -> Act:
    kind = ActionKind.non_verbal if text == "shakes hands" else ActionKind.speak
    made = Generation(
        model_id="m" * 40,
        dtype="float32",
        prompt_version="p1",
        seed=2**63 + turn,
        prompt_tokens=100,
        new_tokens=7,
        latency_s=0.25,
        logprob=-12.5,
        finish="stop",
        raw=f" {text} And",
    )
    plan = None
    if seat == "seller":
        action = rng.standard_normal(16).astype(np.float32)
        state = rng.standard_normal(8).astype(np.float32)
        plan = PlanStep(
            state=state, action=action, encoder_id="e1", planner_id="p1-0123", noisy=turn == 2
        )
    to = ("buyer",) if turn == 2 else ()
    return Act(seat=seat, action=Action(kind=kind, text=text, to=to), generation=made, plan=plan)


def score(store: Store, episode_id: str, sample: int, scores: dict[str, float]) -> None:
    raw = {f"p{i}": 0.5 if i == 6 else 0.5 / 9 for i in range(10)}
    verdicts = tuple(
        Verdict(
            seat=seat, dimension="goal", score=value, reasoning=f"{seat} got {value:g}.", raw=raw
        )
        for seat, value in scores.items()
    )
    store.add_judgement(
        Judgement(
            episode_id=episode_id,
            judge_id="j-digits",
            sample=sample,
            status=JudgementStatus.ok,
            rubric_id="own@1",
            verdicts=verdicts,
        ),
        {(seat, "goal"): value / 10 for seat, value in scores.items()},
    )


def trainings(store: Store) -> None:
    """A finished training with measurements, and a hostile one that failed."""
    for name, kind in (("haggler", "td3bc"), (f"training/{BROKEN}", SCRIPT)):
        store.begin_training(
            TrainingRecord(
                name=name,
                kind=kind,
                code_version="0.1",
                created=NOON,
                settings={"learner": "td3bc", SCRIPT: BROKEN},
                data={"rows": 120, "sha256": "ab" * 32},
            )
        )
        for step in range(0, 1000, 100):
            measured = {
                "critic_loss": 1 / (step + 50),
                "actor_loss": -step / 500,
                "q_bias": 0.2 - step / 4000,
            }
            store.add_training_steps(
                name, [(step, {**measured, "q_correlation": step / 2000, SCRIPT: float("nan")})]
            )
    policy = {
        "n": 40,
        "ways": ["thank: “Thank you.”", BROKEN],
        "counts": [30, 10],
        "rows": [
            {"situation": "partner asks", "n": 30, "counts": [30, 0]},
            {"situation": "otherwise", "n": 10, "counts": [0, 10]},
        ],
        "dispersion": 0.3,
        "sentence": "What this planner does hangs on the dialogue.",
    }
    metrics = {"best_step": 700, "held_value": 0.1, "policy": policy}
    store.finish_training("haggler", checkpoint_id="p1-abc", metrics=metrics)
    store.finish_training(f"training/{BROKEN}", status="failed")
