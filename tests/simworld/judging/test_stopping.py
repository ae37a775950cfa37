"""Passes of a judge that stop before their end, and what the same command does after the cure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from simworld.core.errors import Failure, InputError, Stopped
from simworld.core.judgement import Dimension, Rubric
from simworld.core.requests import Completion, Generated, ModelInfo, Request
from simworld.core.stopping import MaxFailures, StopTracker
from simworld.judging.attribution_pass import attribute_episodes
from simworld.judging.contrast_pairs import shipped_pairs
from simworld.judging.judge_check import check_judge
from simworld.judging.judge_spec import JudgeSpec
from simworld.judging.judging_pass import JudgingPass, JudgingTally
from store import Store, open_store
from tests.factories.judging import AnsweringBackend
from tests.simworld.judging.test_judging_pass import fill

MODEL = "openai:m@http://127.0.0.1:1/v1"
SPEC = JudgeSpec(name="s", model=MODEL, method="server", one_call=True, reasks=0, rubric="r.yaml")
RUBRIC = "name: r\ndimensions:\n  - {name: goal, range: [0, 10], question: 'Did {name} win?'}\n"
NO_MONEY = Failure(
    boundary="model", kind="quota", message="HTTP 429: you exceeded your current quota"
)


class Asked(AnsweringBackend):
    """Answers as a server does."""

    @property
    def info(self) -> ModelInfo:
        return ModelInfo(spec=MODEL, id="m", dtype="", context=None)


def verdict(*names: str) -> Generated:
    text = json.dumps(
        {name: {"goal": {"reason": "so", "score": 7}} for name in names or ("Ann", "Bob")}
    )
    return Generated(text=text, prompt_tokens=80, new_tokens=20, finish="stop", latency_s=0.0)


def pass_over(
    store: Store,
    answer: Callable[[Request], Completion],
    stopping: StopTracker | None = None,
    *,
    max_live: int = 4,
) -> JudgingTally:
    return JudgingPass(store, SPEC, Asked(answer), stopping=stopping).judge_missing(
        max_live=max_live
    )


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.chdir(tmp_path)
    Path("r.yaml").write_text(RUBRIC)
    with open_store("sqlite:///s.db", create=True) as opened:
        fill(opened, *(f"Price {i}." for i in range(10)))
        yield opened


@pytest.mark.parametrize("max_live", [1, 4, 32])
def test_spent_money_stops_and_the_same_command_judges_all(store: Store, max_live: int) -> None:
    with pytest.raises(Stopped, match="5 requests in a row failed for good; the last: HTTP 429"):
        pass_over(store, lambda request: NO_MONEY, max_live=max_live)
    tally = pass_over(store, lambda request: verdict())
    assert (tally.scored, tally.failed, tally.already_judged) == (10, 0, 0)


def test_what_was_judged_before_stays(store: Store) -> None:
    left = iter(range(3))
    with pytest.raises(Stopped):
        pass_over(
            store,
            lambda request: verdict() if next(left, None) is not None else NO_MONEY,
            max_live=1,
        )
    tally = pass_over(store, lambda request: verdict())
    assert (tally.scored, tally.failed, tally.already_judged) == (7, 0, 3)


def test_failures_that_pass_are_counted_and_the_pass_goes_on(store: Store) -> None:
    pattern: Iterator[Completion] = iter(
        [NO_MONEY, verdict(), Failure(boundary="model", kind="timeout", message="slow")]
    )
    tally = pass_over(store, lambda request: next(pattern, verdict()), max_live=1)
    assert (tally.scored, tally.failed, tally.remaining) == (8, 2, 0)


def test_more_failures_than_allowed_stop_a_pass(store: Store) -> None:
    with pytest.raises(Stopped, match="2 of 10 judgements failed, more than --max-failures allows"):
        pass_over(
            store,
            lambda request: verdict("Ann"),
            StopTracker(max_failures=MaxFailures(count=1)),
            max_live=1,
        )
    tally = pass_over(store, lambda request: verdict())
    assert (tally.scored, tally.failed, tally.already_judged) == (8, 0, 2)


def test_a_budget_ends_a_pass_and_the_next_one_goes_on(store: Store) -> None:
    stopping = StopTracker(budget_tokens=450)
    tally = pass_over(store, lambda request: verdict(), stopping, max_live=32)
    assert (tally.scored, tally.remaining, stopping.used_tokens, stopping.budget_exhausted) == (
        4,
        6,
        400,
        True,
    )
    stopping = StopTracker(budget_tokens=600)
    tally = pass_over(store, lambda request: verdict(), stopping, max_live=32)
    assert (tally.scored, tally.already_judged, tally.remaining, stopping.budget_exhausted) == (
        6,
        4,
        0,
        False,
    )


def test_attribution_keeps_to_the_same_rules(store: Store) -> None:
    fill(store, *(f"Price {i}." for i in range(10)), run="long", turns=3)
    pass_over(store, lambda request: verdict())
    with pytest.raises(Stopped, match="failed for good"):
        attribute_episodes(
            store,
            SPEC,
            Asked(lambda request: NO_MONEY),
            "prefixes",
            max_live=1,
            stopping=StopTracker(),
        )


def test_a_check_that_its_budget_cannot_pay_says_so() -> None:
    rubric = Rubric(name="r", dimensions=(Dimension(name="goal", low=0, high=10, question="?"),))
    sets = [
        type(found)(
            name=found.name, pairs=tuple(pair for pair in found.pairs if pair.dimension == "goal")
        )
        for found in shipped_pairs()
    ]

    def answer(request: Request) -> Completion:
        schema = getattr(request, "json_schema", None)
        assert schema is not None
        return verdict(*schema["properties"])

    with pytest.raises(InputError, match="300 tokens were used for 3 of 32 transcripts"):
        check_judge(SPEC, Asked(answer), rubric, sets, stopping=StopTracker(budget_tokens=350))
    trust = check_judge(SPEC, Asked(answer), rubric, sets, stopping=StopTracker(budget_tokens=3200))
    assert (trust.overall.n, trust.overall.ties) == (16, 16)
