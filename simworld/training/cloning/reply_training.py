"""Gradient descent over encoded replies: a step takes some replies, one at a time, and the weights
that were best on other families' replies are kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor, nn

from simworld.core.seeding import derive_seed, make_rng
from simworld.training.cloning.frozen_lm import EncodedReply
from simworld.training.trainer import (
    SILENT,
    TrainingRecorder,
    TrainingSchedule,
    gradient_step,
    train,
)
from simworld.training.training_state import collect_tensors, load_tensors

# of an encoded reply, with a seed for its random draws: the scalar to lower, and metrics
ReplyLoss = Callable[[EncodedReply, int], tuple[Tensor, Mapping[str, float]]]
DevLoss = Callable[[Mapping[str, float]], float]  # mean metrics on the dev replies → how bad

SAVE_INTERVAL = 5  # steps between two states that are kept
MAX_GRADIENT_NORM = 1.0  # of a step's gradient


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyTrainingSettings:
    """Settings of a training by Adam. The learning rate falls from `lr` to zero along a half
    cosine; gradients are cut at norm 1.
    """

    steps: int = 160
    batch_size: int = 2  # encoded replies a step
    lr: float = 6e-3
    evals: int = 4  # evaluations on the dev encoded replies, spread evenly over the steps
    seed: int = 0


def settings_json(settings: Any) -> dict[str, Any]:
    """Gives a dataclass of settings as JSON data, under the names that stored trainings have."""
    stored_names = {"evals": "checks", "training": "descent"}
    return asdict(
        settings, dict_factory=lambda fields: {stored_names.get(n, n): v for n, v in fields}
    )


def train_on_replies(
    module: nn.Module,
    loss: ReplyLoss,
    train_replies: Sequence[EncodedReply],
    dev_replies: Sequence[EncodedReply],
    settings: ReplyTrainingSettings,
    *,
    dev_loss: DevLoss = lambda means: means["loss"],
    recorder: TrainingRecorder = SILENT,
) -> None:
    """Trains the module's parameters that want gradients; leaves it as it was best on
    `dev_replies`.

    Replies come in a random order, each once before any comes again.

    Args:
        module: what learns.
        loss: of an encoded reply.
        train_replies: to learn from.
        dev_replies: encoded replies to choose by.
        settings: of the training.
        dev_loss: how bad weights are, by the means of the loss and its metrics over the dev encoded
            replies; default: the loss.
        recorder: keeps the state every few steps, and is told the metrics of every step.

    Raises:
        ValueError: there are no encoded replies.
        InputError: the loss is no longer finite, or the state is of another training.
    """
    if not train_replies or not dev_replies:
        raise ValueError("no encoded replies to train on, or none to choose by")
    schedule = TrainingSchedule(
        steps=settings.steps,
        eval_interval=Fraction(settings.steps, settings.evals),
        eval_first=True,
        log_interval=1,
        save_interval=SAVE_INTERVAL,
    )
    task = _ReplyTrainingTask(module, loss, train_replies, dev_replies, settings, dev_loss)
    module.load_state_dict(train(task, schedule, recorder).best_weights)


class _ReplyTrainingTask:
    """Learning from replies as the training loop sees it."""

    def __init__(
        self,
        module: nn.Module,
        loss: ReplyLoss,
        train_replies: Sequence[EncodedReply],
        dev_replies: Sequence[EncodedReply],
        settings: ReplyTrainingSettings,
        dev_loss: DevLoss,
    ) -> None:
        self.module, self.loss, self.settings, self.dev_loss = module, loss, settings, dev_loss
        self.train_replies, self.dev_replies = train_replies, dev_replies
        learning = [p for p in module.parameters() if p.requires_grad]
        self.adam = torch.optim.Adam(learning, lr=settings.lr)
        drawn = settings.steps * settings.batch_size
        self.order = _shuffled_order(len(train_replies), drawn, settings.seed)

    def step(self, number: int) -> Mapping[str, float]:
        settings = self.settings
        for group in self.adam.param_groups:
            group["lr"] = settings.lr * (1 + math.cos(math.pi * (number - 1) / settings.steps)) / 2
        metrics: dict[str, float] = {}

        def losses() -> Iterator[Tensor]:
            for i in self.order[(number - 1) * settings.batch_size : number * settings.batch_size]:
                seed = derive_seed(settings.seed, "step", number, i)
                yield self._loss_part(self.train_replies[i], seed, metrics, settings.batch_size)

        gradient_step(self.adam, losses(), max_norm=MAX_GRADIENT_NORM)
        return metrics

    def failure(self, number: int, metrics: Mapping[str, float]) -> str | None:
        if math.isfinite(metrics["loss"]):
            return None
        return f"the loss is {metrics['loss']} at step {number}; lower the learning rate (lr)"

    @torch.no_grad()
    def evaluate(self) -> tuple[Mapping[str, float], float]:
        means: dict[str, float] = {}
        for i, reply in enumerate(self.dev_replies):
            seed = derive_seed(self.settings.seed, "dev", i)
            self._loss_part(reply, seed, means, len(self.dev_replies))
        dev_loss = self.dev_loss(means)
        return {"dev_loss": dev_loss}, -dev_loss

    def state_dict(self) -> Mapping[str, Tensor]:
        return collect_tensors({"module": self.module, "adam": self.adam})

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        load_tensors({"module": self.module, "adam": self.adam}, state)

    def _loss_part(
        self, reply: EncodedReply, seed: int, means: dict[str, float], count: int
    ) -> Tensor:
        """Gives an encoded reply's share of the loss over `count` encoded replies, and adds its
        metrics to the means.
        """
        loss, metrics = self.loss(reply, seed)
        for name, value in {"loss": loss.item(), **metrics}.items():
            means[name] = means.get(name, 0.0) + value / count
        return loss / count


def _shuffled_order(count: int, length: int, seed: int) -> list[int]:
    rng = make_rng(derive_seed(seed, "order"))
    order: list[int] = []
    while len(order) < length:
        order += rng.permutation(count).tolist()
    return order[:length]
