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
from simworld.training.trainer import SILENT, Schedule, TrainingRecorder, gradient_step, train
from simworld.training.training_state import load_tensors, tensors_of

# of an encoded reply, with a seed for its random draws: the scalar to lower, and metrics
Loss = Callable[[EncodedReply, int], tuple[Tensor, Mapping[str, float]]]
Rank = Callable[[Mapping[str, float]], float]  # mean metrics on the dev encoded replies → how bad

SAVE_INTERVAL = 5  # steps between two states that are kept
MAX_NORM = 1.0  # of a step's gradient


@dataclass(frozen=True, slots=True, kw_only=True)
class DescentSettings:
    """Settings of a descent by Adam. The learning rate falls from `lr` to zero along a half cosine;
    gradients are cut at norm 1.
    """

    steps: int = 160
    batch_size: int = 2  # encoded replies a step
    lr: float = 6e-3
    evals: int = 4  # evaluations on the dev encoded replies, spread evenly over the steps
    seed: int = 0

    def plain(self) -> dict[str, Any]:
        """Gives the settings as JSON data, under the names that stored trainings have."""
        names = {"evals": "checks"}
        return {names.get(name, name): value for name, value in asdict(self).items()}


def descend(
    module: nn.Module,
    loss: Loss,
    encoded_replies: Sequence[EncodedReply],
    dev: Sequence[EncodedReply],
    how: DescentSettings,
    *,
    rank: Rank = lambda means: means["loss"],
    recorder: TrainingRecorder = SILENT,
) -> None:
    """Trains the module's parameters that want gradients, and leaves it as it was best on `dev`.

    Replies come in a random order, each once before any comes again.

    Args:
        module: what learns.
        loss: of an encoded reply.
        encoded_replies: to learn from.
        dev: encoded replies to choose by.
        how: settings.
        rank: how bad weights are, by the means of the loss and its metrics over the dev encoded
            replies; default: the loss.
        recorder: keeps the state every few steps, and is told the metrics of every step.

    Raises:
        ValueError: there are no encoded replies.
        InputError: the loss is no longer finite, or the state is of another training.
    """
    if not encoded_replies or not dev:
        raise ValueError("no encoded replies to train on, or none to choose by")
    schedule = Schedule(
        steps=how.steps,
        eval_interval=Fraction(how.steps, how.evals),
        eval_first=True,
        log_interval=1,
        save_interval=SAVE_INTERVAL,
    )
    reached = train(_DescentTask(module, loss, encoded_replies, dev, how, rank), schedule, recorder)
    module.load_state_dict(reached.best_weights)


class _DescentTask:
    """Descent as the training loop sees it."""

    def __init__(
        self,
        module: nn.Module,
        loss: Loss,
        encoded_replies: Sequence[EncodedReply],
        dev: Sequence[EncodedReply],
        how: DescentSettings,
        rank: Rank,
    ) -> None:
        self.module, self.loss, self.encoded_replies, self.dev = module, loss, encoded_replies, dev
        self.how, self.rank = how, rank
        self.adam = torch.optim.Adam([p for p in module.parameters() if p.requires_grad], lr=how.lr)
        self.order = _order(len(encoded_replies), how.steps * how.batch_size, how.seed)

    def step(self, number: int) -> Mapping[str, float]:
        how = self.how
        for group in self.adam.param_groups:
            group["lr"] = how.lr * (1 + math.cos(math.pi * (number - 1) / how.steps)) / 2
        metrics: dict[str, float] = {}

        def losses() -> Iterator[Tensor]:
            for i in self.order[(number - 1) * how.batch_size : number * how.batch_size]:
                seed = derive_seed(how.seed, "step", number, i)
                yield self._measured(self.encoded_replies[i], seed, metrics, how.batch_size)

        gradient_step(self.adam, losses(), max_norm=MAX_NORM)
        return metrics

    def failure(self, number: int, metrics: Mapping[str, float]) -> str | None:
        if math.isfinite(metrics["loss"]):
            return None
        return f"the loss is {metrics['loss']} at step {number}; lower the learning rate (lr)"

    @torch.no_grad()
    def evaluate(self) -> tuple[Mapping[str, float], float]:
        means: dict[str, float] = {}
        for i, encoded_reply in enumerate(self.dev):
            self._measured(
                encoded_reply, derive_seed(self.how.seed, "dev", i), means, len(self.dev)
            )
        badness = self.rank(means)
        return {"dev_loss": badness}, -badness

    def state(self) -> Mapping[str, Tensor]:
        return tensors_of({"module": self.module, "adam": self.adam})

    def load(self, state: Mapping[str, Tensor]) -> None:
        load_tensors({"module": self.module, "adam": self.adam}, state)

    def _measured(
        self, encoded_reply: EncodedReply, seed: int, means: dict[str, float], count: int
    ) -> Tensor:
        """Gives an encoded reply's share of the loss over `count` encoded replies, and adds its
        metrics to the means.
        """
        value, parts = self.loss(encoded_reply, seed)
        for name, part in {"loss": value.item(), **parts}.items():
            means[name] = means.get(name, 0.0) + part / count
        return value / count


def _order(count: int, wanted: int, seed: int) -> list[int]:
    rng = make_rng(derive_seed(seed, "order"))
    order: list[int] = []
    while len(order) < wanted:
        order += rng.permutation(count).tolist()
    return order[:wanted]
