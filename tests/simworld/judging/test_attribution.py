"""What a judge says about single utterances: weights of lines, and scores of the dialogue so
far."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from simworld.core.episode import Act, Action, ActionKind, Ending, Episode, Turn, WorkItem
from simworld.core.errors import Failure, InputError
from simworld.core.judgement import Dimension, Judgement, JudgementStatus, Rubric, Verdict
from simworld.core.requests import Completion, Request
from simworld.judging.attribution import (
    check_method,
    score_partial_dialogues,
    weigh_utterances,
)
from simworld.judging.attribution_pass import attribute_episodes
from simworld.judging.judge import make_judge
from simworld.judging.judge_spec import JudgeSpec
from simworld.judging.judging_pass import JudgingPass
from store import AgentRecord, PlannedItem, RunRecord, open_store
from tests.factories.judging import AnsweringBackend, lamp_scenario, scored_reply
from tests.factories.losing_backend import LosingBackend

SPEC = JudgeSpec(name="weigher", model="answering", method="statements", prior=False)
GOAL = Dimension(
    name="goal",
    low=0,
    high=10,
    question="Did {name} get it?",
    high_statements=("{name} got it.",),
    low_statements=("{name} did not.",),
)
RUBRIC = Rubric(name="one", dimensions=(GOAL,))
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
# the seller speaks in turns 0, 2 and 4
TEXTS = ("Forty euros.", "Too much.", "Thirty?", "", "Thirty. Deal.")


def spoken(*texts: str) -> Episode:
    turns = tuple(
        Turn(
            index=turn,
            acts=(
                Act(
                    seat=("seller", "buyer")[turn % 2],
                    action=Action(kind=ActionKind.speak if text else ActionKind.none, text=text),
                ),
            ),
        )
        for turn, text in enumerate(texts)
    )
    cast = {"seller": "a", "buyer": "b"}
    return Episode(
        scenario_id=lamp_scenario().id,
        cast=cast,
        seed=0,
        turns=turns,
        ending=Ending.turn_limit,
        reason="turn_limit",
    )


def finish(
    asking: Generator[Request, Completion, Any], answer: Callable[[Request], Completion]
) -> Any:
    try:
        request = next(asking)
        while True:
            request = asking.send(answer(request))
    except StopIteration as stop:
        return stop.value


def test_a_line_that_mattered_weighs_more() -> None:
    """Log-odds 2 + log 3 for the deal, 2 − log 3 for the price, 2 for the question: less their
    mean, sigmoids 3/4, 1/4, 1/2."""
    odds = {
        "Forty euros.": 2 - 1.0986123,
        "Thirty?": 2.0,
        "Thirty. Deal.": 2 + 1.0986123,
        "Too much.": 0.5,
    }

    def value(prompt: str, text: str) -> float:
        line = next(line for line in sorted(odds, key=len, reverse=True) if text.endswith(line))
        return odds[line] if "mattered" in text else 0.0

    found = finish(
        weigh_utterances(SPEC, lamp_scenario(), spoken(*TEXTS), ("seller", "buyer")),
        lambda r: scored_reply(r, value),
    )
    weights = {(part.seat, part.turn): part.value for part in found}
    assert weights == {
        ("seller", 0): pytest.approx(0.25),
        ("seller", 2): pytest.approx(0.5),
        ("seller", 4): pytest.approx(0.75),
        ("buyer", 1): pytest.approx(0.5),  # nothing to compare it with
        ("buyer", 3): 0.0,  # nothing was done
    }


def test_prefixes_end_before_the_seats_next_turn() -> None:
    judge = make_judge(
        SPEC, AnsweringBackend(lambda r: scored_reply(r, lambda p, t: 0.0)).info, RUBRIC
    )
    seen: list[str] = []

    def value(prompt: str, text: str) -> float:
        seen.append(prompt.rsplit("\n", 1)[-1])
        return 0.0

    episode = spoken(*TEXTS)
    verdict = Verdict(seat="seller", dimension="goal", score=9.0)
    judgement = Judgement(
        episode_id="e",
        judge_id=judge.id,
        sample=0,
        status=JudgementStatus.ok,
        rubric_id=RUBRIC.id,
        verdicts=(verdict,),
    )
    found = finish(
        score_partial_dialogues(judge, lamp_scenario(), episode, judgement, ("seller",)),
        lambda r: scored_reply(r, value),
    )
    assert {(part.turn, part.dimension): part.value for part in found} == {
        (0, "goal"): 0.5,
        (2, "goal"): 0.5,
        (4, "goal"): 0.9,  # the episode's own
    }
    assert list(dict.fromkeys(seen)) == ["Bob: Too much.", "Ann: Thirty?"]


def test_a_failure_is_handed_on() -> None:
    failure = Failure(boundary="model", kind="timeout", message="no answer")
    assert (
        finish(
            weigh_utterances(SPEC, lamp_scenario(), spoken(*TEXTS), ("seller",)), lambda r: failure
        )
        == failure
    )


def test_only_statements_weigh_lines() -> None:
    answers = JudgeSpec(name="digits", model="answering", method="answers")
    check_method(answers, "prefixes")
    with pytest.raises(
        InputError, match="judge digits works by 'answers': only a judge by 'statements'"
    ):
        check_method(answers, "attributed")


@pytest.mark.parametrize("method", ["attributed", "prefixes"])
def test_a_pass_over_the_store_asks_nothing_twice(tmp_path: Path, method: str) -> None:
    spec = SPEC.model_copy(update={"rubric": "sotopia"})
    backend = AnsweringBackend(
        lambda request: scored_reply(request, lambda prompt, text: float(len(text) % 7))
    )
    with open_store(f"sqlite:///{tmp_path / 'world.db'}", create=True) as store:
        scenario = lamp_scenario()
        for repeat in range(2):
            item = WorkItem(
                run="r", scenario_id=scenario.id, cast={"seller": "a", "buyer": "b"}, repeat=repeat
            )
            planned = PlannedItem(item=item, scenario_name="lamp", family="lamp")
            agents = [AgentRecord(id=id_, name=id_, spec={}) for id_ in ("a", "b")]
            store.begin_run(
                RunRecord(name="r", seed=1, code_version="0", created=NOON),
                [planned],
                [scenario],
                agents,
            )
            episode = replace(spoken(*TEXTS), seed=repeat)
            store.add_episode(
                item, 1, episode, scenario_name="lamp", family="lamp", started=NOON, ended=NOON
            )
        with pytest.raises(InputError, match="has judged nothing"):
            attribute_episodes(store, spec, backend, method)
        JudgingPass(store, spec, backend).judge_missing()
        loses = LosingBackend("answering", "answering")
        lost = attribute_episodes(store, spec, loses, method)
        assert (lost.done, lost.failed) == (0, 2)
        assert lost.last_failure is not None
        assert lost.last_failure.message == "answering never answered the request"
        shared = attribute_episodes(store, spec, backend, method)
        assert (shared.done, shared.failed, shared.total) == (2, 0, 2)
        asked = len(backend.asked)
        assert attribute_episodes(store, spec, backend, method).total == 0
        assert len(backend.asked) == asked
        judge_id = store.judges()[0].id
        assert list(store.unattributed(judge_id, method)) == []
