"""Arabic and Chinese: an episode, scores and a training of which every text is of one language."""

from __future__ import annotations

from dataclasses import dataclass

from simworld.core.episode import Act, Action, ActionKind
from simworld.core.errors import Failure
from simworld.core.judgement import Judgement, JudgementStatus, Verdict
from simworld.core.scenario import Check, CheckKind, Persona, Scenario, Seat
from store import AgentRecord, Store, TrainingRecord
from tests.factories.web_episodes import NOON, add, begin


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
