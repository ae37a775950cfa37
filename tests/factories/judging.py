"""A backend that answers from a function, and two people who talk about a lamp."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from simworld.core.episode import Act, Action, ActionKind, Ending, Episode, Turn
from simworld.core.judgement import Dimension, Rubric
from simworld.core.protocols import JudgementGenerator
from simworld.core.requests import (
    Completion,
    Finished,
    Generate,
    Generated,
    ModelInfo,
    Request,
    Score,
    Scored,
)
from simworld.core.scenario import Persona, Scenario, Seat


class AnsweringBackend:
    """Answers each request with `answer(request)`, last in first out, so that order cannot be
    relied on."""

    def __init__(
        self, answer: Callable[[Request], Completion], model_id: str = "answering"
    ) -> None:
        self.answer = answer
        self.asked: list[Request] = []
        self.most_open = 0
        self._open: list[tuple[int, Request]] = []
        self._info = ModelInfo(spec="answering", id=model_id, dtype="float32", context=None)

    @property
    def info(self) -> ModelInfo:
        return self._info

    def submit(self, request: Request) -> int:
        self.asked.append(request)
        self._open.append((len(self.asked), request))
        self.most_open = max(self.most_open, len(self._open))
        return len(self.asked)

    def poll(self, wait_s: float | None = None) -> Sequence[Finished]:
        if not self._open:
            return ()
        ticket, request = self._open.pop()
        return (Finished(ticket=ticket, completion=self.answer(request)),)

    def close(self) -> None:
        self._open.clear()


def scored_reply(request: Request, value: Callable[[str, str], float]) -> Scored:
    """The completion in which each continuation has the log-probability `value(prompt,
    continuation)`."""
    assert isinstance(request, Score)
    prompt = (
        request.prompt.text
        if hasattr(request.prompt, "text")
        else request.prompt.messages[-1].content
    )
    logprobs = tuple(value(prompt, c) for c in request.continuations)
    return Scored(
        logprobs=logprobs,
        lengths=(1,) * len(logprobs),
        prompt_tokens=10,
        latency_s=0.5,
        dtype="float32",
    )


def generated_reply(text: str, *, finish: str = "stop") -> Generated:
    return Generated(
        text=text,
        prompt_tokens=100,
        new_tokens=20,
        finish="length" if finish == "length" else "stop",
        latency_s=1.0,
    )


def run_judging(judging: JudgementGenerator, answer: Callable[[Request], Completion]) -> object:
    """What a judgement returns when each of its requests is answered by `answer`."""
    try:
        request = next(judging)
        while True:
            request = judging.send(answer(request))
    except StopIteration as stop:
        return stop.value


def lamp_scenario(rubric: str = "sotopia") -> Scenario:
    return Scenario(
        name="lamp",
        setting="A flea market.",
        seats=(
            Seat(
                name="seller",
                persona=Persona(name="Ann Lee"),
                goal="Sell the lamp for 40 euros.",
                secret="It flickers.",
            ),
            Seat(
                name="buyer",
                persona=Persona(name="Bob Ray", age=40, occupation="baker"),
                goal="Pay at most 20.",
            ),
        ),
        rubric=rubric,
        judge_note="Lamps like it go for 30.",
    )


def make_episode(scenario: Scenario, *acts: tuple[str, str]) -> Episode:
    """An episode of (seat, text) lines; texts in asterisks are gestures."""
    made = [
        Act(
            seat=seat,
            action=Action(
                kind=ActionKind.non_verbal if text.startswith("*") else ActionKind.speak,
                text=text.strip("*"),
            ),
        )
        for seat, text in acts
    ]
    return Episode(
        scenario_id=scenario.id,
        cast={seat.name: "agent" for seat in scenario.seats},
        seed=0,
        turns=tuple(Turn(index=i, acts=(act,)) for i, act in enumerate(made)),
        ending=Ending.terminated,
        reason="left",
    )


def small_rubric() -> Rubric:
    return Rubric(
        name="small",
        dimensions=(
            Dimension(
                name="goal",
                low=0,
                high=10,
                question="Did {name} reach this: {goal}?",
                high_statements=("{name} won.", "{name} is glad."),
                low_statements=("{name} lost.", "{name} is sad."),
            ),
            Dimension(
                name="secret",
                low=-10,
                high=0,
                question="Did {name} keep it: {secret}?",
                high_statements=("{name} kept {secret}.",),
                low_statements=("{name} told {secret}.",),
            ),
        ),
    )


__all__ = [
    "AnsweringBackend",
    "Generate",
    "generated_reply",
    "lamp_scenario",
    "make_episode",
    "run_judging",
    "scored_reply",
    "small_rubric",
]
