"""Offline training of a learner: what to draw, how to evaluate on held-out families, and which
actor is the result. The loop is `trainer.train`; `cross_fitted_training` stops by all families.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from agents.steering.normalizer import Normalizer
from simworld.core.seeding import derive_seed, make_rng
from simworld.training.data.dataset_checks import check_batch_size, check_trainable
from simworld.training.data.family_splits import split_transitions
from simworld.training.data.fit_normalizer import normalizer_from_transitions
from simworld.training.data.returns import episode_starts, monte_carlo_returns
from simworld.training.data.transitions import Transitions
from simworld.training.rl.diagnostics import DiagnosticBatch, diagnose, draw_diagnostic_batch
from simworld.training.rl.fqe import FQESettings, fitted_q
from simworld.training.rl.learner import Learner, TrainingSettings
from simworld.training.trainer import (
    SILENT,
    TrainingPosition,
    TrainingRecorder,
    TrainingSchedule,
    train,
)


class LoopSettings(TrainingSettings):
    """How long to train, on what, and when to evaluate."""

    steps: int = Field(2000, ge=1)
    batch_size: int = Field(256, ge=1)
    seed: int = Field(0, ge=0)
    # steps between two evaluations; the state is saved there too
    eval_interval: int = Field(100, ge=1, alias="every")
    # share of families; 0: no evaluation, the last actor is the result
    held_out: float = Field(0.2, ge=0, lt=1)
    # evaluations without a better one before stopping; 0: never before `steps`
    patience: int = Field(5, ge=0)
    # which step is kept: the one with the highest fitted-Q evaluation on the held-out families, or
    # the one whose gain over the best constant, cross-fitted over all families, is the surest
    stopping: Literal["held_out", "cross_fitted"] = "held_out"
    folds: int = Field(5, ge=2)  # of cross-fitting: it trains so many learners more
    fqe: FQESettings = FQESettings()

    @model_validator(mode="after")
    def _folds_are_for_cross_fitting(self) -> Self:
        if self.stopping == "held_out" and "folds" in self.model_fields_set:
            raise ValueError("folds are of `stopping: cross_fitted`; say that, or remove folds")
        if self.stopping == "cross_fitted" and "held_out" in self.model_fields_set:
            raise ValueError(
                "`stopping: cross_fitted` holds out every family in turn; remove held_out"
            )
        return self

    @model_serializer(mode="wrap")
    def _without_stopping(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leaves the stopping out where it is what it always was: hashes stay."""
        content: dict[str, Any] = serialize(self)
        left_out = ("stopping", "folds") if self.stopping == "held_out" else ("held_out",)
        for name in left_out:
            content.pop(name, None)
        return content


def train_offline(
    learner: Learner,
    transitions: Transitions,
    settings: LoopSettings,
    *,
    gamma: float,
    normalizer: Normalizer | None = None,
    recorder: TrainingRecorder = SILENT,
) -> tuple[TrainingPosition, Normalizer]:
    """Trains the learner; gives the position reached and the scale of the states. The position has
    the weights of the best actor by fitted-Q evaluation on held-out families (`fqe` says how noisy
    that is).

    The same seed and data give bitwise the same weights, interrupted or not.

    Args:
        learner: trained in place.
        transitions: what to learn from.
        settings: of the training.
        gamma: discount of the evaluation and of the Monte-Carlo returns; the learner's own.
        normalizer: of the states; by default that of the families learned from. A warm-started
            actor needs its own.
        recorder: where the state is kept, and who is told the metrics, after each evaluation.

    Raises:
        InputError: for a dataset that cannot be learned from, a file of another training, or losses
            that are no longer finite.
    """
    check_trainable(transitions, held_out=settings.held_out)
    training, heldout = split_transitions(
        transitions, held_out=settings.held_out, seed=settings.seed
    )
    check_batch_size(training, settings.batch_size)
    normalizer = normalizer or normalizer_from_transitions(training)
    schedule = TrainingSchedule(
        steps=settings.steps, eval_interval=settings.eval_interval, patience=settings.patience
    )
    task = OfflineTask(learner, training, heldout, normalizer, settings, gamma)
    return train(task, schedule, recorder), normalizer


class OfflineTask:
    """A learner as the training loop sees it: measured on what it learns from, and on what is held
    out ("held_…").
    """

    def __init__(
        self,
        learner: Learner,
        training: Transitions,
        heldout: Transitions | None,
        normalizer: Normalizer,
        settings: LoopSettings,
        gamma: float,
    ) -> None:
        self.learner, self.training, self.heldout = learner, training, heldout
        self.module = learner.actor
        self.state_dict, self.load_state_dict = learner.state_dict, learner.load_state_dict
        self.normalizer, self.settings, self.gamma = normalizer, settings, gamma
        self.diagnostic_batches: dict[str, DiagnosticBatch] = {
            "": draw_diagnostic_batch(training, normalizer, gamma=gamma, seed=settings.seed)
        }
        self.heldout_metrics: dict[str, float] = {}
        if heldout is not None:
            self.diagnostic_batches["held_"] = draw_diagnostic_batch(
                heldout, normalizer, gamma=gamma, seed=settings.seed
            )
            returns = monte_carlo_returns(heldout, gamma)
            if gamma:  # else a return is one act's, and all are asked, as in fitted-Q evaluation
                returns = returns[episode_starts(heldout)]
            finite_returns = returns[returns == returns]
            if len(finite_returns):
                self.heldout_metrics = {"held_return": float(finite_returns.mean())}

    def step(self, number: int) -> Mapping[str, float]:
        rng = make_rng(derive_seed(self.settings.seed, "batch", number - 1))
        batch = self.training.sample(rng, self.settings.batch_size).standardised(self.normalizer)
        return {name: value.item() for name, value in self.learner.update(batch).items()}

    def failure(self, number: int, metrics: Mapping[str, float]) -> str | None:
        nonfinite = [name for name, value in metrics.items() if not math.isfinite(value)]
        if not all(bool(weights.isfinite().all()) for weights in self.module.parameters()):
            nonfinite.append("the actor's weights")
        return (
            f"after {number} updates {', '.join(nonfinite)} are no finite numbers; lower the"
            " learning rates, or alpha"
            if nonfinite
            else None
        )

    def evaluate(self) -> tuple[Mapping[str, float], float | None]:
        metrics = dict(self.heldout_metrics)
        for prefix, batch in self.diagnostic_batches.items():
            diagnostics = diagnose(self.learner, batch)
            metrics |= {prefix + name: value for name, value in diagnostics.items()}
        if self.heldout is None:
            return metrics, None
        metrics["held_value"] = fitted_q(
            self.module,
            self.heldout,
            self.normalizer,
            self.settings.fqe,
            gamma=self.gamma,
            seed=self.settings.seed,
        )
        return metrics, metrics["held_value"]
