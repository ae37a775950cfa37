"""Whether a way of judging keeps the promises of `simworld.judging.judge_methods`."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import TypeVar

from pydantic import BaseModel

from simworld.core.errors import Failure, model_failure
from simworld.core.judgement import Dimension, Rubric, Verdict
from simworld.core.requests import Completion, Request
from simworld.judging.judge_methods import JudgeMethod, JudgeTask, check_verdicts
from simworld.testing.agents import NotConforming
from simworld.testing.extension_settings import check_settings_model
from simworld.testing.fakes import (
    FakeBackend,
    example_episode,
    example_scenario,
    fake_answer,
    generated,
)

MAX_REQUESTS = 2000  # for one judgement under test; more means that it never ends
_Outcome = tuple[Verdict, ...] | Failure
EXAMPLE_RUBRIC = Rubric(
    name="example",
    dimensions=(
        Dimension(
            name="goal",
            low=0,
            high=10,
            question="How far did {name} reach the goal?",
            high_statements=("Outcome: {name} got what {name} wanted.",),
            low_statements=("Outcome: {name} did not get what {name} wanted.",),
        ),
        Dimension(
            name="harm",
            low=-10,
            high=0,
            question="How much harm did {name} do?",
            high_statements=("Outcome: {name} harmed nobody.",),
            low_statements=("Outcome: {name} harmed somebody.",),
        ),
    ),
)

S = TypeVar("S", bound=BaseModel)


def check_judge(
    method: JudgeMethod[S],
    settings: S | None = None,
    *,
    answer: Callable[[Request], str | Completion] | None = None,
) -> None:
    """Passes if a way of judging gives one verdict within its range for each seat and dimension
    that is asked, the same for the same answers, whatever else is judged meanwhile; and where the
    model fails, a Failure or verdicts, and no exception.

    Args:
        method: under test.
        settings: of it; default: `method.settings()`.
        answer: how its requests are answered; default: `fake_answer`.

    Raises:
        NotConforming: it does not; the text says how.
    """
    settings = method.settings() if settings is None else settings
    check_settings_model(settings)
    respond = answer or fake_answer
    scenario = example_scenario()
    whole = JudgeTask(
        scenario=scenario,
        episode=example_episode(scenario),
        rubric=EXAMPLE_RUBRIC,
        seats=tuple(seat.name for seat in scenario.seats),
        info=FakeBackend().info,
        thread="check",
    )
    part = replace(
        whole,
        seats=whole.seats[1:2],
        rubric=replace(EXAMPLE_RUBRIC, dimensions=EXAMPLE_RUBRIC.dimensions[:1]),
    )
    silent = replace(whole, episode=replace(whole.episode, turns=()))
    first = _judge(method, settings, whole, respond)
    if isinstance(first, Failure):
        raise NotConforming(f"a played episode gave {first}")
    if _judge(method, settings, whole, respond) != first:
        raise NotConforming("the same episode and answers gave other verdicts")
    if _judge_interleaved(method, settings, (whole, part), respond)[0] != first:
        raise NotConforming(
            "verdicts differ when several are judged at the same time: it keeps state"
        )
    if isinstance(outcome := _judge(method, settings, part, respond), Failure):
        raise NotConforming(f"one seat on one dimension gave {outcome}")
    _judge(method, settings, silent, respond)
    _judge(method, settings, whole, lambda request: model_failure("timeout", "no answer in 60 s"))


def _judge(
    method: JudgeMethod[S],
    settings: S,
    task: JudgeTask,
    answer: Callable[[Request], str | Completion],
) -> _Outcome:
    return _judge_interleaved(method, settings, (task,), answer)[0]


def _judge_interleaved(
    method: JudgeMethod[S],
    settings: S,
    tasks: tuple[JudgeTask, ...],
    answer: Callable[[Request], str | Completion],
) -> list[_Outcome]:
    started = [method.judge(settings, task) for task in tasks]
    outcomes: dict[int, object] = {
        i: each for i, each in enumerate(started) if not isinstance(each, Generator)
    }
    running = {i: each for i, each in enumerate(started) if isinstance(each, Generator)}
    requests: dict[int, Request] = {}
    for _ in range(MAX_REQUESTS):
        for i, judgement in tuple(running.items()):
            try:
                if i in requests:
                    reply = answer(requests[i])
                    completion = generated(reply, requests[i]) if isinstance(reply, str) else reply
                    requests[i] = judgement.send(completion)
                else:
                    requests[i] = next(judgement)
            except StopIteration as stop:
                outcomes[i] = stop.value
                del running[i]
                continue
            if not method.asks_model:
                raise NotConforming("it asks a model, but says `asks_model=False`")
        if not running:
            return [_checked(outcomes[i], task) for i, task in enumerate(tasks)]
    raise NotConforming(f"more than {MAX_REQUESTS} requests for one judgement")


def _checked(outcome: object, task: JudgeTask) -> _Outcome:
    if isinstance(outcome, Failure):
        return outcome
    verdicts = check_verdicts(outcome, task.rubric, task.seats)
    if isinstance(verdicts, Failure):
        raise NotConforming(verdicts.message)
    return verdicts
