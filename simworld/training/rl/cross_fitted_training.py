"""Training that stops by what all families say: beside the learner that becomes the planner, one
for each fold of families learns from the others, in step with it. At an evaluation every fold is
valued with the actor that did not see it, and the step is compared with the best constant action,
chosen without that fold too, in pairs within families.

The step whose gain less one standard error is highest is kept. Where that is not above 0 no step
is known to be better than a constant, and a constant is what the planner should be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from agents.steering.normalizer import Normalizer
from agents.steering.planner import Actor
from simworld.core.arrays import Floats
from simworld.training.data.dataset_checks import check_batch_size, check_trainable
from simworld.training.data.fit_normalizer import normalizer_from_transitions
from simworld.training.data.transitions import Transitions
from simworld.training.rl.fold_values import FoldValues, ScaledActor, open_fold_values
from simworld.training.rl.learner import Learner
from simworld.training.rl.off_policy_values import ValueDifference, compare_family_values
from simworld.training.rl.offline_training import LoopSettings, OfflineTask
from simworld.training.trainer import (
    SILENT,
    TrainingPosition,
    TrainingRecorder,
    TrainingSchedule,
    train,
)
from simworld.training.training_state import add_prefix, strip_prefix

# makes a learner of some transitions, and gives the scale of its actor's states where it has one
MakeLearner = Callable[[Transitions], tuple[Learner, Normalizer | None]]


def train_cross_fitted(
    make_learner: MakeLearner,
    transitions: Transitions,
    settings: LoopSettings,
    *,
    gamma: float,
    by_act: bool,
    recorder: TrainingRecorder = SILENT,
) -> tuple[TrainingPosition, Normalizer, Actor]:
    """Trains a learner on all families to the step that is best on families not seen; gives the
    position, with the weights of that step, the scale of the states, and the actor.

    The same seed and data give bitwise the same weights, interrupted or not.

    Args:
        make_learner: called for all transitions, and for those of all folds but one.
        transitions: what to learn from.
        settings: of the training.
        gamma: discount of the learner.
        by_act: whether rewards tell acts apart.
        recorder: where the state is kept, and who is told the metrics, after each evaluation.

    Raises:
        InputError: as `train_offline`, and for too few families.
    """
    check_trainable(transitions, held_out=0)
    values = _open_values(transitions, settings, gamma, by_act)

    def task(part: Transitions) -> OfflineTask:
        part = part.with_next_rows()
        check_batch_size(part, settings.batch_size)
        learner, normalizer = make_learner(part)
        normalizer = normalizer or normalizer_from_transitions(part)
        return OfflineTask(learner, part, None, normalizer, settings, gamma)

    folds = [task(transitions.select(np.flatnonzero(~mask))) for mask in values.folds]
    whole = task(transitions)
    schedule = TrainingSchedule(
        steps=settings.steps, eval_interval=settings.eval_interval, patience=settings.patience
    )
    position = train(_CrossFittedTask(whole, folds, values), schedule, recorder)
    return position, whole.normalizer, whole.learner.actor


def cross_fitted_metrics(
    fit: Callable[[Transitions], ScaledActor],
    transitions: Transitions,
    settings: LoopSettings,
    *,
    gamma: float,
    by_act: bool,
) -> dict[str, float]:
    """Gives the metrics of an evaluation for what is fitted at once, without steps."""
    values = _open_values(transitions, settings, gamma, by_act)
    actors = [fit(transitions.select(np.flatnonzero(~mask))) for mask in values.folds]
    return _gain_metrics(values.of(actors), values.constant)


def is_constant(metrics: Mapping[str, float]) -> bool:
    """Whether the metrics of the best step say that nothing is known to be better than the best
    constant: its gain is not more than one standard error.
    """
    return "gain" in metrics and not metrics["gain"] > metrics["gain_se"]


def _open_values(
    transitions: Transitions, settings: LoopSettings, gamma: float, by_act: bool
) -> FoldValues:
    return open_fold_values(
        transitions,
        folds=settings.folds,
        gamma=gamma,
        fqe=settings.fqe,
        by_act=by_act,
        seed=settings.seed,
    )


class _CrossFittedTask:
    """All learners as the training loop sees them. The history of family values is kept, so that
    steps can be compared in pairs.
    """

    def __init__(
        self, whole: OfflineTask, folds: Sequence[OfflineTask], values: FoldValues
    ) -> None:
        self._whole, self._folds, self._values = whole, folds, values
        self.module = whole.module
        self._history: list[Floats] = []  # of each evaluation, (G,)

    def step(self, number: int) -> Mapping[str, float]:
        for fold in self._folds:
            fold.step(number)
        return self._whole.step(number)

    def failure(self, number: int, metrics: Mapping[str, float]) -> str | None:
        failures = [fold.failure(number, {}) for fold in self._folds]
        return self._whole.failure(number, metrics) or next(filter(None, failures), None)

    def evaluate(self) -> tuple[Mapping[str, float], float | None]:
        metrics, _ = self._whole.evaluate()
        now = self._values.of([(fold.module, fold.normalizer) for fold in self._folds])
        constant = self._values.constant
        gains = _gain_metrics(now, constant)
        if self._history:
            before = max(self._history, key=lambda step: _surely(step - constant))
            step_gain = compare_family_values(now - before)
            gains |= {"step_gain": step_gain.mean, "step_gain_se": step_gain.se}
        self._history.append(now)
        return {**metrics, **gains}, _surely(now - constant)

    def state_dict(self) -> Mapping[str, Tensor]:
        tensors = add_prefix("whole", self._whole.state_dict())
        for number, fold in enumerate(self._folds):
            tensors |= add_prefix(f"fold{number}", fold.state_dict())
        history = np.array(self._history).reshape(len(self._history), -1)
        return {**tensors, "history": torch.from_numpy(history)}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self._whole.load_state_dict(strip_prefix("whole", state))
        for number, fold in enumerate(self._folds):
            fold.load_state_dict(strip_prefix(f"fold{number}", state))
        self._history = list(state["history"].double().numpy())


def _gain_metrics(values: Floats, constant: Floats) -> dict[str, float]:
    gain: ValueDifference = compare_family_values(values - constant)
    return {
        "value": float(values.mean()),
        "constant_value": float(constant.mean()),
        "gain": gain.mean,
        "gain_se": gain.se,
    }


def _surely(gains: Floats) -> float:
    """Gives the mean gain of families less one standard error."""
    gain = compare_family_values(gains)
    return gain.mean - gain.se
