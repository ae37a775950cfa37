"""Which ways of judging there are: one table, and the boundary around those of other packages."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from simworld.core.episode import Episode
from simworld.core.errors import Failure, SimworldError
from simworld.core.judgement import Rubric, Verdict
from simworld.core.protocols import JudgementGenerator
from simworld.core.requests import Encode, Generate, ModelInfo, Score
from simworld.core.scenario import Scenario
from simworld.extensions import ExtensionTable
from simworld.extensions.extension_table import one_line
from simworld.judging.judge_spec import JudgeSpec
from simworld.judging.logprob_judging import judge_by_answers, judge_by_statements
from simworld.judging.reply_judging import judge_by_replies
from simworld.judging.transcript import JudgeTranscript, make_judge_transcript

S = TypeVar("S", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeTask:
    """What a judge judges: some seats of one episode on all dimensions of a rubric."""

    scenario: Scenario
    episode: Episode
    rubric: Rubric
    seats: tuple[str, ...]  # that a verdict per dimension is wanted of
    info: ModelInfo  # of the model that answers its requests
    sample: int = 0  # from 0; one that draws at random derives its seeds from it
    thread: str = ""  # of its requests, which share their prompts

    @property
    def transcript(self) -> JudgeTranscript:
        """The episode as plain text, people by the names that a judge knows them by."""
        return make_judge_transcript(self.scenario, self.episode)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeMethod(Generic[S]):
    """A way of judging: what an entry point of `simworld.judges` is."""

    settings: type[S]  # of the key `settings`; of a built-in method, the whole file
    # a generator of requests that returns a verdict for each seat and dimension, or a Failure; one
    # that asks no model may return them at once
    judge: Callable[[S, JudgeTask], JudgementGenerator | tuple[Verdict, ...] | Failure]
    asks_model: bool = True  # False: its file need not name a model


def _by_statements(spec: JudgeSpec, task: JudgeTask) -> JudgementGenerator:
    return judge_by_statements(task.transcript, task.rubric, spec, task.seats, task.thread)


def _by_answers(spec: JudgeSpec, task: JudgeTask) -> JudgementGenerator:
    return judge_by_answers(task.transcript, task.rubric, spec, task.seats, task.thread)


def _by_replies(spec: JudgeSpec, task: JudgeTask) -> JudgementGenerator:
    return judge_by_replies(
        task.transcript, task.rubric, spec, task.seats, task.thread, task.sample
    )


JUDGE_METHODS: ExtensionTable[JudgeMethod[Any]] = ExtensionTable(
    group="simworld.judges",
    what="judge method",
    declaration=JudgeMethod,
    builtin={
        "statements": JudgeMethod(settings=JudgeSpec, judge=_by_statements),
        "answers": JudgeMethod(settings=JudgeSpec, judge=_by_answers),
        "server": JudgeMethod(settings=JudgeSpec, judge=_by_replies),
    },
)


def judge_by_method(spec: JudgeSpec, task: JudgeTask) -> JudgementGenerator:
    """The judgement of a task by the method of a spec; what an extension does wrong is a Failure.

    Raises InputError where the extension cannot be loaded.
    """
    entry = JUDGE_METHODS.find(spec.method)
    if entry.identity:
        return _judge_by_extension(entry.declaration, spec.settings, task)
    judgement = entry.declaration.judge(spec, task)
    assert isinstance(judgement, Generator)  # as all of simworld's own are
    return judgement


def _judge_by_extension(
    method: JudgeMethod[Any], settings: BaseModel, task: JudgeTask
) -> JudgementGenerator:
    try:
        outcome: object = method.judge(settings, task)
        if isinstance(outcome, Generator):
            outcome = yield from _checked_requests(outcome)
    except SimworldError:  # the model cannot be loaded, the command stops
        raise
    except Exception as error:  # the boundary of another package's own code
        return Failure(boundary="judge", kind="error", message=one_line(error))
    if isinstance(outcome, Failure):
        return outcome
    return check_verdicts(outcome, task.rubric, task.seats)


def _checked_requests(judgement: Generator[Any, Any, object]) -> Generator[Any, Any, object]:
    try:
        request = next(judgement)
        while True:
            if not isinstance(request, Generate | Score | Encode):
                message = f"expected a request, found {type(request).__name__}"
                return Failure(boundary="judge", kind="error", message=message)
            request = judgement.send((yield request))
    except StopIteration as stop:
        return stop.value


def check_verdicts(
    verdicts: object, rubric: Rubric, seats: Sequence[str]
) -> tuple[Verdict, ...] | Failure:
    """The verdicts as they are, where there is one for each seat and dimension within its range;
    else a Failure that says what is wrong.
    """
    if not isinstance(verdicts, tuple | list) or not all(isinstance(v, Verdict) for v in verdicts):
        found = type(verdicts).__name__
        return _unusable(f"expected a tuple of verdicts or a Failure, found {found}")
    dimensions = {d.name: d for d in rubric.dimensions}
    wanted = {(seat, name) for seat in seats for name in dimensions}
    given = [(v.seat, v.dimension) for v in verdicts]
    if set(given) != wanted or len(given) != len(wanted):
        wrong = sorted(wanted ^ set(given)) or sorted(p for p in wanted if given.count(p) > 1)
        shown = ", ".join(f"{seat}/{dimension}" for seat, dimension in wrong[:5])
        return _unusable(f"expected one verdict for each seat and dimension; look at {shown}")
    for v in verdicts:
        low, high = dimensions[v.dimension].low, dimensions[v.dimension].high
        if not isinstance(v.score, int | float) or not low <= v.score <= high:
            return _unusable(
                f"{v.seat}/{v.dimension}: expected a score from {low:g} to {high:g}, found"
                f" {v.score!r}"
            )
        if not isinstance(v.reasoning, str) or not all(map(_is_raw_number, v.raw.items())):
            return _unusable(
                f"{v.seat}/{v.dimension}: expected reasoning in words, and raw numbers by name"
            )
    return tuple(verdicts)


def _is_raw_number(item: tuple[object, object]) -> bool:
    name, value = item
    return isinstance(name, str) and isinstance(value, int | float) and math.isfinite(value)


def _unusable(message: str) -> Failure:
    return Failure(boundary="judge", kind="unusable", message=message)
