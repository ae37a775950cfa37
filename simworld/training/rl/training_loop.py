"""The training loop: draws batches, looks at the learner now and then, keeps the best actor, and
can stop and go on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from simworld.core.errors import InputError
from simworld.core.progress import MetricsSink, ReportProgress
from simworld.core.seeding import derive_seed, generator
from simworld.training.data.dataset_checks import check_batch, check_trainable, split_families
from simworld.training.data.normalizer import Normalizer, fit_normalizer
from simworld.training.data.returns import first_rows, monte_carlo_returns
from simworld.training.data.transitions import Transitions
from simworld.training.rl.diagnostics import DiagnosticBatch, diagnose, diagnostic_batch
from simworld.training.rl.fqe import FqeSettings, fitted_q
from simworld.training.rl.learner import Learner, prefixed, under
from simworld.training.training_state import load_progress, save_progress

PROGRESS = "training.safetensors"


class LoopSettings(BaseModel):
    """How long to train, on what, and when to look."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: int = Field(2000, ge=1)
    batch_size: int = Field(256, ge=1)
    seed: int = Field(0, ge=0)
    # steps between two looks: diagnostics, evaluation, the state saved
    every: int = Field(100, ge=1)
    # share of families; 0: no evaluation, the last actor is the result
    held_out: float = Field(0.2, ge=0, lt=1)
    # looks without a better evaluation before stopping; 0: never before `steps`
    patience: int = Field(5, ge=0)
    fqe: FqeSettings = FqeSettings()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trained:
    """What training gave: the actor's weights at its best look, the scale of its states, and what
    was measured there.
    """

    actor: dict[str, Tensor]
    scale: Normalizer
    step: int  # of the best look
    steps: int  # taken in all
    metrics: dict[str, float]


@dataclass(slots=True, kw_only=True)
class _TrainingPosition:
    """How far training has come."""

    step: int = 0
    best_step: int = 0
    best: dict[str, Tensor] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)  # at the best look
    looks_since: int = 0


def train(
    learner: Learner,
    transitions: Transitions,
    settings: LoopSettings,
    *,
    gamma: float,
    scale: Normalizer | None = None,
    identity: Mapping[str, object] | None = None,
    folder: Path | None = None,
    sink: MetricsSink = lambda step, metrics: None,
    on_progress: ReportProgress = lambda done, total, note: None,
) -> Trained:
    """Trains the learner and gives its best actor by fitted-Q evaluation on held-out families
    (`fqe` says how noisy that is).

    The same seed and data give bitwise the same weights, interrupted or not: batches derive from
    the step's number, the rest is saved.

    Args:
        learner: trained in place.
        transitions: what to learn from.
        settings: of the loop.
        gamma: discount of the evaluation and of the Monte-Carlo returns; the learner's own.
        scale: of the states; by default that of the families learned from. A warm-started actor
            needs its own.
        identity: what makes this training itself (data, learner settings), plain JSON; going on
            with another is refused.
        folder: where the state is kept after each look; training goes on from there.
        sink: gets the metrics of each look; after an interruption those of the last look may come
            again, the same.
        on_progress: told after each step.

    Raises:
        InputError: for a dataset that cannot be learned from, a folder of another training, or
            losses that are no longer finite.
    """
    check_trainable(transitions, held_out=settings.held_out)
    learning, held = split_families(transitions, held_out=settings.held_out, seed=settings.seed)
    check_batch(learning, settings.batch_size)
    scale = scale or fit_normalizer(learning)
    look = _Evaluator(learning=learning, held=held, scale=scale, settings=settings, gamma=gamma)
    itself = {**(identity or {}), "gamma": gamma, **settings.model_dump(exclude={"steps"})}
    place = _resumed(learner, folder / PROGRESS, itself) if folder else _TrainingPosition()
    sums: dict[str, list[float]] = {}
    while place.step < settings.steps and not _stopped(place, settings):
        draws = generator(derive_seed(settings.seed, "batch", place.step))
        batch = scale.batch(learning.draw(draws, settings.batch_size))
        for name, value in learner.update(batch).items():
            sums.setdefault(name, []).append(value.item())
        place.step += 1
        if place.step % settings.every == 0 or place.step == settings.steps:
            losses = {name: sum(values) / len(values) for name, values in sums.items()}
            if lost := _lost(losses, learner):
                if folder:
                    (folder / PROGRESS).unlink(missing_ok=True)  # nobody wants to go on from there
                raise InputError(
                    f"after {place.step} updates {', '.join(lost)} are no finite numbers; lower the"
                    " learning rates, or alpha"
                )
            metrics = losses | look(learner)
            sums.clear()
            _keep_best(place, learner, metrics)
            sink(place.step, metrics)
            if folder:
                _save(place, learner, folder / PROGRESS, itself)
        on_progress(place.step, settings.steps, "")
    return Trained(
        actor=place.best, scale=scale, step=place.best_step, steps=place.step, metrics=place.metrics
    )


class _Evaluator:
    """Measures a learner on what is learned from and on what is held out ("held_…")."""

    def __init__(
        self,
        *,
        learning: Transitions,
        held: Transitions | None,
        scale: Normalizer,
        settings: LoopSettings,
        gamma: float,
    ) -> None:
        self._held, self._scale, self._settings, self._gamma = held, scale, settings, gamma
        self._probes: dict[str, DiagnosticBatch] = {
            "": diagnostic_batch(learning, scale, gamma=gamma, seed=settings.seed)
        }
        self._data: dict[str, float] = {}
        if held is not None:
            self._probes["held_"] = diagnostic_batch(held, scale, gamma=gamma, seed=settings.seed)
            returns = monte_carlo_returns(held, gamma)[first_rows(held)]
            known = returns[returns == returns]
            if len(known):
                self._data = {"held_return": float(known.mean())}

    def __call__(self, learner: Learner) -> dict[str, float]:
        found = dict(self._data)
        for prefix, seen in self._probes.items():
            found |= {prefix + name: value for name, value in diagnose(learner, seen).items()}
        if self._held is not None:
            settings = self._settings
            found["held_value"] = fitted_q(
                learner.actor,
                self._held,
                self._scale,
                settings.fqe,
                gamma=self._gamma,
                seed=settings.seed,
            )
        return found


def _lost(losses: Mapping[str, float], learner: Learner) -> list[str]:
    """What is no longer finite: then training has run away."""
    lost = [name for name, value in losses.items() if not math.isfinite(value)]
    if not all(bool(weights.isfinite().all()) for weights in learner.actor.parameters()):
        lost.append("the actor's weights")
    return lost


def _keep_best(place: _TrainingPosition, learner: Learner, metrics: dict[str, float]) -> None:
    place.looks_since += 1
    value, best = (_worth(found) for found in (metrics, place.metrics))
    if value is None or best is None or value > best:
        place.best = {
            name: tensor.detach().clone() for name, tensor in learner.actor.state_dict().items()
        }
        place.metrics, place.best_step, place.looks_since = metrics, place.step, 0


def _worth(metrics: Mapping[str, float]) -> float | None:
    """The held-out value; an evaluation that ran away is the worst there is."""
    value = metrics.get("held_value")
    return value if value is None or math.isfinite(value) else -math.inf


def _stopped(place: _TrainingPosition, settings: LoopSettings) -> bool:
    return settings.patience > 0 and place.looks_since >= settings.patience


def _save(
    place: _TrainingPosition, learner: Learner, file: Path, identity: Mapping[str, Any]
) -> None:
    numbers = {
        "step": place.step,
        "best_step": place.best_step,
        "looks_since": place.looks_since,
        "metrics": place.metrics,
    }
    tensors = {**prefixed("learner", learner.state()), **prefixed("best", place.best)}
    save_progress(file, tensors, numbers, identity)


def _resumed(learner: Learner, file: Path, identity: Mapping[str, Any]) -> _TrainingPosition:
    found = load_progress(file, identity)
    if found is None:
        return _TrainingPosition()
    tensors, numbers = found
    learner.load(under("learner", tensors))
    return _TrainingPosition(best=under("best", tensors), **numbers)
