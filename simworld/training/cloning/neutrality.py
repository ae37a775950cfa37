"""Neutrality measures how far a planner changes what a frozen language model says: the model reads,
teacher-forced, replies that it wrote unsteered.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from agents.steering.planner import project_action
from agents.steering.upmap import UpMap
from simworld.core.seeding import derive_seed, make_rng
from simworld.stats.intervals import Estimate, mean_by_family
from simworld.training.cloning.frozen_lm import EncodedReply, FrozenLM

ActionFunction = Callable[[Tensor], Tensor]  # raw states (B, d_s) → actions (B, d')


@dataclass(frozen=True, slots=True, kw_only=True)
class Neutrality:
    """What a planner leaves of the unsteered model, and what its up-mapping could do: means over
    tokens with intervals by family.

    All are in nats per token of the reply, but for `agreement` and `perplexity_ratio`. KL is over
    the whole vocabulary at temperature 1.
    """

    kl: Estimate  # KL(unsteered ‖ steered)
    random_kl: Estimate  # KL(unsteered ‖ steered by a random action of the same norm)
    reach: Estimate  # KL(steered by one random action ‖ by another)
    cross_entropy: Estimate  # of the steered model
    unsteered_cross_entropy: Estimate
    agreement: Estimate  # share of tokens where both models' likeliest token is the same
    perplexity_ratio: Estimate  # steered / unsteered; the ratio of the geometric means
    replies: int

    def means(self) -> dict[str, float]:
        """Gives the means by name, for a checkpoint's `metrics`."""
        return {name: getattr(self, name).mean for name in NEUTRALITY_MEASURES}


NEUTRALITY_MEASURES = tuple(name for name in Neutrality.__dataclass_fields__ if name != "replies")


def kl_divergence(first: Tensor, second: Tensor) -> Tensor:
    """Gives KL(first ‖ second) in nats, (…,), of log-probabilities (…, vocabulary)."""
    return (first.exp() * (first - second)).sum(-1)


def random_actions(count: int, d_action: int, seed: int) -> Tensor:
    """Draws actions evenly on the sphere of radius √d', (count, d') float32."""
    directions = make_rng(seed).standard_normal((count, d_action))
    return project_action(torch.from_numpy(directions).float(), "sphere")


@torch.no_grad()
def measure_neutrality(
    frozen_lm: FrozenLM,
    replies: Sequence[EncodedReply],
    policy: ActionFunction,
    upmap: UpMap,
    *,
    seed: int = 0,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Neutrality:
    """Measures a policy: reads each reply behind its prefix and behind those of two random actions.

    Raises ValueError without encoded replies.
    """
    by_measure: dict[str, list[tuple[str, float]]] = {name: [] for name in NEUTRALITY_MEASURES}
    for i, reply in enumerate(replies):
        actions = torch.cat(
            [policy(reply.state[None]), random_actions(2, upmap.d_action, derive_seed(seed, i))]
        )
        for name, values in _measures_by_token(frozen_lm, reply, upmap(actions)).items():
            by_measure[name] += [(reply.stored_reply.family, value) for value in values.tolist()]
        on_progress(i + 1, len(replies))
    estimates = {name: mean_by_family(values) for name, values in by_measure.items()}
    log_ratio = estimates["perplexity_ratio"]
    estimates["perplexity_ratio"] = replace(
        log_ratio,
        mean=math.exp(log_ratio.mean),
        low=None if log_ratio.low is None else math.exp(log_ratio.low),
        high=None if log_ratio.high is None else math.exp(log_ratio.high),
    )
    return Neutrality(**estimates, replies=len(replies))


def _measures_by_token(
    frozen_lm: FrozenLM, reply: EncodedReply, prefixes: Tensor
) -> Mapping[str, Tensor]:
    """Gives the values of each measure at each token of the reply; the perplexity ratio as a
    difference of cross-entropies.
    """
    unsteered = frozen_lm.log_probs(reply.hidden)
    steered, random_one, random_two = frozen_lm.log_probs(frozen_lm.forward_reply(reply, prefixes))
    targets = reply.targets.to(unsteered.device)[:, None]
    unsteered_nats = -unsteered.gather(-1, targets)[:, 0]
    steered_nats = -steered.gather(-1, targets)[:, 0]
    return {
        "kl": kl_divergence(unsteered, steered),
        "random_kl": (kl_divergence(unsteered, random_one) + kl_divergence(unsteered, random_two))
        / 2,
        "reach": kl_divergence(random_one, random_two),
        "cross_entropy": steered_nats,
        "unsteered_cross_entropy": unsteered_nats,
        "agreement": (unsteered.argmax(-1) == steered.argmax(-1)).float(),
        "perplexity_ratio": steered_nats - unsteered_nats,
    }
