"""The one training loop: steps, evaluations, the best moment, giving up, resuming.

Cloning, latent up-mappings and the offline learners each say in a `TrainingTask` what one step and
one evaluation are. Fitted-Q evaluation has nothing to choose or resume and takes `gradient_step`
alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol

import torch
from torch import Tensor, nn

from simworld.core.errors import InputError
from simworld.core.progress import MetricsSink, ReportProgress
from simworld.training.training_state import TrainingFile, add_prefix, strip_prefix


class TrainingTask(Protocol):
    """What the loop trains."""

    @property
    def module(self) -> nn.Module:
        """What is trained; its weights at the best moment are the result."""

    def step(self, number: int) -> Mapping[str, float]:
        """Takes step `number`, from 1, and gives its metrics.

        Draws random numbers by the step's number, or keeps their generator in its state: so a
        resumed training draws the same.
        """

    def failure(self, number: int, metrics: Mapping[str, float]) -> str | None:
        """Says in one line why training cannot go on after step `number`; None if it can."""

    def evaluate(self) -> tuple[Mapping[str, float], float | None]:
        """Gives metrics and a score, the higher the better; None: the latest is the best."""

    def state_dict(self) -> Mapping[str, Tensor]:
        """Gives everything that later steps depend on; may share memory."""

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Goes on from what `state_dict` gave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSchedule:
    """When the loop does what. Intervals are in steps; the last step ends all of them."""

    steps: int
    # a fraction spreads evaluations evenly over steps that their number does not divide
    eval_interval: int | Fraction
    eval_first: bool = False  # before the first step too
    log_interval: int | None = None  # default: that of evaluations
    save_interval: int | None = None  # default: that of evaluations
    patience: int = 0  # evaluations without a better one before giving up; 0: never

    def due(self, interval: int | Fraction | None, step: int) -> bool:
        """Whether an interval ends with a step."""
        interval = interval or self.eval_interval
        return step == self.steps or step // interval > (step - 1) // interval


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRecorder:
    """Where a training keeps its state, and whom it tells how it goes."""

    file: TrainingFile | None = None  # written now and then; a stopped training goes on from there
    # gets the means of the metrics since it was last told, with those of an evaluation; after an
    # interruption the last ones may come again, the same
    sink: MetricsSink = lambda step, metrics: None
    on_progress: ReportProgress = lambda done, total, note: None  # told after each step
    note: str = ""  # for `on_progress`


SILENT = TrainingRecorder()


@dataclass(slots=True, kw_only=True)
class TrainingPosition:
    """How far a training has come, and what it was at its best."""

    step: int = 0
    best_step: int = 0
    best_score: float | None = None
    best_metrics: dict[str, float] = field(default_factory=dict)
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    evals_since_best: int = 0


def train(
    task: TrainingTask, schedule: TrainingSchedule, recorder: TrainingRecorder = SILENT
) -> TrainingPosition:
    """Trains until the last step, or until patience is at an end, and gives the position reached.

    A training that was stopped goes on from its file to bitwise the same end.

    Args:
        task: trained in place; its weights are those of the last step.
        schedule: when to do what.
        recorder: where the state is kept, and whom to tell.

    Raises:
        InputError: for a file of another training, or a task that says it cannot go on; then the
            file is deleted, for nobody wants to go on from there.
    """
    file, position = recorder.file, _resume(task, recorder.file)
    if schedule.eval_first and position.step == 0:
        recorder.sink(0, _evaluate(task, position, {}))
        recorder.on_progress(0, schedule.steps, recorder.note)
    pending_metrics: dict[str, list[float]] = {}
    while position.step < schedule.steps and not (
        0 < schedule.patience <= position.evals_since_best
    ):
        position.step = step = position.step + 1
        for name, value in task.step(step).items():
            pending_metrics.setdefault(name, []).append(value)
        eval_due = schedule.due(schedule.eval_interval, step)
        if eval_due or schedule.due(schedule.log_interval, step):
            metrics = {name: sum(values) / len(values) for name, values in pending_metrics.items()}
            pending_metrics.clear()
            if failure := task.failure(step, metrics):
                if file is not None:
                    file.path.unlink(missing_ok=True)
                raise InputError(failure)
            recorder.sink(step, _evaluate(task, position, metrics) if eval_due else metrics)
        if file is not None and schedule.due(schedule.save_interval, step):
            _save(task, position, file)
        recorder.on_progress(step, schedule.steps, recorder.note)
    return position


def gradient_step(
    optimiser: torch.optim.Optimizer, losses: Iterable[Tensor], *, max_norm: float | None = None
) -> None:
    """Takes one step down the sum of scalar losses, on the optimiser's parameters alone.

    Args:
        optimiser: of the parameters; no other tensor gets a gradient.
        losses: each is differentiated before the next one is made, so that a generator holds one
            graph in memory at a time.
        max_norm: the gradient is cut to this length; default: never.
    """
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    optimiser.zero_grad()
    for loss in losses:
        torch.autograd.backward(loss, inputs=parameters)
    if max_norm is not None:
        torch.nn.utils.clip_grad_norm_(parameters, max_norm)
    optimiser.step()


def _evaluate(
    task: TrainingTask, position: TrainingPosition, metrics: Mapping[str, float]
) -> dict[str, float]:
    """The metrics with those of an evaluation, after which the best moment may be another."""
    evaluation, score = task.evaluate()
    if score is not None and not math.isfinite(score):
        score = -math.inf  # an evaluation that ran away is the worst there is
    all_metrics, best_score = {**metrics, **evaluation}, position.best_score
    position.evals_since_best += 1
    if score is None or best_score is None or score > best_score:
        position.best_weights = {
            name: tensor.detach().clone() for name, tensor in task.module.state_dict().items()
        }
        position.best_step, position.best_score = position.step, score
        position.best_metrics = all_metrics
        position.evals_since_best = 0
    return all_metrics


def _save(task: TrainingTask, position: TrainingPosition, file: TrainingFile) -> None:
    tensors = {**add_prefix("task", task.state_dict()), **add_prefix("best", position.best_weights)}
    numbers = {name: getattr(position, name) for name in TrainingPosition.__slots__}
    del numbers["best_weights"]
    file.save(tensors, numbers)


def _resume(task: TrainingTask, file: TrainingFile | None) -> TrainingPosition:
    saved = None if file is None else file.load()
    if saved is None:
        return TrainingPosition()
    tensors, numbers = saved
    task.load_state_dict(strip_prefix("task", tensors))
    return TrainingPosition(best_weights=strip_prefix("best", tensors), **numbers)
