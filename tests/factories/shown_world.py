"""A small world to look at: a tournament of scripted agents, a steered run, a hostile one, and
trainings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from simworld.core.episode import (
    Act,
    Action,
    ActionKind,
    CheckResult,
    Ending,
    Episode,
    Generation,
    PlanStep,
    Turn,
    WorkItem,
)
from simworld.core.errors import Failure
from simworld.core.judgement import Judgement, JudgementStatus, Verdict
from simworld.core.scenario import Check, CheckKind, Persona, Relationship, Scenario, Seat
from store import AgentRecord, PlannedItem, RunRecord, Store, TrainingRecord, open_store
from tests.factories.tournaments import play, tournament, write

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SCRIPT = "<script>document.title='taken'</script>"
BROKEN = (
    "\"'><img src=x onerror=\"document.title='taken'\"> {{ 987 * 1000 }} '; DROP TABLE episodes; --"
)
CONTROLS = "before\x1b[31m\u202eafter\x07"
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
AGENTS = (
    AgentRecord(id="a-plain", name="plain", spec={"model": "none"}),
    AgentRecord(
        id="a-steered", name="steered", spec={"model": "none", "steering": {"planner": "p1-0123"}}
    ),
    AgentRecord(id=f"a-{SCRIPT}", name=f"agent{BROKEN}", spec={SCRIPT: BROKEN}),
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


def begin(
    store: Store,
    run: str,
    scenario: Scenario,
    cast: Sequence[str],
    repeats: int,
    agents: Sequence[AgentRecord] = AGENTS,
) -> list[WorkItem]:
    seats = {seat.name: agent for seat, agent in zip(scenario.seats, cast, strict=True)}
    items = [
        WorkItem(run=run, scenario_id=scenario.id, cast=seats, repeat=repeat)
        for repeat in range(repeats)
    ]
    planned = [
        PlannedItem(item=item, scenario_name=scenario.name, family=scenario.family)
        for item in items
    ]
    record = RunRecord(
        name=run, seed=7, code_version="0.1", created=NOON, settings={"repeats": repeats}
    )
    store.begin_run(record, planned, [scenario], agents)
    return items


def add(
    store: Store,
    item: WorkItem,
    scenario: Scenario,
    acts: Sequence[Act],
    failure: Failure | None = None,
) -> str:
    episode = Episode(
        scenario_id=scenario.id,
        cast=item.cast,
        seed=item.repeat,
        turns=tuple(Turn(index=index, acts=(act,)) for index, act in enumerate(acts)),
        ending=Ending.failed if failure else Ending.turn_limit,
        reason=failure.kind if failure else "turn_limit",
        checks=(CheckResult(name="price", holds=True, value=60.0, turn=1),),
        failure=failure,
    )
    store.add_episode(
        item,
        1,
        episode,
        scenario_name=scenario.name,
        family=scenario.family,
        started=NOON,
        ended=NOON + timedelta(minutes=item.repeat + 1),
    )
    return item.episode_id(1)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """A language, and words of it for everything that people or models may write."""

    run: str
    letters: str  # a pattern of its letters
    words: str  # each stands for a text
    lines: tuple[str, str]


ARABIC = Language(
    run="عربي",
    letters="[\u0600-\u06ff]",
    words="السوق",
    lines=("مساء الخير، ٦٥ يورو.", "هذا كثير!"),
)
CHINESE = Language(
    run="中文", letters="[\u4e00-\u9fff]", words="市场", lines=("晚上好，65欧元。", "太贵了！")
)
LANGUAGES = (ARABIC, CHINESE)


def spoken(store: Store, language: Language) -> None:
    """An episode, a failed one, scores and an agent, of which every text is of one language."""
    words = language.words
    seats = tuple(
        Seat(
            name=f"{words}{n}",
            persona=Persona(name=f"{words} {n}"),
            goal=words,
            knows=words,
            secret=words,
        )
        for n in "ab"
    )
    check = Check(name=words, kind=CheckKind.keyword, words=(words,))
    scenario = Scenario(
        name=f"{words}.price-50",
        title=words,
        setting=words,
        seats=seats,
        kind=words,
        tags=(words,),
        judge_note=words,
        checks=(check,),
    )
    spec = {
        "kind": "lm",
        "model": words,
        "prompt": {"style": "chat", "system": f"{words} {{{{name}}}}", "opening": words},
        "sampling": {"temperature": 0.5},
        "steering": {"planner": words},
        words: words,
    }
    agent = AgentRecord(id=f"a-{words}", name=words, spec=spec)
    played, failed = begin(store, language.run, scenario, (agent.id, agent.id), 2, (agent,))
    acts = [
        Act(
            seat=seat.name,
            action=Action(
                kind=ActionKind.speak, text=text, to=(seats[0].name,) * (seat is seats[1])
            ),
        )
        for seat, text in zip(seats, language.lines, strict=True)
    ]
    id_ = add(store, played, scenario, acts)
    add(store, failed, scenario, acts[:1], Failure(boundary="model", kind=words, message=words))
    dimension = {"name": words, "low": 0, "high": 10, "weight": 1, "question": words}
    judge = f"j-{words}"
    store.add_judge(
        judge,
        words,
        {
            "spec": {"method": words},
            "rubric": {"name": words, "id": words, "dimensions": [dimension]},
        },
    )
    verdicts = tuple(
        Verdict(seat=seat.name, dimension=words, score=5.0, reasoning=words, raw={words: 1.0})
        for seat in seats
    )
    judgement = Judgement(
        episode_id=id_,
        judge_id=judge,
        sample=0,
        status=JudgementStatus.ok,
        rubric_id=words,
        verdicts=verdicts,
    )
    store.add_judgement(judgement, {(seat.name, words): 0.5 for seat in seats})
    store.begin_training(
        TrainingRecord(
            name=words,
            kind=words,
            code_version="0.1",
            created=NOON,
            settings={words: words},
            data={words: words},
        )
    )
    store.add_training_steps(words, [(step, {words: 1.0}) for step in range(2)])


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
    store.finish_training(
        "haggler", checkpoint_id="p1-abc", metrics={"best_step": 700, "held_value": 0.1}
    )
    store.finish_training(f"training/{BROKEN}", status="failed")
