"""Gradient descent over lessons: one reply at a time, some of them a step, and the best of what was
seen is kept.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from simworld.core.errors import InputError
from simworld.core.progress import MetricsSink
from simworld.core.seeding import derive_seed, generator
from simworld.training.cloning.frozen_lm import EncodedReply
from simworld.training.rl.learner import load_optimiser, optimiser_state, prefixed, under
from simworld.training.training_state import load_progress, save_progress

# of a lesson, with a seed for its random actions
Loss = Callable[[EncodedReply, int], tuple[Tensor, Mapping[str, float]]]
Rank = Callable[[Mapping[str, float]], float]  # mean metrics of the dev lessons → how bad that is

KEEP_EVERY = 5  # steps between two states that are kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Descent:
    """How to descend. The rate falls to zero along a half cosine; gradients are cut at norm 1."""

    steps: int = 160
    batch_size: int = 2  # lessons a step
    lr: float = 6e-3
    checks: int = 4  # how often the loss on the dev lessons is taken, evenly over the steps
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DescentCheckpoint:
    """Where a descent keeps its state, and what makes it this descent, plain JSON; going on with
    another is refused.
    """

    file: Path
    identity: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _DescentPosition:
    """How far a descent has come."""

    step: int
    best: float
    kept: dict[str, Tensor]


def descend(
    module: nn.Module,
    loss: Loss,
    train: Sequence[EncodedReply],
    dev: Sequence[EncodedReply],
    how: Descent,
    log: MetricsSink,
    *,
    rank: Rank = lambda means: means["loss"],
    keep: DescentCheckpoint | None = None,
) -> float:
    """Trains the parameters that want gradients, leaves the module as it was best on `dev`, and
    returns how bad it is there.

    Lessons come in a random order, each once before any comes again. Raises ValueError without
    lessons, and InputError where the loss is no longer a number.

    Args:
        module: what learns.
        loss: of a lesson.
        train: to learn from.
        dev: to choose by.
        how: see there.
        log: told the metrics of every step.
        rank: how bad a moment is, by the means of the loss and its metrics over the dev lessons;
            default: the loss.
        keep: where to keep the state now and then; a descent that was stopped goes on from there to
            bitwise the same end.
    """
    if not train or not dev:
        raise ValueError("no lessons to train on, or none to choose by")
    parameters = [p for p in module.parameters() if p.requires_grad]
    adam = torch.optim.Adam(parameters, lr=how.lr)
    order = _order(len(train), how.steps * how.batch_size, how.seed)
    place = _resumed(module, adam, keep)
    if place is None:
        best, kept = rank(_means(loss, dev, how.seed)), copy.deepcopy(module.state_dict())
        log(0, {"dev_loss": best})
    else:
        best, kept = place.best, place.kept
    for step in range(1 if place is None else place.step + 1, how.steps + 1):
        for group in adam.param_groups:
            group["lr"] = how.lr * (1 + math.cos(math.pi * (step - 1) / how.steps)) / 2
        adam.zero_grad()
        metrics: dict[str, float] = {}
        for i in order[(step - 1) * how.batch_size : step * how.batch_size]:
            value, parts = loss(train[i], derive_seed(how.seed, "step", step, i))
            torch.autograd.backward(value / how.batch_size)
            for name, part in {"loss": value.item(), **parts}.items():
                metrics[name] = metrics.get(name, 0.0) + part / how.batch_size
        if not math.isfinite(metrics["loss"]):
            if keep is not None:
                # nobody wants to go on from there, nor be told of other settings
                keep.file.unlink(missing_ok=True)
            raise InputError(
                f"the loss is {metrics['loss']} at step {step}; lower the learning rate (lr)"
            )
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        adam.step()
        if step * how.checks // how.steps > (step - 1) * how.checks // how.steps:
            metrics["dev_loss"] = found = rank(_means(loss, dev, how.seed))
            if found < best:
                best, kept = found, copy.deepcopy(module.state_dict())
        log(step, metrics)
        if keep is not None and (step % KEEP_EVERY == 0 or step == how.steps):
            _save(module, adam, _DescentPosition(step=step, best=best, kept=kept), keep)
    module.load_state_dict(kept)
    return best


def _save(
    module: nn.Module, adam: torch.optim.Adam, place: _DescentPosition, keep: DescentCheckpoint
) -> None:
    tensors = {**prefixed("module", module.state_dict()), **prefixed("kept", place.kept)}
    tensors |= prefixed("adam", optimiser_state(adam))
    save_progress(keep.file, tensors, {"step": place.step, "best": place.best}, keep.identity)


def _resumed(
    module: nn.Module, adam: torch.optim.Adam, keep: DescentCheckpoint | None
) -> _DescentPosition | None:
    found = None if keep is None else load_progress(keep.file, keep.identity)
    if found is None:
        return None
    tensors, numbers = found
    module.load_state_dict(under("module", tensors))
    load_optimiser(adam, under("adam", tensors))
    return _DescentPosition(kept=under("kept", tensors), **numbers)


@torch.no_grad()
def _means(loss: Loss, lessons: Sequence[EncodedReply], seed: int) -> Mapping[str, float]:
    """Of the loss and its metrics."""
    means: dict[str, float] = {}
    for i, lesson in enumerate(lessons):
        value, parts = loss(lesson, derive_seed(seed, "dev", i))
        for name, part in {"loss": value.item(), **parts}.items():
            means[name] = means.get(name, 0.0) + part / len(lessons)
    return means


def _order(count: int, wanted: int, seed: int) -> list[int]:
    draw = generator(derive_seed(seed, "order"))
    order: list[int] = []
    while len(order) < wanted:
        order += draw.permutation(count).tolist()
    return order[:wanted]
