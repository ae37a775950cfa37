"""Self-cloning: a planner learns to change nothing, and an up-mapping may learn along. The steered
model then says what the unsteered one would.

Source: DAT, first stage (docs/design/dat.md). The planner sees the state of the prompt alone. The
loss is KL(unsteered ‖ steered) over the whole vocabulary, or the cross-entropy of the stored
replies as in the paper. Deviation: an up-mapping that learns along could come to steer nowhere, or
to steer at the price of the language; so its loss also has `weight · |reach − target|`. Reach is
the KL between the replies under two random actions. (A smaller W changes little, for the first
layer normalises its input.) The weights that are kept are the most neutral ones of those whose
reach is within a factor of two of the target.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from agents.steering.normalizer import Normalizer
from agents.steering.planner import Actor
from agents.steering.upmap import UpMap
from simworld.training.actor_init import init_to_action, new_actor
from simworld.training.cloning.frozen_lm import EncodedReply, FrozenLM
from simworld.training.cloning.neutrality import kl_divergence, random_actions
from simworld.training.cloning.reply_training import (
    ReplyTrainingSettings,
    settings_json,
    train_on_replies,
)
from simworld.training.data.fit_normalizer import normalizer_from_states
from simworld.training.trainer import SILENT, TrainingRecorder


@dataclass(frozen=True, slots=True, kw_only=True)
class CloneSettings:
    """Settings of cloning; `reach_target` is in nats per token, and counts with `train_upmap`."""

    loss: Literal["kl", "ce"] = "kl"
    train_upmap: bool = False
    reach_target: float = 0.2
    reach_weight: float = 3.0
    hidden: tuple[int, ...] = (256, 256)
    training: ReplyTrainingSettings = field(default_factory=ReplyTrainingSettings)

    def to_json(self) -> dict[str, Any]:
        """Gives the settings as JSON data, for the record of a training."""
        return settings_json(self)

    def dev_loss(self, means: Mapping[str, float]) -> float:
        """Tells how bad weights are, by their mean loss and metrics on the dev encoded replies.

        Where the up-mapping learns, that is KL or cross-entropy alone, as long as reach is within a
        factor of two of the target: reach varies so much from reply to reply that its part of the
        loss would outweigh the rest.
        """
        if not self.train_upmap or self.reach_target == 0:
            return means["loss"]
        excess = abs(math.log(max(means["reach"], 1e-9) / self.reach_target)) - math.log(2)
        return means[self.loss] + self.reach_weight * max(0.0, excess)


class ClonedPlanner(nn.Module):
    """Turns raw states into prefixes: standardises them, and maps the actor's actions up."""

    def __init__(self, actor: Actor, normalizer: Normalizer, upmap: UpMap) -> None:
        super().__init__()
        self.actor, self.normalizer, self.upmap = actor, normalizer, upmap

    def action(self, state: Tensor) -> Tensor:
        """Gives actions (B, d') for raw states (B, d_s)."""
        action: Tensor = self.actor(self.normalizer.standardise(state))
        return action


def train_clone(
    frozen_lm: FrozenLM,
    train_replies: Sequence[EncodedReply],
    dev_replies: Sequence[EncodedReply],
    upmap: UpMap,
    settings: CloneSettings,
    *,
    start: Tensor | ClonedPlanner | None = None,
    recorder: TrainingRecorder = SILENT,
) -> ClonedPlanner:
    """Trains a planner over a copy of the up-mapping; gives it as it was best on `dev_replies`.

    Args:
        frozen_lm: the language model that wrote the replies.
        train_replies: encoded replies to learn from.
        dev_replies: encoded replies of other families, to choose by.
        upmap: stays as it is, unless the settings say that its copy learns along.
        settings: of cloning.
        start: a planner to go on from; or the action (d',) from which a new one starts in all
            states, nearly neutral if one is known; default: a random action.
        recorder: keeps the state and is told the metrics, see `train_on_replies`.

    Raises:
        ValueError: there are no encoded replies.
        InputError: the loss is no longer finite, or the state is of another training.
    """
    actor, normalizer = _initial_actor(train_replies, upmap, settings, start)
    planner = ClonedPlanner(actor, normalizer, copy.deepcopy(upmap))
    planner.upmap.requires_grad_(settings.train_upmap)

    def loss(reply: EncodedReply, seed: int) -> tuple[Tensor, Mapping[str, float]]:
        actions = planner.action(reply.state[None])
        if settings.train_upmap:
            actions = torch.cat([actions, random_actions(2, upmap.d_action, seed)])
        steered, *random_steered = frozen_lm.log_probs(
            frozen_lm.forward_reply(reply, planner.upmap(actions))
        )
        total = _imitation_loss(frozen_lm, reply, steered, settings.loss)
        metrics: dict[str, float] = {settings.loss: total.item()}
        if settings.train_upmap:
            reach = kl_divergence(*random_steered).mean()
            metrics["reach"] = reach.item()
            total = total + settings.reach_weight * (reach - settings.reach_target).abs()
        return total, metrics

    train_on_replies(
        planner, loss, train_replies, dev_replies, settings.training,
        dev_loss=settings.dev_loss, recorder=recorder,
    )  # fmt: skip
    return planner.requires_grad_(False)


def _initial_actor(
    train_replies: Sequence[EncodedReply],
    upmap: UpMap,
    settings: CloneSettings,
    start: Tensor | ClonedPlanner | None,
) -> tuple[Actor, Normalizer]:
    """Gives the network to begin with, and what its states are standardised by."""
    if isinstance(start, ClonedPlanner):
        return copy.deepcopy(start.actor).requires_grad_(True), start.normalizer
    normalizer = normalizer_from_states([reply.state for reply in train_replies])
    seed, sizes = settings.training.seed, (len(normalizer.mean), upmap.d_action)
    # torch takes no larger seed
    actor = new_actor(*sizes, hidden=settings.hidden, projection="sphere", seed=seed % 2**63)
    init_to_action(actor, random_actions(1, upmap.d_action, seed)[0] if start is None else start)
    return actor, normalizer


def _imitation_loss(
    frozen_lm: FrozenLM, reply: EncodedReply, steered: Tensor, kind: Literal["kl", "ce"]
) -> Tensor:
    """Gives the mean over the reply's tokens of KL(unsteered ‖ steered), or of the cross-entropy,
    in nats; `steered` are log-probabilities (reply, vocabulary).
    """
    if kind == "ce":
        return -steered.gather(-1, reply.targets.to(steered.device)[:, None]).mean()
    with torch.no_grad():
        unsteered = frozen_lm.log_probs(reply.hidden)
    return kl_divergence(unsteered, steered).mean()
